"""What the worker of a shard is working on: a small file of the corpus, which outlives the worker."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.logs import working_on
from pipeline.store.corpus_files import TEMPORARY
from pipeline.store.corpus_store import CorpusStore


@dataclass(frozen=True)
class Note:
    """The objects that a stage is called for now."""

    uids: tuple[str, ...] = ()  # none: the worker sets its stage up
    limit_s: float = float("inf")  # for this call
    call: int = 0  # number of the call: a second try at the same objects restarts its time


class AtWork:
    """The note of one stage in one shard. As a context manager, it is there as long as the block runs."""

    def __init__(self, corpus: CorpusStore, stage: str, shard: int):
        self._corpus = corpus
        self._step = (stage, shard)
        self._path = (TEMPORARY, f"{stage}-{shard:05d}.json")
        self._calls = 0

    def note(self, uids: Sequence[str], limit_s: float) -> None:
        """Note that the stage is about to be called for `uids`, which may take `limit_s`; log lines tell of it too."""
        self._calls += 1
        working_on(*self._step, uids)
        self._corpus.write_json({"uids": list(uids), "limit_s": limit_s, "call": self._calls}, *self._path)

    def read(self) -> Note:
        """What is noted now; an empty note if there is none."""
        try:
            noted = self._corpus.read_json(*self._path)
        except FileNotFoundError:
            return Note()
        return Note(tuple(noted["uids"]), noted["limit_s"], noted["call"])

    def clear(self) -> None:
        """Remove the note, if there is one."""
        if self._corpus.exists(*self._path):
            self._corpus.remove(*self._path)

    def __enter__(self) -> "AtWork":
        return self

    def __exit__(self, *_: object) -> None:
        working_on()
        self.clear()
