"""Packed triplets as a torch dataset: shuffled, divided among ranks and workers, and resumable where it stopped."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import IterableDataset, get_worker_info

from pipeline.reading.triplets import RowGroup, Triplets, part
from pipeline.values.packed import pack
from pipeline.values.pictures import decode_view
from pipeline.values.splat import ATTRIBUTES

COLUMNS = ("uid", "caption", "images", *ATTRIBUTES)
DECODED_ROWS = 4


class TripletStream(IterableDataset[dict[str, Any]]):
    """Samples: `uid`, `caption`, `gaussians` [N, 14], `image` uint8 [H, W, 4] (a random view in every epoch), `view`.

    The row groups are shuffled, then the rows inside of `mixed_groups` neighbouring ones. Every consumer (a worker of a
    rank) gets a contiguous part of that order: the parts are disjoint, cover everything and differ by at most one row.
    The order depends on seed and epoch alone. `state_dict` and `load_state_dict` are what torchdata's
    StatefulDataLoader calls; a resumed stream skips without decoding.
    """

    def __init__(
        self,
        triplets: Triplets,
        shuffle: bool = True,
        mixed_groups: int = 2,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ):
        """
        Args:
            shuffle: False: the order of the files, and view 0.
            mixed_groups: row groups in memory at once, across which rows are mixed.
            rank, ranks: this process's place in distributed training.
        """
        self.corpus = triplets.corpus
        self.shuffle, self.mixed_groups, self.seed = shuffle, mixed_groups, seed
        self.rank, self.ranks = rank, ranks
        self.epoch = 0
        self._given = 0  # samples of this epoch that this consumer has already given
        self._groups = triplets.row_groups

    def __len__(self) -> int:
        """Samples of one epoch that this rank gets, all workers together."""
        return len(part(range(sum(group.rows for group in self._groups)), self.rank, self.ranks))

    def set_epoch(self, epoch: int) -> None:
        """Start this epoch; iterating to the end moves on to the next by itself."""
        self.epoch, self._given = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Where this consumer stands."""
        return {"epoch": self.epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from `state`, which a stream with the same files, seed, ranks and workers gave."""
        self.epoch, self._given = state["epoch"], state["given"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        skip = self._given
        for groups, order in self._mixtures():
            rows = order[skip:]
            skip -= len(order) - len(rows)
            samples = self._samples(groups, frozenset(rows.tolist()))
            for row in rows.tolist():
                self._given += 1
                yield samples.pop(row).decoded()
        self.epoch, self._given = self.epoch + 1, 0

    def _mixtures(self) -> Iterator[tuple[list[RowGroup], np.ndarray]]:
        """This consumer's rows: some neighbouring row groups, and the order of its rows in them."""
        random = np.random.default_rng([self.seed, self.epoch])
        groups = [self._groups[i] for i in random.permutation(len(self._groups))] if self.shuffle else self._groups
        places = self._places(sum(group.rows for group in groups))
        start = 0
        for i in range(0, len(groups), self.mixed_groups):
            mixed = groups[i : i + self.mixed_groups]
            count = sum(group.rows for group in mixed)
            order = random.permutation(count) if self.shuffle else np.arange(count)
            mine = order[max(places.start - start, 0) : max(places.stop - start, 0)]
            if len(mine):
                yield mixed, mine
            start += count

    def _places(self, total: int) -> range:
        """The places of this consumer's rows in the order of the epoch."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return part(part(range(total), self.rank, self.ranks), worker, workers)

    def _samples(self, groups: list[RowGroup], wanted: frozenset[int]) -> dict[int, "_Sample"]:
        """The wanted rows of some row groups, numbered through."""
        samples: dict[int, _Sample] = {}
        start = 0
        for group in groups:
            if wanted.isdisjoint(range(start, start + group.rows)):
                start += group.rows
                continue
            with self.corpus.parquet(group.path) as file:
                # A few rows at a time: what is decoded is still in the processor's cache when it is put together.
                for batch in file.iter_batches(DECODED_ROWS, [group.number], list(COLUMNS), use_threads=False):
                    columns = {name: batch.column(name) for name in COLUMNS}
                    for row in range(batch.num_rows):
                        if start + row in wanted:
                            samples[start + row] = self._sample(columns, row)
                    start += batch.num_rows
        return samples

    def _sample(self, columns: dict[str, pa.Array], row: int) -> "_Sample":
        uid = columns["uid"][row].as_py()
        first, last = columns["images"].offsets[row : row + 2].to_pylist()
        drawn = zlib.crc32(f"{self.seed} {self.epoch} {uid}".encode()) if self.shuffle else 0
        view = drawn % (last - first)
        encoded = columns["images"].values.field("bytes")[first + view].as_py()
        gaussians = pack({name: _values(columns[name], row) for name in ATTRIBUTES})
        return _Sample(uid, columns["caption"][row].as_py(), gaussians, encoded, view)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A sample whose image waits to be decoded: so it takes a hundredth of the memory."""

    uid: str
    caption: str
    gaussians: np.ndarray  # [N, 14]
    encoded: bytes
    view: int

    def decoded(self) -> dict[str, Any]:
        image = decode_view(self.encoded, None, f"object {self.uid}, view {self.view}")
        return {
            "uid": self.uid,
            "caption": self.caption,
            "gaussians": torch.from_numpy(self.gaussians),
            "image": torch.from_numpy(np.array(image)),
            "view": self.view,
        }


def _values(column: pa.Array, row: int) -> np.ndarray:
    """The flat values of one row of a list column, without a copy."""
    first, last = column.offsets[row : row + 2].to_pylist()
    values: np.ndarray = column.values[first:last].to_numpy()
    return values
