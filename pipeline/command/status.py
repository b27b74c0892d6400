"""`--status`: what is done, failed and pending. `--plan`: what would run, and for how long. Both read records only.

Both are plain values, as `--json` prints them; pipeline/command/status_tables.py shows them to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.stages.config import Config
from pipeline.stages.registry import CORPUS_STAGES, SHARD_STAGES
from pipeline.state.ledger import Ledger
from pipeline.state.listing import Listing
from pipeline.state.records import CorpusManifest, find_done, read_manifest
from pipeline.store.corpus_store import CorpusStore
from pipeline.work.agenda import Agenda
from pipeline.work.corpus_runner import is_due
from pipeline.work.job import Job


@dataclass
class StageStatus:
    """One stage's share of a corpus, in objects, and how long its workers have taken.

    The first shard of a worker takes longer, as files and kernels are loaded: `first_…` are those shards alone.
    """

    done: int = 0
    failed: int = 0
    pending: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    setups: int = 0
    first_objects: int = 0
    first_seconds: float = 0.0

    @property
    def seconds_per_object(self) -> float | None:
        """Of one worker that is warm, measured on this corpus; None before the first shard is finished."""
        finished = self.done + self.failed
        if finished > self.first_objects:
            return (self.seconds - self.first_seconds) / (finished - self.first_objects)
        return self.seconds / finished if finished else None

    def seconds_for(self, objects: int, workers: int) -> float | None:
        """How long `workers` take for `objects`, start-up included; None if no rate is known."""
        if not objects:
            return 0.0
        each = self.seconds_per_object
        if each is None:
            return None
        slower = max(self.first_seconds - each * self.first_objects, 0.0)
        return objects * each / workers + (self.setup_seconds + slower) / max(self.setups, 1)


def count_stages(ledger: Ledger, shards: Sequence[int]) -> dict[str, StageStatus]:
    """Counts over the records of all shard stages.

    An object that failed in a stage upstream does not reach a stage; while the stages upstream are not finished,
    all planned objects count as pending.
    """
    counts = {stage: StageStatus() for stage in ledger.stages}
    for shard in ledger.walk(shards):
        for stage, status in counts.items():
            record = ledger.record(stage, shard)
            if record is None:
                inputs = ledger.inputs(stage, shard)
                status.pending += len(ledger.objects(shard) if inputs is None else inputs)
            else:
                status.done += record.rows
                status.failed += record.failed
                status.seconds += record.seconds
                status.setup_seconds += record.setup_seconds
                if record.setup_seconds:
                    status.setups += 1
                    status.first_objects += record.rows + record.failed
                    status.first_seconds += record.seconds
    return counts


def corpus_status(corpus: CorpusStore, config: Config, shards: Sequence[int], workers: int) -> dict[str, Any]:
    """What `--status` tells: by stage, objects and the time left, in seconds (null: no rate is known yet).

    Args:
        workers: shards at once, for the time left.
    """
    stages = {}
    for stage, status in count_stages(Ledger(corpus, config, SHARD_STAGES), shards).items():
        each = status.seconds_per_object
        stages[stage] = {
            "done": status.done,
            "failed": status.failed,
            "pending": status.pending,
            "objects_per_hour": workers * 3600 / each if each else None,
            "seconds_left": status.seconds_for(status.pending, workers),
        }
    due = {stage: {"due": is_due(entry, config, corpus)} for stage, entry in CORPUS_STAGES.items()}
    return {
        "corpus": corpus.uri,
        "shards": len(shards),
        "workers": workers,
        "planned": _planned(read_manifest(corpus)),
        "stages": stages,
        "corpus_stages": due,
    }


def corpus_plan(job: Job, agenda: Agenda, corpus_stages: Mapping[str, bool], workers: int) -> dict[str, Any]:
    """What `--plan` tells: by stage, what would run, its time in seconds and in hours of one worker (null: unknown).

    Args:
        corpus_stages: the chosen corpus stages, and whether each would run.
        workers: shards at once.
    """
    manifest = read_manifest(job.corpus)
    measured = count_stages(Ledger(job.corpus, job.config, job.stages), range(manifest.shards))
    stages = {}
    for stage, objects in agenda.todo.items():
        seconds = measured[stage].seconds_for(objects, workers)
        stages[stage] = {
            "shards": sum(stage in chain for chain in agenda.chains.values()),
            "objects": objects,
            "seconds": seconds,
            "worker_hours": None if seconds is None else seconds * workers / 3600,
        }
    over_all = {}
    for stage, due in corpus_stages.items():
        done = find_done(job.corpus, stage)
        over_all[stage] = {"due": due, "seconds": 0.0 if not due else done.seconds if done else None}
    return _plan(job.corpus, manifest, workers, stages, over_all)


def new_corpus_plan(corpus: CorpusStore, listing: Listing, stages: Sequence[str], workers: int) -> dict[str, Any]:
    """The plan of a corpus that does not exist yet: no rate has been measured."""
    counts = {"shards": listing.shards, "objects": listing.objects, "seconds": None, "worker_hours": None}
    over_all = {stage: {"due": True, "seconds": None} for stage in stages if stage not in SHARD_STAGES}
    return _plan(corpus, listing, workers, {stage: counts for stage in stages if stage in SHARD_STAGES}, over_all)


def _plan(
    corpus: CorpusStore,
    planned: Listing | CorpusManifest,
    workers: int,
    stages: dict[str, Any],
    corpus_stages: dict[str, Any],
) -> dict[str, Any]:
    """The stages share the workers, so that their times add up."""
    seconds = [stage["seconds"] for stage in (*stages.values(), *corpus_stages.values())]
    total = None if None in seconds else sum(seconds)
    return {
        "corpus": corpus.uri,
        "workers": workers,
        "planned": _planned(planned),
        "stages": stages,
        "corpus_stages": corpus_stages,
        "seconds": total,
    }


def _planned(counts: Listing | CorpusManifest) -> dict[str, Any]:
    """What the corpus is made of. `splits` is empty where an older version planned it."""
    return {
        "objects": counts.objects,
        "shards": counts.shards,
        "splits": dict(sorted(counts.splits.items())),
        "left_out_licenses": dict(counts.left_out_licenses),
        "left_out_where": counts.left_out_where,
        "joined_tables": [table.as_json() for table in counts.joined_tables],
        "unplanned": counts.unplanned,
    }
