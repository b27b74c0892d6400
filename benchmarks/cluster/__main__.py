"""Fault campaign: real kills at random moments (fixed seeds) of runs of sleeping stages, and of the real Blender.

`python -m benchmarks.cluster` (`--rounds 24 --blender-rounds 4`); a round takes half a minute on an idle machine.
The room's scale.py, throughput.py, bucket.py and metrics.py add their figures to the same result.
"""

import argparse
import logging
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.cluster import NAME
from benchmarks.cluster.blender_round import blender_round, blender_undisturbed
from benchmarks.record import record
from fakes import stages as fake_stages
from fakes.fault_round import VICTIMS, Outcome, TwoNodes, fault_round, undisturbed

KINDS = [(executor, victim) for executor, victims in VICTIMS.items() for victim in victims]
BLENDER_NOTES = (
    "The same with the real engine: four small meshes are rendered by BlenderProc under Ray, and in each round one "
    "Blender process gets SIGKILL while a worker waits for it. Seconds to recover: until its object is tried again; "
    "the start of the next Blender comes on top."
)
NOTES = (
    "In each round one process (a worker, its child, an actor with a GPU, the command itself) or one of two nodes (its "
    "raylet) gets SIGKILL at a random moment, and the same command is started again where it has ended. 24 objects in "
    "6 shards go through three stages that sleep; runs on Ray join a cluster of two nodes on this machine. Tables are "
    "compared with those of an undisturbed run by the fingerprints of their rows. Seconds to recover: from the kill "
    "until an object that was in hand is worked on again, or until the command that was started again works on its "
    "first object; they hold for a machine that was busy with other things."
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--blender-rounds", type=int, default=4)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    fake_stages.register()
    with tempfile.TemporaryDirectory() as folder, closing(TwoNodes()) as nodes:
        if options.rounds:
            campaign(Path(folder), options.rounds, nodes)
        if options.blender_rounds:
            blender_campaign(Path(folder, "blender"), options.blender_rounds, nodes)


def campaign(folder: Path, rounds: int, nodes: TwoNodes) -> None:
    """Rounds of the sleeping stages, one kind of fault after the other."""
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    expected = undisturbed(folder / "undisturbed")
    for number in range(rounds):
        executor, victim = KINDS[number % len(KINDS)]
        joined = nodes if executor == "ray" else None
        outcome = fault_round(folder / f"round-{number}", executor, victim, number, expected, joined)
        outcomes[f"{executor}_{victim}"].append(outcome)
        print(f"{number + 1}/{rounds} {executor} {victim}: {outcome}", flush=True)
        record(NAME, figures(outcomes), NOTES, part="faults")


def blender_campaign(folder: Path, rounds: int, nodes: TwoNodes) -> None:
    """Rounds of the real engine; nothing of it is faked."""
    expected, outcomes = blender_undisturbed(folder / "undisturbed", nodes), []
    for number in range(rounds):
        outcomes.append(blender_round(folder / f"round-{number}", number, expected, nodes))
        print(f"{number + 1}/{rounds} Blender: {outcomes[-1]}", flush=True)
        counted = figures({"ray_blender": outcomes}).items()
        named = {key if "ray_blender" in key else f"blender_{key}": value for key, value in counted}
        record(NAME, named, BLENDER_NOTES, part="blender faults")


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
