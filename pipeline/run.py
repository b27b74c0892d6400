"""The command line: python -m pipeline.run --stage all --config workflows/demo.yaml --corpus URI."""

import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.base import logs
from pipeline.base.errors import ConfigError, StorageError, WorkerCrash
from pipeline.base.exit_code import exit_code
from pipeline.base.logs import LogStyle
from pipeline.base.plain_text import plain_line
from pipeline.base.version import code_version
from pipeline.command.command_line import Options, Request, parse, parse_shards
from pipeline.command.help import PROGRAM
from pipeline.command.progress import StageProgress
from pipeline.command.status import corpus_plan, corpus_status, new_corpus_plan
from pipeline.command.status_tables import duration, plan_table, status_table
from pipeline.command.summary import failure_table, summary_tables, write_summary
from pipeline.executors.machine import default_workers
from pipeline.stages.registry import CORPUS_STAGES, PLUGIN_ERROR, SHARD_STAGES
from pipeline.state.accepted_settings import AcceptedSettings
from pipeline.state.ledger import Redo
from pipeline.state.planning import count_objects, ensure_planned
from pipeline.state.records import find_manifest, read_manifest
from pipeline.state.verify import repair, verify
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.full_disk import is_full, what_is_full
from pipeline.work.agenda import Agenda, due_corpus_stages, make_agenda
from pipeline.work.corpus_runner import is_due, run_corpus_stage
from pipeline.work.job import Job, ShardReport

