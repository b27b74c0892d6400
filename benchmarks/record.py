"""How a benchmark's figures are kept: benchmarks/results/NAME.json, and docs/benchmarks.md made from all of them.

`python -m benchmarks.record` writes docs/benchmarks.md anew.
"""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.capability import capability

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PREFACE = [
    "Beside the machine stand its vectors and a reference time, measured when the figures were written: what the",
    "innermost steps of the rasterizer need at least (`benchmarks/reference.py`). By it times of two machines compare,",
    "as far as they are times of arithmetic; older results lack it. `python -m benchmarks.compare [REV]` holds the",
    "results against those committed before and names what got worse beyond its noise (`benchmarks/noise.py`).",
]
# Where the modules stand now that results of before 0.2.0 name in their commands; the page shows today's command.
MOVED = {
    "ablation": "training.ablation",
    "blender_samples": "render.blender_samples",
    "bucket": "cluster.bucket",
    "fit_choices": "fit.choices",
    "fit_hard": "fit.hard",
    "fit_table": "fit.table",
    "local_cluster": "cluster.local_cluster",
    "metrics": "cluster.metrics",
    "raster": "fit.raster",
    "scale": "cluster.scale",
    "steady_memory": "render.steady_memory",
    "throughput": "cluster.throughput",
}


def record(name: str, figures: Mapping[str, float], notes: str = "", part: str = "") -> Path:
    """Write the figures of benchmark `name` beside the machine, the command and the commit that made them.

    What the machine can do is measured when they are written (see benchmarks/capability.py).

    Args:
        figures: numbers by key; the unit is part of the key.
        notes: what a reader must know to judge them (inputs, what was cut), one paragraph.
        part: for results that several scripts or runs make together. Only this part's figures are replaced then, and
            each part has its own machine, capability, command, commit and notes under `parts`; `figures` holds those
            of all.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    made = {
        "machine": machine(),
        "capability": capability(),
        "command": "python " + " ".join([_module_or_script(), *(_portable(argument) for argument in sys.argv[1:])]),
        "commit": commit(),
        "notes": notes,
    }
    result = {**made, "figures": dict(figures)}
    if part:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        result = with_part(known, part, made, figures)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def with_part(
    known: Mapping[str, Any], part: str, made: Mapping[str, Any], figures: Mapping[str, float]
) -> dict[str, Any]:
    """The result `known` with the figures of one part put in the place of those that it had before.

    Args:
        made: machine, capability, command, commit and notes of this part.
    """
    parts = parts_of(known) if known else {}
    others = {
        name: each | {"keys": keys}
        for name, each in parts.items()
        if name != part and (keys := [key for key in each["keys"] if key not in figures])
    }
    parts = others | {part: {**made, "keys": list(figures)}}
    values = {**known.get("figures", {}), **figures}
    return {
        "machine": _distinct(each["machine"] for each in parts.values()),
        "command": _distinct(each["command"] for each in parts.values()),
        "commit": _distinct(each["commit"] for each in parts.values()),
        "parts": parts,
        "figures": {key: values[key] for each in parts.values() for key in each["keys"]},
    }


def parts_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What made a result's figures, by part, each with its `keys`; a result without parts is one, named ""."""
    parts: dict[str, Any] = result.get("parts") or {"": _without_figures(result)}
    return parts


def _without_figures(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without parts as a part."""
    return {**{key: value for key, value in result.items() if key != "figures"}, "keys": list(result["figures"])}


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def machine() -> str:
    """Processor, number of cores, memory and GPU, as one line."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GiB, {_gpu()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit checked out, with `+` if the working tree differs from it in more than results."""
    head = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    others = [".", ":!benchmarks/results", ":!docs/benchmarks.md"]
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no", "--", *others)
    return f"{head}+" if changed else head


def write_page() -> None:
    """Make docs/benchmarks.md from every result."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks.record` from `benchmarks/results/*.json`; do not edit.",
        "",
        *PREFACE,
        "",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        lines += [f"## {path.stem}", ""]
        for name, part in parts_of(result).items():
            lines += [f"### {name}", ""] if name else []
            lines += [f"`{todays_command(part['command'])}` at {part['commit']} on {_told(part)}", ""]
            lines += [part["notes"], ""] if part.get("notes") else []
            lines += ["| figure | value |", "|---|---|"]
            lines += [f"| {key} | {_number(result['figures'][key])} |" for key in part["keys"]]
            lines.append("")
    PAGE.write_text("\n".join(lines), encoding="utf-8")


def todays_command(command: str) -> str:
    """A recorded command with its modules named as they are today."""
    return re.sub(
        r"-m benchmarks\.(\w+)(?=\s|$)", lambda found: f"-m benchmarks.{MOVED.get(found[1], found[1])}", command
    )


def _told(part: Mapping[str, Any]) -> str:
    """The machine and what it can do, which results of before 0.2.0 do not say."""
    can = part.get("capability")
    return (
        f"{part['machine']}; {can['vector']}, reference {can['limit_256_ms']:.3g} ms" if can else str(part["machine"])
    )


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _module_or_script() -> str:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return f"-m {spec.name.removesuffix('.__main__')}" if spec else Path(sys.argv[0]).name


def _portable(argument: str) -> str:
    """An argument without the folders of this machine."""
    return Path(argument).name if argument.startswith("/") else argument


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str:
    return _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").replace("\n", ", ") or "no GPU"


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    write_page()
