"""What a run has to do, determined before anything starts: the shards and stages that are due."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.stages.registry import CORPUS_STAGES
from pipeline.state.ledger import Ledger
from pipeline.state.lineage import upstream
from pipeline.work.corpus_runner import is_due
from pipeline.work.job import Chains, Job


@dataclass
class Agenda:
    """The work of one run."""

    chains: Chains = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)  # stage -> objects in the shards of `chains`
    todo: dict[str, int] = field(default_factory=dict)  # stage -> objects to process, as far as is known now
    failed: dict[str, int] = field(default_factory=dict)  # stage -> objects that failed and stay so
    waiting: dict[str, int] = field(default_factory=dict)  # stage -> shards that lack a table it reads


def make_agenda(job: Job, stages: Sequence[str], shards: Sequence[int]) -> Agenda:
    """Looks at every chosen shard.

    Raises:
        ConfigError: a finished shard was made by another config, and the job does not make it again.
    """
    ledger = Ledger(job.corpus, job.config, job.stages)
    totals, todo, failed, waiting = (dict.fromkeys(stages, 0) for _ in range(4))
    agenda = Agenda({}, totals, todo, failed, waiting)
    for shard in ledger.walk(shards if stages else (), errors=True):
        to_process: dict[str, int] = {}
        for stage in stages:
            work = ledger.work(stage, shard, job.redo, job.retry_failed)
            # What a stage upstream makes in this run comes in here too.
            coming = max((to_process[name] for name in upstream(stage, job.stages) if name in to_process), default=0)
            if work is None and not coming:
                agenda.waiting[stage] += 1
            elif work is None or work.due or coming:
                planned = len(ledger.objects(shard)) if work is None else len(work.inputs)
                to_process[stage] = planned if work is None else max(len(work.todo), coming)
                agenda.totals[stage] += planned
            if work is not None:
                agenda.failed[stage] += len(work.kept_errors)
        if to_process:
            agenda.chains[shard] = list(to_process)
        for stage, count in to_process.items():
            agenda.todo[stage] += count
    return agenda


def due_corpus_stages(job: Job, stages: Sequence[str], agenda: Agenda) -> dict[str, bool]:
    """Whether each of the chosen corpus stages would run after the agenda's work."""
    changing = {stage for chain in agenda.chains.values() for stage in chain}
    due: dict[str, bool] = {}
    for stage in stages:
        entry = CORPUS_STAGES[stage]
        due[stage] = bool(changing.intersection(entry.after)) or is_due(entry, job.config, job.corpus)
        if due[stage]:
            changing.add(stage)
    return due
