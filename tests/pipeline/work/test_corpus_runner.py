"""A stage over the whole corpus is done while what it left is there."""

import pytest

from fakes.synthetic_corpus import write_corpus
from pipeline import Corpus
from pipeline.stages.config import Config
from pipeline.stages.registry import CORPUS_STAGES
from pipeline.stages.stage import one_by_one
from pipeline.state.records import done_path
from pipeline.state.verify import verify
from pipeline.store.packed import read_packed_manifest
from pipeline.work.corpus_runner import is_due, run_corpus_stage

PACK, CONFIG = CORPUS_STAGES["pack"], Config()


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = write_corpus(tmp_path / "corpus")
    run_corpus_stage(PACK, CONFIG, corpus, "test", one_by_one)
    assert not is_due(PACK, CONFIG, corpus) and quick_problems(corpus) == {}
    return corpus


def quick_problems(corpus: Corpus) -> dict[str, str]:
    return {problem.where: problem.what for problem in verify(corpus, CONFIG, [], quick=True).problems}


def packed_file(corpus: Corpus) -> str:
    return f"triplets/{read_packed_manifest(corpus, 'triplets').files[0].path}"


@pytest.mark.parametrize("gone", [packed_file, lambda _: "triplets/manifest.json", lambda _: "triplets/README.md"])
def test_a_packed_file_that_is_gone_is_seen_and_made_again(corpus, gone):
    path = gone(corpus)
    corpus.remove(path)
    assert quick_problems(corpus) == {path: "is missing: run --stage pack again"}
    assert is_due(PACK, CONFIG, corpus)
    run_corpus_stage(PACK, CONFIG, corpus, "test", one_by_one)
    assert corpus.exists(path) and quick_problems(corpus) == {}


def test_a_whole_folder_that_is_gone_is_seen(corpus):
    corpus.remove_folder("triplets")
    assert len(quick_problems(corpus)) >= 5 and is_due(PACK, CONFIG, corpus)


def test_a_table_that_has_lost_a_shard_is_seen(corpus):
    corpus.remove("embeddings/00001.parquet")
    assert quick_problems(corpus) == {"embeddings": "has 2 shards; --stage pack has read 3"}
    assert is_due(PACK, CONFIG, corpus)


def test_a_note_of_an_older_version_is_read(corpus):
    note = corpus.read_json(*done_path("pack"))
    corpus.write_json({key: value for key, value in note.items() if key not in ("files", "shards")}, *done_path("pack"))
    assert not is_due(PACK, CONFIG, corpus) and quick_problems(corpus) == {}
