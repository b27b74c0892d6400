"""A corpus of more than 100,000 shards: their files' names have another length, and no object is lost for it."""

import pytest

from fakes.corpus import fake_config, uids_of
from pipeline import Corpus
from pipeline.command.status import corpus_status
from pipeline.executors import local
from pipeline.stages.registry import SHARD_STAGES
from pipeline.state.planning import ensure_planned
from pipeline.state.verify import verify
from pipeline.work.agenda import make_agenda
from pipeline.work.job import Job

OBJECTS = 100_003
CHOSEN = [10_000, 99_999, 100_000, 100_002]  # the first five digits of two of them are the first one's number


@pytest.fixture
def planned(fakes, tmp_path):
    config = fake_config(",".join(f"{number:06d}" for number in range(OBJECTS)), assets={"shard_size": 1})
    corpus = Corpus(tmp_path / "corpus")
    assert ensure_planned(corpus, config).shards == OBJECTS
    return corpus, config


def test_shards_of_six_digits_are_run_read_and_verified(planned):
    corpus, config = planned
    job = Job(corpus, config)
    agenda = make_agenda(job, list(SHARD_STAGES), CHOSEN)
    assert list(agenda.chains) == CHOSEN
    local.run(job, agenda.chains, 1, lambda report: None)

    for entry in SHARD_STAGES.values():
        assert corpus.shards(entry.writes) == CHOSEN
        assert uids_of(corpus, entry.writes) == [f"{shard:06d}" for shard in CHOSEN]
    assert make_agenda(job, list(SHARD_STAGES), CHOSEN).chains == {}
    verdict = verify(corpus, config, CHOSEN)
    assert (verdict.problems, verdict.tables, verdict.rows) == ([], 12, 12)
    render = corpus_status(corpus, config, range(OBJECTS), workers=1)["stages"]["render"]
    assert (render["done"], render["pending"]) == (4, OBJECTS - 4)
