"""Fault campaign: real kills at random moments (fixed seeds) of runs of sleeping stages, under both executors.

`python -m benchmarks.cluster --rounds 20`; each round takes half a minute on an idle machine. benchmarks/scale.py and
benchmarks/throughput.py add their figures to the same result.
"""

import argparse
import logging
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.record import record
from tests.pipeline import fake_stages
from tests.pipeline.fault_round import VICTIMS, Outcome, TwoNodes, fault_round, undisturbed

NAME = "cluster"
KINDS = [(executor, victim) for executor, victims in VICTIMS.items() for victim in victims]
NOTES = (
    "In each round one process (a worker, an actor with a GPU, the command itself) or one of two nodes (its raylet) "
    "gets SIGKILL at a random moment, and the same command is started again where it has ended. 24 objects in 6 shards "
    "go through three stages that sleep; runs on Ray join a cluster of two nodes on this machine. Tables are compared "
    "with those of an undisturbed run by the fingerprints of their rows. Seconds to recover: from the kill until an "
    "object that was in hand is worked on again, or until the command that was started again works on its first "
    "object; they hold for a machine that was busy with other things."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    logging.basicConfig(level=logging.WARNING)
    fake_stages.register()
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, closing(TwoNodes()) as nodes:
        expected = undisturbed(Path(folder, "undisturbed"))
        for number in range(rounds):
            executor, victim = KINDS[number % len(KINDS)]
            joined = nodes if executor == "ray" else None
            outcome = fault_round(Path(folder, f"round-{number}"), executor, victim, number, expected, joined)
            outcomes[f"{executor}_{victim}"].append(outcome)
            print(f"{number + 1}/{rounds} {executor} {victim}: {outcome}", flush=True)
            record(NAME, figures(outcomes), NOTES, part="faults")


def figures(outcomes: Mapping[str, list[Outcome]]) -> dict[str, float]:
    """The figures of all rounds so far, by kind of fault."""
    every = [outcome for each in outcomes.values() for outcome in each]
    seconds = {
        kind: statistics.median(outcome.seconds_to_recover for outcome in each) for kind, each in outcomes.items()
    }
    return {
        "fault_rounds": len(every),
        "uids_lost": sum(outcome.lost for outcome in every),
        "tables_different": sum(outcome.different for outcome in every),
        "problems_found_by_verify": sum(outcome.problems for outcome in every),
        **{f"rounds_{kind}": len(each) for kind, each in outcomes.items()},
        **{f"seconds_to_recover_median_{kind}": round(value, 1) for kind, value in seconds.items()},
    }


if __name__ == "__main__":
    main()
