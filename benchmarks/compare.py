"""What got worse: the results in the working tree against those that were committed before.

    python -m benchmarks.compare [REV]

Without REV a result that differs from HEAD is held against HEAD's, another one against the one before its last commit.
Directions and noise stand in benchmarks/noise.py. Times are scaled by the reference times of the two machines; where
one of them has none, they compare on the same machine only. Exit code 1 if a figure is worse beyond its noise.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks.record import ROOT
from benchmarks.verdicts import Outcome, Verdict, compare_results


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", nargs="?", metavar="REV", help="a commit to hold all results against")
    revision = parser.parse_args().revision
    if revision and _git(ROOT, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        parser.error(f"there is no commit {revision}")
    sys.exit(1 if compare_tree(ROOT, revision) else 0)


def compare_tree(root: Path, revision: str | None = None) -> int:
    """Print how the results of the repository at `root` differ from committed ones.

    Args:
        revision: a commit; None for the last committed result that differs.

    Returns:
        How many figures are worse.
    """
    worse = 0
    for path in sorted((root / "benchmarks" / "results").glob("*.json")):
        name = path.relative_to(root).as_posix()
        base = revision or base_commit(root, name)
        text = _git(root, "show", f"{base}:{name}") if base else None
        if text is None:
            print(f"{path.stem}: not held against anything, for it is new")
            continue
        before, now = json.loads(text), json.loads(path.read_text(encoding="utf-8"))
        verdicts = list(compare_results(path.stem, before, now))
        for line in report(path.stem, str(base), verdicts):
            print(line)
        worse += sum(verdict.outcome is Outcome.WORSE for verdict in verdicts)
    print(f"worse beyond noise: {worse or 'nothing'}")
    return worse


def base_commit(root: Path, name: str) -> str | None:
    """The commit that has the last committed version of a file that differs from the one in the working tree.

    None if there is none: the file is new, or a shallow clone does not reach back so far.
    """
    changed = _git(root, "status", "--porcelain", "--", name)
    if changed:
        return None if changed.startswith("??") else "HEAD"
    last = (_git(root, "log", "-1", "--format=%h", "--", name) or "").strip()
    return f"{last}^" if last else None


def report(name: str, base: str, verdicts: list[Verdict]) -> list[str]:
    """A line for the result, and one for each figure that got worse or better."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
    lines = [f"{name}, against {base}: {told or 'no figures'}"]
    for outcome in (Outcome.WORSE, Outcome.BETTER):
        lines += [f"    {_sentence(verdict)}" for verdict in verdicts if verdict.outcome is outcome]
    gone = [verdict.key for verdict in verdicts if verdict.outcome is Outcome.GONE]
    return lines + ([f"    gone: {' '.join(gone)}"] if gone else [])


def _sentence(verdict: Verdict) -> str:
    assert verdict.rule
    outcome = verdict.outcome.value
    expected = f" ({verdict.expected:.5g} on this machine)" if verdict.expected != verdict.before else ""
    relative = [f"{verdict.rule.noise:.0%}"] if verdict.rule.noise else []
    absolute = [f"{verdict.rule.absolute:g}"] if verdict.rule.absolute else []
    return (
        f"{outcome.upper() if verdict.outcome is Outcome.WORSE else outcome}: "
        f"{verdict.key} {verdict.before:.5g}{expected} -> {verdict.now:.5g}; "
        f"{verdict.rule.better} is better, noise {' and '.join(relative + absolute) or 'none'}"
    )


def _git(root: Path, *command: str) -> str | None:
    """What git prints; None where it fails, as for a file that a commit does not have."""
    ended = subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True, check=False)
    return ended.stdout if ended.returncode == 0 else None


if __name__ == "__main__":
    main()
