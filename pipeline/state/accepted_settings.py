"""Which settings a corpus keeps as the defaults of later commands: those that a stage has accepted."""

from pipeline.stages.config import Config
from pipeline.state.planning import keep_config
from pipeline.store.corpus_store import CorpusStore


class AcceptedSettings:
    """The settings of one run, of which some may be refused: by a model that is not there, say.

    Refused ones must not fail the next command, which does not name them. So a stage's section is kept with the stage's
    first result, when its set-up has succeeded. (A corpus keeps all settings that it was planned with.)
    """

    def __init__(self, corpus: CorpusStore, config: Config):
        self._corpus, self._config = corpus, config
        self._accepted: set[str] = set()

    def accept(self, stage: str) -> None:
        """A stage has given a result under these settings."""
        if stage not in self._accepted:
            self._accepted.add(stage)
            keep_config(self._corpus, self._config, [stage])
