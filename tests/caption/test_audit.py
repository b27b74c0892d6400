import subprocess
import sys

import numpy as np
import pytest

from caption.audit import audit
from caption.retrieval import caption_recall, caption_view_recall, object_vectors
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.store.rows import rows_from_table, table_from_rows
from pipeline.store.schema import CAPTIONS, EMBEDDINGS, VIEWS
from tests.caption.objects import joined_row


def unit(array: np.ndarray) -> np.ndarray:
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def test_recall_counts_ranks_and_chance():
    texts = np.eye(4)
    images = np.eye(4)[[0, 1, 3, 2]]  # the last two are swapped
    figures = caption_recall(texts, images, list("abcd"), ks=(1, 2))
    assert figures["recall_1"] == 0.5 and figures["chance_1"] == pytest.approx(0.25)
    assert figures["recall_2"] == 1.0 and figures["chance_2"] == pytest.approx(0.5)


def test_objects_with_one_caption_are_not_told_apart():
    figures = caption_recall(np.eye(4)[[0, 0, 2, 3]], np.eye(4), ["a chair", "a chair", "b", "c"], ks=(1,))
    assert figures["recall_1"] == 1.0 and figures["chance_1"] == pytest.approx((0.5 + 0.5 + 0.25 + 0.25) / 4)


def test_more_places_than_objects_is_certain():
    assert caption_recall(np.eye(2), np.eye(2), ["a", "b"], ks=(5,)) == {"recall_5": 1.0, "chance_5": 1.0}


def test_a_caption_finds_its_object_by_any_of_its_views():
    axes = np.eye(6)
    views = [axes[[0, 5]], axes[[2, 1]], axes[[3, 4]]]  # the second caption is nearer to a view of the third object
    texts = unit(np.array([axes[0], axes[1] + 2 * axes[3], axes[4]]))
    figures = caption_view_recall(texts, views, list("abc"), ks=(1, 2))
    assert figures["recall_1"] == pytest.approx(2 / 3) and figures["chance_1"] == pytest.approx(2 / 6)
    assert figures["recall_2"] == 1.0 and figures["chance_2"] == pytest.approx(1 - (4 / 6) * (3 / 5))


def small_corpus(folder) -> Corpus:
    """Two shards of three objects; object "s1-2" has a caption that is far from its views."""
    corpus = Corpus(folder)
    generator = np.random.default_rng(0)
    for shard in range(2):
        uids = [f"s{shard}-{i}" for i in range(3)]
        captions, embeddings, views = [], [], []
        for uid in uids:
            images = unit(generator.normal(size=16) + 0.1 * generator.normal(size=(5, 16))).astype(np.float32)
            text = object_vectors([images])[0] * (-1 if uid == "s1-2" else 1)
            captions.append(
                {"uid": uid, "caption": f"<b>{uid}</b>.", "caption_source": "metadata", "view_captions": []}
                | {"caption_views": [], "prompt_id": "", "scores": []}
            )
            embeddings.append(
                {"uid": uid, "encoder": "e:1@2", "dim": 16, "image_embeddings": images}
                | {"text_embedding": text, "view_weights": images @ text}
            )
            blank = dict.fromkeys(VIEWS.names)
            views.append(blank | {"uid": uid, "images": joined_row(uid)["images"]})
        for table, schema, rows in [
            ("captions", CAPTIONS, captions),
            ("embeddings", EMBEDDINGS, embeddings),
            ("views", VIEWS, views),
        ]:
            with corpus.table_writer(corpus.shard_path(table, shard), schema) as writer:
                writer.write(rows_from_table(table_from_rows(rows, schema)))
    failure = {"uid": "s0-9", "stage": "caption", "error_class": "BadRender", "message": "empty", "log_tail": ""}
    corpus.write_errors("caption", 0, [failure | {"attempt": 1, "retryable": False}])
    return corpus


def test_the_worst_come_first(tmp_path):
    result = audit(small_corpus(tmp_path))
    assert [item.uid for item in result.objects][0] == "s1-2" and result.objects[0].score < 0
    assert result.figures["objects"] == 6 and result.figures["encoder"] == "e:1@2"
    assert result.figures["recall_1"] == pytest.approx(5 / 6)


def test_the_command_prints_figures_and_the_worst(tmp_path):
    small_corpus(tmp_path)
    command = [sys.executable, "-m", "caption.audit", str(tmp_path), "--worst", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "objects: 6" and "encoder: e:1@2" in lines
    assert "recall_1: 0.8333" in lines
    assert "s1-2" in lines[-2] and "s" in lines[-1] and len(lines) == 9 + 2


def test_an_empty_corpus_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match="run --stage embed first"):
        audit(Corpus(tmp_path))
    done = subprocess.run([sys.executable, "-m", "caption.audit", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
