"""Whether the whole test suite is green time after time in a fresh clone of HEAD, and how long it takes.

    python -m benchmarks.house.suite [--times 5] [--ci]

`make venv` is timed once, then `make test` runs N times in a row in the same clone. With `--ci`, `.ci/run` runs once in
another fresh clone, install included. `passed` and `skipped` are the smallest and largest number of any run. The output
of each run is kept in .cache/suite/.

Writes suite.json after every run.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import ROOT, record

CI_NOTES = "`.ci/run` in a fresh clone of HEAD, install included; system packages that are there already are kept."

Save = Callable[[Mapping[str, float]], object]


@dataclass(frozen=True)
class SuiteRun:
    seconds: float
    exit_code: int
    counts: dict[str, int]  # of tests by outcome: passed, failed, skipped, error, …

    @property
    def broken(self) -> int:
        """Tests that failed, or whose set-up did."""
        return sum(self.counts.get(outcome, 0) for outcome in ("failed", "error", "errors"))

    @property
    def green(self) -> bool:
        return self.exit_code == 0 and not self.broken and self.counts.get("passed", 0) > 0

    def figures(self, name: str) -> dict[str, float]:
        return {
            f"{name}_seconds": round(self.seconds, 1),
            f"{name}_passed": self.counts.get("passed", 0),
            f"{name}_failed": self.broken,
            f"{name}_skipped": self.counts.get("skipped", 0),
        }


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, metavar="N", help="runs of make test")
    parser.add_argument("--ci", action="store_true", help="run .ci/run too")
    arguments = parser.parse_args()
    notes, logs = __doc__.split("\n\n")[2].replace("\n", " "), ROOT / ".cache" / "suite"
    logs.mkdir(parents=True, exist_ok=True)
    if arguments.times:
        run_tests(ROOT, arguments.times, logs, lambda figures: record("suite", figures, notes, part="make test"))
    if arguments.ci:
        run_ci(ROOT, logs, lambda figures: record("suite", figures, CI_NOTES, part="ci"))


def run_tests(repository: Path, times: int, logs: Path, save: Save) -> None:
    """Run `make test` several times in a clone of the repository's HEAD, and save the figures so far after each.

    Raises:
        RuntimeError: there is no environment to run them in.
    """
    with tempfile.TemporaryDirectory() as folder:
        clone = fresh_clone(repository, Path(folder))
        made = _run(["make", "venv"], clone, logs / "venv.log")
        if made.exit_code:
            raise RuntimeError(f"make venv ended with {made.exit_code}: see {logs / 'venv.log'}")
        runs: list[SuiteRun] = []
        for number in range(1, times + 1):
            runs.append(_run(["make", "test"], clone, logs / f"test_{number}.log"))
            save({"venv_seconds": round(made.seconds, 1), **figures_of(runs)})


def run_ci(repository: Path, logs: Path, save: Save) -> None:
    """Run `.ci/run` in a clone of the repository's HEAD, and save how that went."""
    with tempfile.TemporaryDirectory() as folder:
        run = _run([".ci/run"], fresh_clone(repository, Path(folder)), logs / "ci.log")
    save({**run.figures("ci"), "ci_green": int(run.green)})


def figures_of(runs: Sequence[SuiteRun]) -> dict[str, float]:
    """What is recorded of the runs: of all together, then of each."""
    seconds = [run.seconds for run in runs]
    figures: dict[str, float] = {
        "runs": len(runs),
        "green": sum(run.green for run in runs),
        "seconds_median": round(statistics.median(seconds), 1),
        "seconds_max": round(max(seconds), 1),
        "passed": min(run.counts.get("passed", 0) for run in runs),
        "skipped": max(run.counts.get("skipped", 0) for run in runs),
    }
    for number, run in enumerate(runs, 1):
        figures |= run.figures(f"run_{number}")
    return figures


def outcome_counts(output: str) -> dict[str, int]:
    """The numbers of pytest's last line, `= 3 failed, 1540 passed in 600.12s (0:10:00) =`; {} without one."""
    lines = re.findall(r"^(?:=+ )?(\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s", output, re.MULTILINE)
    return {name: int(count) for count, name in re.findall(r"(\d+) ([a-z]+)", lines[-1])} if lines else {}


def fresh_clone(repository: Path, folder: Path) -> Path:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(clone)], check=True)
    return clone


def _run(command: Sequence[str], clone: Path, log: Path) -> SuiteRun:
    """Run a command in the clone as a newcomer's shell would: without the environment that this process runs in."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        ended = subprocess.run(
            command, cwd=clone, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    seconds = time.monotonic() - started
    run = SuiteRun(seconds, ended.returncode, outcome_counts(log.read_text(encoding="utf-8", errors="replace")))
    print(f"{' '.join(command)}: exit code {run.exit_code}, {seconds:.0f} s, {run.counts}", flush=True)
    return run


if __name__ == "__main__":
    main()
