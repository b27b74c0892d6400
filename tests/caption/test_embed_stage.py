import numpy as np
import pytest

from caption.config import EmbedConfig
from caption.embed_stage import EmbedStage
from caption.encoders import load_encoder_by_id
from pipeline import Corpus
from pipeline.base.errors import AssetError
from pipeline.stages.stage import StageContext
from pipeline.store.rows import rows_from_table, table_from_rows
from pipeline.store.schema import EMBEDDINGS, TABLES
from tests.caption.objects import joined_row


@pytest.fixture(scope="module")
def stage(tiny_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    config = EmbedConfig(model=tiny_clip[0], pretrained=tiny_clip[1], image_batch_size=4)
    stage = EmbedStage(config, StageContext(Corpus(folder), folder, threads=2))
    stage.setup()
    return stage


def test_reads_and_writes_what_the_tables_have():
    assert EmbedStage.writes == "embeddings"
    for table, columns in EmbedStage.reads.items():
        assert set(columns) <= set(TABLES[table].names)


def test_rows_hold_unit_vectors_and_the_cosine_of_text_and_view(stage):
    batch = [joined_row("a", views=5, seed=1), joined_row("b", views=3, seed=2)]
    rows = rows_from_table(table_from_rows(stage.process(batch), EMBEDDINGS))
    for row, given in zip(rows, batch, strict=True):
        images, text = row["image_embeddings"], row["text_embedding"]
        assert row["uid"] == given["uid"] and images.shape == (len(given["images"]), row["dim"]) and row["dim"] == 32
        assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5) and abs(np.linalg.norm(text) - 1) < 1e-5
        assert np.allclose(row["view_weights"], images @ text, atol=1e-6)
    encoder = load_encoder_by_id(rows[0]["encoder"])
    assert np.allclose(encoder.encode_texts(["Caption of a."])[0], rows[0]["text_embedding"], atol=1e-6)


def test_an_object_gets_the_same_row_alone_and_in_a_batch(stage):
    a, b = joined_row("a", seed=1), joined_row("b", seed=2, views=3)
    alone, together = stage.process([b])[0], stage.process([a, b])[1]
    assert np.allclose(alone["image_embeddings"], together["image_embeddings"], atol=1e-5)
    assert np.allclose(alone["text_embedding"], together["text_embedding"], atol=1e-5)


def test_a_broken_view_names_its_object(stage):
    row = joined_row("broken")
    row["images"][2] = {"bytes": b"nothing", "path": None}
    with pytest.raises(AssetError, match="object broken, view 2"):
        stage.process([row])
