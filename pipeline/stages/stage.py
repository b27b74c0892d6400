"""What a stage is. The runner does the rest: reading, joining, catching errors, halving batches, writing, counting."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pipeline.base.errors import PipelineError
from pipeline.base.plain_text import plain_text
from pipeline.base.settings import Section
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.rows import Row

__all__ = ["CorpusStage", "Failure", "Resources", "Row", "Spread", "Stage", "StageContext", "one_by_one"]

ConfigT = TypeVar("ConfigT", bound=Section)


@dataclass(frozen=True)
class Resources:
    """What one worker of a stage occupies."""

    cpus: float = 1
    gpus: float = 0
    memory_gb: float = 2


@dataclass(frozen=True)
class Failure:
    """One object that a stage failed on; becomes one row of the errors table."""

    uid: str
    error_class: str
    message: str
    log_tail: str = ""
    retryable: bool = False

    def __post_init__(self) -> None:
        """Messages quote names and addresses of strangers."""
        object.__setattr__(self, "message", plain_text(self.message))
        object.__setattr__(self, "log_tail", plain_text(self.log_tail))

    @classmethod
    def from_exception(cls, uid: str, error: BaseException, log_tail: str = "") -> "Failure":
        """The failure that `error` means for `uid`; `error.log_tail` is used where the error carries one."""
        retryable = isinstance(error, PipelineError) and error.retryable
        return cls(
            uid, type(error).__name__, str(error) or repr(error), getattr(error, "log_tail", log_tail), retryable
        )


@dataclass(frozen=True)
class StageContext:
    """What the runner provides to a stage's worker."""

    corpus: CorpusStore
    scratch: Path  # a local folder that this worker may fill; removed when it ends
    threads: int = 1  # CPU threads that the worker may keep busy


class Stage(ABC, Generic[ConfigT]):
    """A step that works shard by shard, one object (or a small batch) at a time; generic in its section of the config.

    Class attributes:
        name: as in `--stage`, and the name of its section in the config.
        reads: the columns that it needs, by table.
        writes: the one table that it makes.
    """

    name: ClassVar[str]
    reads: ClassVar[Mapping[str, tuple[str, ...]]]
    writes: ClassVar[str]
    batch_size: int = 1

    def __init__(self, config: ConfigT, context: StageContext):
        self.config = config
        self.context = context

    @classmethod
    def resources(cls, config: ConfigT) -> Resources:
        """What one worker needs under this config."""
        return Resources()

    @classmethod
    def timeout_s(cls, config: ConfigT) -> float:
        """How long one object may take; then its worker is killed, and the others continue without it."""
        return 3600.0

    @classmethod
    def setup_timeout_s(cls, config: ConfigT) -> float:
        """How long `setup` may take; then its worker is killed, and another one tries once more."""
        return 3600.0

    def setup(self) -> None:
        """Called once per worker, before the first batch, to load a model or start a process."""

    @abstractmethod
    def process(self, batch: list[Row]) -> list[Row | Failure]:
        """One row of the written table, or one `Failure`, for every row of the batch.

        A row of the batch is the join by uid of the tables in `reads`. An exception fails the whole batch; the runner
        then halves the batch until the bad object is alone, so a stage need not catch anything itself.
        """

    def close(self) -> None:
        """Called once when the worker is done."""


class Spread(Protocol):
    """Many calls of one function, by the processes of an executor."""

    def __call__(
        self, function: Callable[[Any], Any], items: Sequence[Any], *, at_once: int, memory_gb: float
    ) -> list[Any]:
        """`function(item)` of every item, in their order.

        Function, items and results are pickled, and a call may be made again if its process died.

        Args:
            at_once: the maximum on one machine, where no cluster accounts for its memory.
            memory_gb: what a call takes.
        """


def one_by_one(function: Callable[[Any], Any], items: Sequence[Any], *, at_once: int, memory_gb: float) -> list[Any]:
    """A `Spread` in this process."""
    return [function(item) for item in items]


class CorpusStage(ABC, Generic[ConfigT]):
    """A step over the whole corpus (pack, train, evaluate, report). It parallelises inside, or by `spread`."""

    name: ClassVar[str]
    after: ClassVar[tuple[str, ...]]  # stages whose results it uses: a change there makes this one due again

    def __init__(self, config: ConfigT, spread: Spread = one_by_one):
        self.config = config
        self.spread = spread

    @abstractmethod
    def run(self, corpus: CorpusStore) -> Mapping[str, Any]:
        """Do the work; return small JSON-able figures, which the runner keeps in `done/STAGE.json`.

        Raises:
            ConfigError: the corpus cannot feed this stage (empty split, mixed encoders, …).
        """

    def files(self, corpus: CorpusStore) -> list[str]:
        """Paths inside the corpus of what `run` has left for others: if one of them is gone, the stage is due again."""
        return []
