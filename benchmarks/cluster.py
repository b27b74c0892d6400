"""Fault campaign: real kills at random moments (fixed seeds) of runs of sleeping stages, under both executors.

`python -m benchmarks.cluster --rounds 20`; each round takes half a minute.
"""

import argparse
import logging
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.record import record
from tests.pipeline import fake_stages
from tests.pipeline.fault_round import VICTIMS, fault_round, undisturbed

KINDS = [(executor, victim) for executor, victims in VICTIMS.items() for victim in victims]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    logging.basicConfig(level=logging.WARNING)
    fake_stages.register()
    lost, different, problems = 0, 0, 0
    seconds: dict[str, list[float]] = {}
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        expected = undisturbed(Path(folder, "undisturbed"))
        for number in range(rounds):
            executor, victim = KINDS[number % len(KINDS)]
            outcome = fault_round(Path(folder, f"round-{number}"), executor, victim, number, expected)
            lost, different, problems = lost + outcome.lost, different + outcome.different, problems + outcome.problems
            kind = f"{executor}_{victim}"
            done[kind] += 1
            seconds.setdefault(kind, []).append(outcome.seconds_to_recover)
            print(f"{number + 1}/{rounds} {kind}: {outcome}", flush=True)
    figures = {
        "fault_rounds": rounds,
        "uids_lost": lost,
        "tables_different": different,
        "problems_found_by_verify": problems,
        **{f"rounds_{kind}": count for kind, count in done.items()},
        **{f"seconds_to_recover_median_{kind}": statistics.median(each) for kind, each in seconds.items()},
    }
    notes = (
        "In each round one process (a worker or the command itself) gets SIGKILL at a random moment, "
        "and the same command is started again where it has ended. 24 objects in 6 shards go through three stages "
        "that sleep. Tables are compared with those of an undisturbed run by the fingerprints of their rows. Seconds "
        "to recover: from the kill until an object that a killed worker had in hand is worked on again, or until the "
        "command that was started again works on its first object (with Ray, the start of a new Ray included)."
    )
    record("cluster", figures, notes)


if __name__ == "__main__":
    main()
