"""`--verify`: tables hold the rows that were written, no object is lost, images decode, asset files are what they were.

`--repair` removes what is damaged, so that the next run makes it again.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from pipeline.base.errors import AssetError, ConfigError
from pipeline.base.plain_text import plain_line
from pipeline.pack.manifest import check_folder
from pipeline.stages.config import Config
from pipeline.stages.registry import CORPUS_STAGES, SHARD_STAGES
from pipeline.state.ledger import Ledger
from pipeline.state.records import done_path, find_done, missing_files
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import FOLDER, MANIFEST
from pipeline.store.rows import fingerprint, rows_from_table
from pipeline.store.schema import ADDED_COLUMNS, TABLES
from pipeline.store.shard_files import shard_file
from pipeline.store.shard_reader import TableReader
from pipeline.store.shard_record import ShardRecord
from pipeline.values.names import is_asset_file
from pipeline.values.pictures import decode_view

# What pyarrow and the reading of a record raise on damaged files, and `CorpusStore` in their place.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException, ConfigError)


@dataclass(frozen=True)
class Problem:
    """One problem of a corpus."""

    where: str
    what: str
    bad: tuple[str, ...] = ()  # files of the corpus that have to go; none: the next run sees to it as it is


@dataclass
class Verdict:
    """What was checked, and what is wrong."""

    tables: int = 0
    rows: int = 0
    images: int = 0
    files: int = 0
    problems: list[Problem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Everything, as `--json` prints it."""
        problems = [{"where": each.where, "what": each.what, "files": list(each.bad)} for each in self.problems]
        counts = {"tables": self.tables, "rows": self.rows, "images": self.images, "files": self.files}
        return {"ok": not problems, **counts, "problems": problems}

    def describe(self) -> str:
        """What was checked, in words."""
        return f"{self.tables} tables, {self.rows} rows, {self.images} images, {self.files} asset files"

    def table(self) -> Table:
        """The problems, as a table."""
        table = Table(title=f"{len(self.problems)} problems")
        table.add_column("where", overflow="fold")
        table.add_column("what", overflow="fold")
        for problem in self.problems:
            table.add_row(Text(plain_line(problem.where)), Text(plain_line(problem.what)))
        return table


def verify(corpus: CorpusStore, config: Config, shards: Sequence[int], quick: bool = False) -> Verdict:
    """Read everything of the chosen shards, what was noted of the whole corpus, and the packed triplets; nothing is
    changed.

    Args:
        quick: read records and uids alone.
    """
    verdict = Verdict()
    ledger = Ledger(corpus, config, SHARD_STAGES)
    verdict.problems += _verify_index(ledger, shards)
    for shard in ledger.walk(shards, errors=True):
        for stage in SHARD_STAGES:
            verdict.problems += _verify_shard(ledger, stage, shard, verdict, quick)
    verdict.problems += _verify_notes(corpus)
    if not quick and corpus.exists(FOLDER):
        verdict.problems += _verify_triplets(corpus)
    return verdict


def repair(corpus: CorpusStore, problems: Sequence[Problem]) -> list[str]:
    """Remove the files that must be made again; returns their paths inside the corpus."""
    bad = sorted({path for problem in problems for path in problem.bad if corpus.exists(path)})
    for path in bad:
        corpus.remove(path)
    return bad


def _verify_index(ledger: Ledger, shards: Sequence[int]) -> Iterator[Problem]:
    try:
        if shards:
            ledger.objects(shards[0])
    except ConfigError as error:
        yield Problem("index.parquet", str(error))


def _verify_notes(corpus: CorpusStore) -> Iterator[Problem]:
    """What the stages over the whole corpus were run on and what they left: is all of it still there?"""
    for stage in CORPUS_STAGES:
        where = "/".join(done_path(stage))
        try:
            done = find_done(corpus, stage)
        except ConfigError as error:
            yield Problem(where, f"cannot be read: {error.__cause__}", (where,))
            continue
        if done is None:
            continue
        for path in missing_files(corpus, done):
            yield Problem(path, f"is missing: run --stage {stage} again")
        for table, count in done.shards.items():
            there = len(corpus.shards(table))
            if there < count:
                yield Problem(table, f"has {there} shards; --stage {stage} has read {count}")


