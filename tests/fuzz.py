"""Property tests at random, round after round: `make fuzz MINUTES=5`.

Prints for every test that failed what to keep: its input as an `@example(…)` line, and the blob that reproduces it. The
exit code is 1 if any failed, and 2 if the tests could not run at all.
"""

import argparse
import re
import subprocess
import sys
import time

ROUND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "hypothesis"]
ROUND += ["--hypothesis-profile=fuzz", "--show-capture=no", "-rf"]
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
FALSIFYING = re.compile(  # in hypothesis' words of yesterday and of today
    r"^E?\s*(?:Falsifying example|Failing test case): (?P<test>\w+)\((?P<arguments>.*?)^E?\s*\)$", re.M | re.S
)
BLOB = re.compile(r"@reproduce_failure\(.*?\)")
NOTHING_LEFT = 5  # pytest's exit code where every test is deselected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for_how_long = parser.add_mutually_exclusive_group()
    for_how_long.add_argument("--minutes", type=float, default=5.0, help="no new round starts later than this")
    for_how_long.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files or folders")
    options = parser.parse_args()

    end = time.monotonic() + (options.minutes * 60 if options.seconds is None else options.seconds)
    failed: list[str] = []
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        deselected = [f"--deselect={test}" for test in failed]  # what has failed leaves its time to the others
        done = subprocess.run([*ROUND, *deselected, *options.tests], capture_output=True, text=True, check=False)
        if done.returncode == NOTHING_LEFT and failed:
            break
        if done.returncode not in (0, 1):
            print(done.stdout + done.stderr)
            return 2
        rounds += 1
        failed += FAILED.findall(done.stdout)
        for line in findings(done.stdout):
            print(line, flush=True)
    print(f"{rounds} rounds, {len(failed)} tests failed" + "".join(f"\n  {test}" for test in failed))
    return 1 if failed else 0


def findings(output: str) -> list[str]:
    """The lines to keep from what pytest printed."""
    lines = []
    for found in FALSIFYING.finditer(output):
        arguments = " ".join(line.removeprefix("E").strip() for line in found["arguments"].splitlines())
        lines.append(f"{found['test']}: @example({arguments.strip().rstrip(',')})")
    return lines + BLOB.findall(output)


if __name__ == "__main__":
    sys.exit(main())
