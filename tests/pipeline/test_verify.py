"""--verify finds each kind of damage."""

from pathlib import Path

import pytest

from pipeline.corpus import Corpus
from pipeline.schema import VIEWS
from pipeline.verify import verify
from tests.pipeline.fake_corpus import fake_config, run_all


@pytest.fixture
def corpus(new_corpus) -> Corpus:
    config = fake_config("ant,bee,cat,dog")
    corpus = new_corpus(config)
    run_all(corpus, config)
    return corpus


def problems(corpus: Corpus) -> dict[str, str]:
    return {problem.where: problem.what for problem in verify(corpus, fake_config(), [0, 1]).problems}


def rewrite(corpus: Corpus, change) -> None:
    """Write views of shard 0 again, with its record, after `change` of the rows."""
    rows, record = corpus.read_rows("views", 0), corpus.shard_record("views", 0)
    with corpus.table_writer(corpus.shard_path("views", 0), VIEWS) as writer:
        writer.write(change(rows))
        writer.set_record(record)


def test_a_sound_corpus(corpus):
    verdict = verify(corpus, fake_config(), [0, 1])
    assert verdict.problems == []
    assert (verdict.tables, verdict.rows, verdict.images, verdict.files) == (6, 12, 8, 4)


def test_lost_objects(corpus):
    rewrite(corpus, lambda rows: rows[1:])
    assert problems(corpus) == {"views/00000.parquet, ant": "is lost: neither a row nor an error"}


def test_objects_from_nowhere_and_double_ones(corpus):
    rewrite(corpus, lambda rows: [*rows, rows[0] | {"uid": "eel"}])
    assert problems(corpus) == {"views/00000.parquet, eel": "came from nowhere"}
    rewrite(corpus, lambda rows: [*rows[:3], rows[0]])
    assert "two rows for object ant" in problems(corpus)["views/00000.parquet"]


def test_images_that_do_not_decode(corpus):
    def truncate(rows):
        image = rows[0]["images"][1]
        image["bytes"] = image["bytes"][:20]
        return rows

    rewrite(corpus, truncate)
    assert "view 1 does not decode" in problems(corpus)["views/00000.parquet, ant"]


def test_images_of_another_size(corpus):
    rewrite(corpus, lambda rows: [row | {"width": 5} for row in rows])
    assert problems(corpus)["views/00000.parquet, bee"] == "view 1 is (4, 4) pixels, the row says (5, 4)"


def test_missing_asset_files_and_tables(corpus):
    Path(corpus.path(corpus.read_rows("assets", 1)[0]["file"])).unlink()
    Path(corpus.shard_path("views", 0)).unlink()
    found = problems(corpus)
    assert "cannot be read" in found["assets/00001.parquet, dog"]
    assert found["gaussians/00000.parquet"] == "a table that it was made from is gone"


def test_triplets_are_checked_against_their_manifest(corpus):
    corpus.write_json(
        {"files": [{"path": "train/a.parquet", "rows": 1, "bytes": 1, "sha256": ""}]}, "triplets/manifest.json"
    )
    assert "train/a.parquet" in problems(corpus)["triplets"]