def _verify_shard(ledger: Ledger, stage: str, shard: int, verdict: Verdict, quick: bool) -> Iterator[Problem]:
    """One table of one shard; a shard that is not finished has nothing to verify."""
    corpus, table = ledger.corpus, SHARD_STAGES[stage].writes
    path, where = corpus.shard_path(table, shard), f"{table}/{shard_file(shard)}"
    if not corpus.exists(where):
        return
    verdict.tables += 1
    bad = (where, f"errors/{stage}/{shard_file(shard)}")
    try:
        record, errors = ledger.record(stage, shard), ledger.errors(stage, shard)
        with closing(TableReader(corpus, path)) as reader:
            known = set(reader.schema.names)
            expected = [field for field in TABLES[table] if field.name in known or field.name not in ADDED_COLUMNS]
            if not reader.schema.equals(pa.schema(expected)):
                yield Problem(where, "its columns do not match the schema", bad)
                return
            if record is None:  # removed meanwhile
                return
            if not record.agrees_with_itself:
                yield Problem(where, "has a damaged record of how it was made", bad)
                return
            yield from _verify_inputs(where, ledger, stage, shard, record)
            yield from _conserved(where, reader.uids, list(errors), record, bad)
            for uid in () if quick else reader.uids:
                row = reader.table(uid)  # reads every column
                verdict.rows += 1
                if record.outputs.get(uid, "") not in ("", fingerprint(rows_from_table(row)[0])):
                    yield Problem(f"{where}, {uid}", "differs from the row that was written", bad)
                if table == "views":
                    yield from _verify_images(f"{where}, {uid}", row, verdict, bad)
                elif table == "assets":
                    yield from _verify_file(corpus, f"{where}, {uid}", row, verdict, bad)
    except _DAMAGE as error:
        yield Problem(where, f"cannot be read: {error.__cause__ or error}", bad)


def _verify_inputs(where: str, ledger: Ledger, stage: str, shard: int, record: ShardRecord) -> Iterator[Problem]:
    try:
        inputs = ledger.inputs(stage, shard)
    except _DAMAGE:  # the problem is told at its own place
        inputs = None
    if inputs is None:
        yield Problem(where, "a table that it was made from is missing or damaged")
    elif inputs != record.inputs:
        yield Problem(where, "was made from rows that have changed since: run its stage again")


def _conserved(
    where: str, rows: list[str], errors: list[str], record: ShardRecord, bad: tuple[str, ...]
) -> Iterator[Problem]:
    """Uids in = uids out + uids in the errors table."""
    for uid in sorted(set(rows) & set(errors)):
        yield Problem(f"{where}, {uid}", "has both a row and an error: run its stage again")
    for uid in sorted(record.inputs.keys() - set(rows) - set(errors)):
        yield Problem(f"{where}, {uid}", "is lost: neither a row nor an error", bad)
    for uid in sorted((set(rows) | set(errors)) - record.inputs.keys()):
        yield Problem(f"{where}, {uid}", "came from nowhere", bad)


def _verify_images(where: str, row: pa.Table, verdict: Verdict, bad: tuple[str, ...]) -> Iterator[Problem]:
    size = (row["width"][0].as_py(), row["height"][0].as_py())
    for number, image in enumerate(row["images"][0].as_py()):
        verdict.images += 1
        try:
            decode_view(image["bytes"], size, f"view {number}")
        except AssetError as error:
            yield Problem(where, str(error), bad)


def _verify_file(
    corpus: CorpusStore, where: str, row: pa.Table, verdict: Verdict, bad: tuple[str, ...]
) -> Iterator[Problem]:
    file, expected = row["file"][0].as_py(), row["sha256"][0].as_py()
    verdict.files += 1
    if not is_asset_file(file):  # a stranger's row: whatever lies there is not the corpus's to read or to remove
        yield Problem(where, f"its file {file[:200]!r} is not one of assets/files/", bad)
        return
    try:
        actual, _ = corpus.digest(file)
    except OSError as error:
        yield Problem(where, f"{file} cannot be read: {error}", (*bad, file))
        return
    if actual != expected:
        yield Problem(where, f"the checksum of {file} differs from the row's", (*bad, file))


def _verify_triplets(corpus: CorpusStore) -> Iterator[Problem]:
    packed, bad = CorpusStore(f"{corpus.uri.rstrip('/')}/{FOLDER}"), ("/".join(done_path("pack")),)
    if not packed.exists(MANIFEST):
        yield Problem(FOLDER, f"has no {MANIFEST}: run --stage pack", bad)
        return
    try:
        for problem in check_folder(packed):
            yield Problem(FOLDER, problem, bad)
    except _DAMAGE as error:
        yield Problem(FOLDER, f"cannot be read: {error}", bad)
