"""The packed triplets of a corpus, or of a downloaded copy of its `triplets` folder."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds

from pipeline.errors import ConfigError
from pipeline.reading.objects import CorpusObject
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import rows_from_table


class Triplets:
    """The objects of one split. Iterating reads one row group at a time."""

    def __init__(self, corpus: CorpusStore, split: str):
        """
        Args:
            split: train, val or heldout.

        Raises:
            ConfigError: nothing is packed for this split.
        """
        self.corpus = corpus
        self.split = split
        self.files = packed_files(corpus, split)
        if not self.files:
            raise ConfigError(f"{corpus.uri} has no packed triplets of split {split}: run --stage pack")

    def __len__(self) -> int:
        return self.dataset().count_rows()

    def __iter__(self) -> Iterator[CorpusObject]:
        return self.read()

    def read(self, columns: Sequence[str] | None = None) -> Iterator[CorpusObject]:
        """The objects in the order of the files; with `columns`, only those (and `uid`) are in their rows."""
        wanted = None if columns is None else list(dict.fromkeys(["uid", *columns]))
        for path in self.files:
            with self.corpus.parquet(path) as file:
                for group in range(file.num_row_groups):
                    for row in rows_from_table(file.read_row_group(group, columns=wanted)):
                        yield CorpusObject(row)

    def dataset(self) -> ds.Dataset:
        """The files as a pyarrow dataset: filters, projections, batches."""
        return ds.dataset(self.files, format="parquet", filesystem=self.corpus.arrow_filesystem())

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of all objects."""
        return self.dataset().to_table(columns=list(columns))


def packed_files(corpus: CorpusStore, split: str) -> list[str]:
    """Paths of the packed files of a split: those that the manifest names or, where there is none, all."""
    folder = "triplets/" if corpus.exists("triplets") else ""  # else this is a copy of that folder
    if not corpus.exists(f"{folder}manifest.json"):
        return sorted(corpus.filesystem.glob(corpus.path(f"{folder}{split}/*.parquet")))
    paths = (entry["path"] for entry in corpus.read_json(f"{folder}manifest.json")["files"])
    return [corpus.path(f"{folder}{path}") for path in paths if path.startswith(f"{split}/")]
