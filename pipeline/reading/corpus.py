"""A finished corpus as its readers see it: objects, packed splits, search (docs/dataset.md)."""

import os

from pipeline.base.errors import ConfigError
from pipeline.reading.lookup import find_object
from pipeline.reading.objects import CorpusObject
from pipeline.reading.search import Found, search_corpus
from pipeline.reading.triplets import Triplets
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.packed import MANIFEST


class Corpus(CorpusStore):
    """A corpus, or a copy of its `triplets` folder, by its URI: local path, `s3://…`, `gs://…`, any of fsspec's."""

    @classmethod
    def open(cls, uri: str | os.PathLike[str]) -> "Corpus":
        """An existing corpus, or a copy of its `triplets` folder alone.

        Raises:
            ConfigError: there is neither.
        """
        corpus = cls(uri)
        if not (corpus.exists("index.parquet") or corpus.exists(MANIFEST)):
            raise ConfigError(f"{corpus.uri} is not a corpus: it has neither index.parquet nor {MANIFEST}")
        return corpus

    def triplets(self, split: str) -> Triplets:
        """The packed objects of a split: train, val or heldout.

        Raises:
            ConfigError: nothing is packed for this split.
        """
        triplets = Triplets(self, split)
        if not triplets.files:
            raise ConfigError(f"{self.uri} has no packed triplets of split {split}: run --stage pack")
        return triplets

    def object(self, uid: str) -> CorpusObject:
        """One object, with everything that the stages have made of it so far.

        Raises:
            KeyError: the corpus has no such object.
        """
        return find_object(self, uid)

    def search(self, text: str, count: int = 10) -> list[Found]:
        """The objects whose views fit `text` best, by the encoder that embedded the corpus.

        Raises:
            ConfigError: nothing is embedded, or the encoder cannot be loaded here.
        """
        return search_corpus(self, text, count)
