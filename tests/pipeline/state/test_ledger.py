"""What the ledger reads of a corpus, and how often: a corpus may have 160,000 shards."""

from collections import Counter
from pathlib import Path

import pytest

from fakes.corpus import fake_config, run_all
from pipeline.base.errors import ConfigError
from pipeline.command.status import count_stages
from pipeline.stages.registry import SHARD_STAGES
from pipeline.state.ledger import Ledger
from pipeline.work.agenda import make_agenda
from pipeline.work.job import Job

CONFIG = fake_config(",".join(f"object-{number:02d}" for number in range(30)), assets={"shard_size": 3})


@pytest.fixture
def half_done(new_corpus):
    """A corpus of ten shards, of which four have assets and two of these have views."""
    corpus = new_corpus(CONFIG)
    run_all(corpus, CONFIG, ("assets", "render"))
    for table, first in (("assets", 4), ("views", 2)):
        for shard in range(first, 10):
            Path(corpus.shard_path(table, shard)).unlink()
    return corpus


@pytest.fixture
def reads(monkeypatch, half_done) -> Counter[str]:
    """How often records are read, and the index is opened."""
    counts: Counter[str] = Counter()
    record, parquet = type(half_done).shard_record, type(half_done).parquet

    def shard_record(self, table, shard):
        counts[table] += 1
        return record(self, table, shard)

    def opened(self, path, footer=None):
        counts["index"] += path.endswith("index.parquet")
        return parquet(self, path, footer)

    monkeypatch.setattr(type(half_done), "shard_record", shard_record)
    monkeypatch.setattr(type(half_done), "parquet", opened)
    return counts


def test_no_record_is_looked_for_in_vain_and_the_index_is_read_once(half_done, reads):
    counts = count_stages(Ledger(half_done, CONFIG, SHARD_STAGES), range(10))
    assert {name: (stage.done, stage.pending) for name, stage in counts.items()} == {
        "assets": (12, 18),
        "render": (6, 24),
        "fit": (0, 30),
    }
    assert (reads["assets"], reads["views"], reads["gaussians"]) == (4, 2, 0)
    assert reads["index"] <= 2  # its footer, and its one row group


def test_the_agenda_of_a_part_is_what_is_due_there(half_done, reads):
    agenda = make_agenda(Job(half_done, CONFIG), ["assets", "render"], range(1, 5))
    assert agenda.chains == {2: ["render"], 3: ["render"], 4: ["assets", "render"]}
    assert (reads["assets"], reads["views"]) == (3, 1)


def test_a_shard_that_the_index_lacks_is_told(half_done):
    with pytest.raises(ConfigError, match=r"index.parquet cannot be read \(it has no shard 10\)"):
        Ledger(half_done, CONFIG, SHARD_STAGES).objects(10)