EXIT_WRONG, EXIT_USAGE, EXIT_STORAGE, EXIT_CRASH, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 3, 4, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code.

    0: done; 1: --verify found something; 2: wrong usage; 3: the disk is full, or the bucket out of reach; 4: a process
    of a stage over the whole corpus died; 130: Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    again = f"{PROGRAM} {shlex.join(arguments)}"
    logs.configure(LogStyle())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))  # let workers close their stages
    try:
        if PLUGIN_ERROR:
            raise PLUGIN_ERROR
        request = parse(arguments)
        logs.configure(request.options.log_style)
        return _dispatch(request, Console())
    except ConfigError as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return EXIT_USAGE
    except (StorageError, WorkerCrash) as error:
        print(f"error: {_one_line(error)}. To resume: {again}", file=sys.stderr)
        return EXIT_STORAGE if isinstance(error, StorageError) else EXIT_CRASH
    except KeyboardInterrupt:
        print(f"Stopped. To resume: {again}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _dispatch(request: Request, console: Console) -> int:
    options = request.options
    corpus = CorpusStore(options.corpus)
    try:
        if options.status or options.verify or options.repair:
            return _show(request, corpus, console)
        return _plan(request, corpus, console) if options.plan else _run(request, corpus, console)
    except OSError as error:
        if is_full(error):
            raise StorageError(what_is_full(error, corpus)) from error
        raise


def _show(request: Request, corpus: CorpusStore, console: Console) -> int:
    """--status, --verify and --repair."""
    options = request.options
    shards = parse_shards(options.shards, read_manifest(corpus).shards)
    if options.status:
        status = corpus_status(corpus, request.config, shards, _worker_count(options))
        return _answer(status, status_table, options, console)
    verdict = verify(corpus, request.config, shards, options.quick)
    if options.as_json:
        removed = repair(corpus, verdict.problems) if options.repair else []
        print(json.dumps({**verdict.as_json(), "removed": removed}, indent=2))
        return EXIT_WRONG if verdict.problems and not options.repair else 0
    if not verdict.problems:
        console.print(f"OK: {verdict.describe()}", soft_wrap=True, highlight=False)
        return 0
    console.print(verdict.table())
    if options.repair:
        removed = repair(corpus, verdict.problems)
        again = f"to make the missing tables again: {PROGRAM} --corpus {corpus.uri}"
        console.print(f"Repaired: {len(removed)} damaged files removed; {again}", soft_wrap=True, highlight=False)
        return 0
    if any(problem.bad for problem in verdict.problems):
        console.print("--repair removes what is damaged so that the next run makes it again", highlight=False)
    return EXIT_WRONG


def _plan(request: Request, corpus: CorpusStore, console: Console) -> int:
    """--plan: nothing is written."""
    options, manifest = request.options, find_manifest(corpus)
    shard_stages, corpus_stages = _chosen_stages(options)
    if manifest is None:
        with console.status("planning …"):
            listing = count_objects(request.config.assets)
        plan = new_corpus_plan(corpus, listing, [*shard_stages, *corpus_stages], _worker_count(options))
        return _answer(plan, plan_table, options, console)
    job = _job(request, corpus)
    agenda = make_agenda(job, shard_stages, parse_shards(options.shards, manifest.shards))
    due = due_corpus_stages(job, corpus_stages, agenda)
    return _answer(corpus_plan(job, agenda, due, _worker_count(options)), plan_table, options, console)


def _answer(
    values: dict[str, Any], table: Callable[[dict[str, Any]], Table], options: Options, console: Console
) -> int:
    if options.as_json:
        print(json.dumps(values, indent=2))
    else:
        console.print(table(values))
    return 0


def _run(request: Request, corpus: CorpusStore, console: Console) -> int:
    options = request.options
    shard_stages, corpus_stages = _chosen_stages(options)
    with console.status("planning …"):  # a large source takes minutes
        manifest = ensure_planned(corpus, request.config)
    corpus.remove_leftovers()
    job = _job(request, corpus)
    shards = parse_shards(options.shards, manifest.shards)
    agenda = make_agenda(job, shard_stages, shards)
    _report_waiting(job, agenda, len(shards), console)
    settings = AcceptedSettings(corpus, request.config)
    if agenda.chains:
        _run_shard_stages(job, agenda, options, settings, console)
    ran = [stage for stage in corpus_stages if _run_corpus_stage(job, stage, options, settings, console)]
    if not agenda.chains and not ran:
        failed = sum(agenda.failed.values())
        hint = f" ({failed} failures; --retry-failed tries them again)" if failed else ""
        console.print(f"Nothing to do: --stage {options.stage} is finished in {corpus.uri}{hint}", soft_wrap=True)
        return 0
    _print_end(request, corpus, shards, shard_stages, console)
    return 0


def _run_shard_stages(job: Job, agenda: Agenda, options: Options, settings: AcceptedSettings, console: Console) -> None:
    executor = import_module(f"pipeline.executors.{options.executor}")
    with StageProgress(agenda.totals, console) as progress:

        def report(shard: ShardReport) -> None:
            settings.accept(shard.stage)
            progress.report(shard)

        executor.run(job, agenda.chains, options.workers, report)
    job.corpus.remove_leftovers()  # of workers that died in this run


def _run_corpus_stage(job: Job, stage: str, options: Options, settings: AcceptedSettings, console: Console) -> bool:
    """Run a corpus stage if it is due; says whether it ran."""
    entry = CORPUS_STAGES[stage]
    forced = options.force and options.stage == stage
    if not forced and not is_due(entry, job.config, job.corpus):
        return False
    executor = import_module(f"pipeline.executors.spread_{options.executor}")
    spread = partial(executor.spread, workers=options.workers)
    with console.status(f"{stage} …"):
        done = run_corpus_stage(entry, job.config, job.corpus, job.code_version, spread)
    settings.accept(stage)
    console.print(f"{stage}: done in {duration(done.seconds)}", highlight=False)
    return True


def _report_waiting(job: Job, agenda: Agenda, shards: int, console: Console) -> None:
    """Say what cannot run yet; an error if that is all."""
    for stage, count in agenda.waiting.items():
        if not count:
            continue
        tables = " and ".join(job.stages[stage].reads)
        if count == shards:
            raise ConfigError(f"stage {stage} reads {tables}, which this corpus does not have yet; run --stage all")
        console.print(f"{stage}: {count} of {shards} shards are waiting for {tables}", highlight=False)


def _print_end(
    request: Request, corpus: CorpusStore, shards: Sequence[int], shard_stages: Sequence[str], console: Console
) -> None:
    failures = failure_table(corpus, shards, shard_stages)
    if failures is not None:
        console.print(failures)
    if request.options.stage != "all":
        return
    for table in summary_tables(write_summary(corpus, request.config)):
        console.print(table)
    if corpus.exists("report", "index.html"):
        console.print(f"Report: {corpus.path('report', 'index.html')}", soft_wrap=True, highlight=False)


def _chosen_stages(options: Options) -> tuple[list[str], list[str]]:
    """The shard stages and the corpus stages to run; the latter need all shards."""
    if options.stage == "all":
        return list(SHARD_STAGES), [] if options.shards else list(CORPUS_STAGES)
    if options.stage in SHARD_STAGES:
        return [options.stage], []
    if options.shards:
        raise ConfigError(f"--shards: stage {options.stage} works on the whole corpus")
    return [], [options.stage]


def _job(request: Request, corpus: CorpusStore) -> Job:
    options = request.options
    forced = Redo.OUTDATED if options.stage == "all" else Redo.EVERYTHING
    return Job(
        corpus,
        request.config,
        redo=forced if options.force else Redo.NOTHING,
        retry_failed=options.retry_failed,
        code_version=code_version(),
        log_style=options.log_style,
    )


def _one_line(error: Exception) -> str:
    return plain_line(str(error))


def _worker_count(options: Options) -> int:
    """How many shards are worked on at once, as far as is known without a look at the cluster."""
    return options.workers or default_workers()


if __name__ == "__main__":
    sys.exit(exit_code(main))
