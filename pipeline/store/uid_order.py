"""Tables of any size, sorted by uid in bounded memory: sorted runs go to files, and are merged range by range."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

RUN_BYTES = 1 << 26  # of Arrow columns that are sorted at once; memory peaks at some multiples of this
_PARTS = 64  # of a run, each of which is read at once
_PACKED = pa.ipc.IpcWriteOptions(compression="lz4")

OnRepeated = Callable[[pa.Table], None]


def ordered_by_uid(
    tables: Iterable[pa.Table], folder: Path, on_repeated: OnRepeated, run_bytes: int = RUN_BYTES
) -> Iterator[pa.Table]:
    """The rows of `tables`, which have one schema with a column `uid`, in the order of their uids' UTF-8 bytes.

    Of rows with one uid the first that came stays.

    Args:
        folder: for temporary files, of about the rows' own size; made if they do not fit into one run.
        on_repeated: is given the rows that do not stay.
        run_bytes: of rows that are sorted at once.
    """
    runs: list[_Run] = []
    held: list[pa.Table] = []
    size = 0
    with ExitStack() as stack:
        for table in tables:
            if size and size + table.nbytes > run_bytes:
                folder.mkdir(parents=True, exist_ok=True)
                run = _Run(folder / f"{len(runs)}.arrow", _sorted(held, on_repeated))
                runs.append(stack.enter_context(run))
                held, size = [], 0
            held.append(table)
            size += table.nbytes
        last = _sorted(held, on_repeated) if held else None
        del held
        if runs:
            bounds = _bounds(runs)
            for low, high in pairwise([None, *bounds, None]):
                parts = [run.below(high) for run in runs]
                parts.append(_between(last, low, high))
                yield _sorted(parts, on_repeated)
        elif last is not None:
            yield last


def regrouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` each; the last may be shorter."""
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        held.append(table)
        count += table.num_rows
        if count >= rows:
            together = pa.concat_tables(held)
            whole = count // rows * rows
            for start in range(0, whole, rows):
                yield together.slice(start, rows)
            held, count = [together.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(held)


class _Run:
    """A sorted table in a file, from which one range of uids after the other is taken."""

    def __init__(self, file: Path, table: pa.Table):
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=_PACKED) as writer:
            rows = -(-table.num_rows // _PARTS) or 1
            writer.write_table(table.combine_chunks(), max_chunksize=rows)
        firsts = pa.array(range(0, table.num_rows, rows), pa.int64())
        self.firsts: list[str] = table.column("uid").take(firsts).to_pylist()  # of each part
        self._rest = table.schema.empty_table()  # an empty slice would hold the whole table
        self._next = 0  # part
        self._file = pa.OSFile(str(file), "rb")
        self._reader = pa.ipc.open_file(self._file)

    def below(self, bound: str | None) -> pa.Table:
        """The rows that have not been taken yet and whose uids are below `bound`; None: all the rest."""
        parts = [self._rest]
        while self._next < len(self.firsts) and (bound is None or self.firsts[self._next] < bound):
            parts.append(pa.Table.from_batches([self._reader.get_batch(self._next)]))
            self._next += 1
        table = pa.concat_tables(parts)
        cut = _rows_below(table, bound)
        self._rest = table.slice(cut)
        return table.slice(0, cut)

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _bounds(runs: Sequence[_Run]) -> list[str]:
    """Uids that divide all runs together into ranges of about one run's size."""
    firsts = sorted(first for run in runs for first in run.firsts)
    step = -(-len(firsts) // len(runs))
    return firsts[step::step]


def _rows_below(table: pa.Table, bound: str | None) -> int:
    """Number of rows of a sorted table whose uids are below `bound`."""
    if bound is None:
        return int(table.num_rows)
    return int(pc.sum(pc.less(table.column("uid"), bound)).as_py() or 0)


def _between(table: pa.Table, low: str | None, high: str | None) -> pa.Table:
    start = 0 if low is None else _rows_below(table, low)
    return table.slice(start, _rows_below(table, high) - start)


def _sorted(parts: Sequence[pa.Table], on_repeated: OnRepeated) -> pa.Table:
    """The rows by uid, the first of each."""
    together = pa.concat_tables(parts)
    table = together.take(pc.sort_indices(together, sort_keys=[("uid", "ascending")]))  # a stable sort
    uids = table.column("uid")
    again = pc.equal(uids.slice(1), uids.slice(0, max(table.num_rows - 1, 0)))
    if not pc.any(again).as_py():
        return table
    repeated = pa.chunked_array([pa.array([False]), *again.chunks])
    on_repeated(table.filter(repeated))
    return table.filter(pc.invert(repeated))
