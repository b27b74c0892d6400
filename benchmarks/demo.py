"""How long a newcomer waits: `make demo` in a fresh clone of this repository, nothing installed before.

    python -m benchmarks.demo

Writes benchmarks/results/demo.json.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.record import ROOT, record


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        started = time.monotonic()
        subprocess.run(["make", "demo"], cwd=clone, check=True)
        seconds = time.monotonic() - started
        summary = json.loads((clone / "corpora" / "demo" / "summary.json").read_text(encoding="utf-8"))
    record("demo", {"wall_s": round(seconds, 1), **flat_figures(summary)}, notes=__doc__.partition("\n")[0])


def flat_figures(summary: dict) -> dict[str, float]:
    """The numbers of summary.json, nested keys joined by underscores."""
    figures = {}
    for key, value in summary.items():
        if isinstance(value, dict):
            figures |= {f"{key}_{inner}": number for inner, number in flat_figures(value).items()}
        elif isinstance(value, int | float):
            figures[key] = value
    return figures


if __name__ == "__main__":
    main()
