"""--verify finds each kind of damage."""

import random
from pathlib import Path

import numpy as np
import pytest

from fakes.corpus import fake_config, run_all
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.state.verify import repair, verify
from pipeline.store.packed import PackedFile, PackedManifest
from pipeline.store.schema import TABLES

CONFIG = fake_config("ant,bee,cat,dog")


@pytest.fixture
def corpus(new_corpus) -> Corpus:
    corpus = new_corpus(CONFIG)
    run_all(corpus, CONFIG)
    return corpus


def problems(corpus: Corpus) -> dict[str, str]:
    return {problem.where: problem.what for problem in verify(corpus, CONFIG, [0, 1]).problems}


def rewrite(corpus: Corpus, change, table: str = "views") -> None:
    """Write a table of shard 0 again, with its record, after `change` of the rows."""
    rows, record = corpus.read_rows(table, 0), corpus.shard_record(table, 0)
    with corpus.table_writer(corpus.shard_path(table, 0), TABLES[table]) as writer:
        writer.write(change(rows))
        writer.set_record(record)


def test_a_sound_corpus(corpus):
    verdict = verify(corpus, CONFIG, [0, 1])
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
    assert (
        problems(corpus)["views/00000.parquet, bee"]
        == "view 1 is (4, 4) pixels, the row says (5, 4); render the object again"
    )


def test_missing_asset_files_and_tables(corpus):
    Path(corpus.path(corpus.read_rows("assets", 1)[0]["file"])).unlink()
    Path(corpus.shard_path("views", 0)).unlink()
    found = problems(corpus)
    assert "cannot be read" in found["assets/00001.parquet, dog"]
    assert found["gaussians/00000.parquet"] == "a table that it was made from is missing or damaged"


@pytest.mark.parametrize("path", ["../victim.txt", "corpus.json", "assets/files/../../../victim.txt"])
def test_repair_removes_no_file_that_a_row_merely_names(corpus, path):
    victim = Path(corpus.root).parent / "victim.txt"
    victim.write_text("mine")
    rewrite(corpus, lambda rows: [row | {"file": path} for row in rows], "assets")
    verdict = verify(corpus, CONFIG, [0])
    assert any("is not one of assets/files/" in problem.what for problem in verdict.problems)
    repair(corpus, verdict.problems)
    assert victim.read_text() == "mine" and corpus.exists("corpus.json")


def test_rows_that_are_not_those_that_were_written(corpus):
    rewrite(corpus, lambda rows: [row | {"coverage": row["coverage"] / 2} for row in rows[:1]] + rows[1:])
    assert problems(corpus) == {"views/00000.parquet, ant": "differs from the row that was written"}


@pytest.mark.parametrize("table", ["assets", "views", "gaussians"])
def test_no_flipped_bit_that_changes_a_row_goes_unseen(corpus, table):
    file = Path(corpus.shard_path(table, 0))
    sound, rows, chance = file.read_bytes(), corpus.read_rows(table, 0), random.Random(0)
    places = range(4, len(sound), len(sound) // 100)
    unseen = 0
    for place in places:
        flipped = bytearray(sound)
        flipped[place] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        if not verify(corpus, CONFIG, [0]).problems:
            unseen += 1  # such as a statistic, of which these small files are full
            np.testing.assert_equal(corpus.read_rows(table, 0), rows)
    assert unseen < len(places) / 2


def test_what_is_repaired_is_made_again_as_it_was(corpus):
    before = {table: corpus.shard_record(table, 0).outputs for table in ("assets", "views", "gaussians")}
    Path(corpus.shard_path("views", 0)).write_bytes(b"PAR1 no more")
    asset = corpus.read_rows("assets", 1)[0]["file"]
    Path(corpus.path(asset)).write_bytes(b"something else")
    with pytest.raises(ConfigError, match="views/00000.parquet cannot be read.*--repair"):
        run_all(corpus, CONFIG)
    removed = repair(corpus, verify(corpus, CONFIG, [0, 1]).problems)
    assert removed == sorted(["views/00000.parquet", "assets/00001.parquet", asset])
    run_all(corpus, CONFIG)
    assert verify(corpus, CONFIG, [0, 1]).problems == []
    assert before == {table: corpus.shard_record(table, 0).outputs for table in before}


def test_triplets_are_checked_against_their_manifest(corpus):
    file = PackedFile(path="train/a.parquet", rows=1, bytes=1, sha256="")
    manifest = PackedManifest(code="", config={}, objects=1, triplets=1, left_out={}, files=(file,))
    corpus.write_record(manifest, "triplets/manifest.json")
    assert "train/a.parquet" in problems(corpus)["triplets"]
