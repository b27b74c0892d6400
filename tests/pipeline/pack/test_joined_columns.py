"""Columns of joined tables, from a table on a disk to a packed row and its readers."""

import duckdb
import pytest

from fakes.synthetic_corpus import object_row, write_rows
from pipeline import Corpus
from pipeline.assets.config import AssetsConfig
from pipeline.assets.stage import AssetsStage
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage
from pipeline.stages.config import Config
from pipeline.stages.stage import StageContext
from pipeline.state.planning import ensure_planned


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    """Two objects of a folder, of which a table of TRELLIS-500K's form knows one; packed."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("chair", "table"):
        (source / f"{name}.obj").write_text(f"# {name}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    table = tmp_path / "known.csv"
    table.write_text('sha256,file_identifier,aesthetic_score,captions\n,chair.obj,6.5,"[""a chair""]"\n')
    config = Config(
        assets=AssetsConfig(path=str(source), annotations=f"trellis500k:{table}", val_fraction=0, heldout_fraction=0)
    )
    corpus = Corpus(tmp_path / "corpus")
    ensure_planned(corpus, config)
    (tmp_path / "scratch").mkdir()
    stage = AssetsStage(config.assets, StageContext(corpus, tmp_path / "scratch"))
    stage.setup()
    rows = [
        object_row(number, 9, views=6, size=16, num_gaussians=20) | row
        for number, row in enumerate(stage.process(corpus.read_index()))
    ]
    write_rows(corpus, rows, shard_size=2)
    PackStage(PackConfig()).run(corpus)
    return corpus


def test_packed_rows_hold_what_tables_know(corpus):
    files = corpus.path("triplets", "train", "*.parquet")
    found = duckdb.sql(
        f"SELECT name, annotations->>'aesthetic_score', annotations->'captions'->>0 FROM '{files}' "
        "WHERE (annotations->>'aesthetic_score')::double > 6"
    ).fetchall()
    assert found == [("chair", "6.5", "a chair")]
    annotations = {found.name: found.annotations for found in corpus.triplets("train")}
    assert annotations == {"chair": {"aesthetic_score": 6.5, "captions": ["a chair"]}, "table": {}}
    [uid] = [found.uid for found in corpus.triplets("train") if found.name == "chair"]
    assert corpus.object(uid).annotations == annotations["chair"]


def test_the_card_names_the_tables(corpus):
    card = corpus.read_bytes("triplets", "README.md").decode()
    assert "| trellis500k | aesthetic&#95;score, captions | MIT | Xiang et al., " in card
    assert "| 1 of 2 |" in card


def test_objects_of_before_know_nothing(corpus):
    found = next(iter(corpus.triplets("train")))
    for row in ({"uid": "a"}, {"uid": "a", "annotations": None}, {"uid": "a", "annotations": ""}):
        assert type(found)(row).annotations == {}
