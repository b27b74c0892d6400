"""From files in a folder to triplets, a trained encoder and a report, by the command that users type."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import Corpus
from pipeline.reading.triplets import Triplets
from pipeline.store.rows import rows_from_table
from pipeline.store.schema import TIMING_COLUMNS
from tests.end_to_end.command import run_pipeline

pytestmark = pytest.mark.slow

GOOD, BAD = 5, 3
SHARD_TABLES = ("assets", "views", "gaussians", "captions", "embeddings")


def all_rows(corpus: Corpus, table: str) -> list[dict]:
    return [row for shard in corpus.shards(table) for row in corpus.read_rows(table, shard)]


def test_bad_files_become_error_rows_and_nothing_else_is_lost(ray_corpus):
    corpus = Corpus(ray_corpus)
    errors = [row for shard in corpus.shards("assets") for row in corpus.read_errors("assets", shard)]
    assert len(errors) == BAD
    assert {error["error_class"] for error in errors} == {"AssetError"}
    for name in ("truncated", "empty", "letter"):
        assert any(name in error["uid"] for error in errors)
    for table in SHARD_TABLES:
        assert len(all_rows(corpus, table)) == GOOD


def test_summary_counts_what_is_there(ray_corpus):
    summary = json.loads((ray_corpus / "summary.json").read_text())
    triplets = list((ray_corpus / "triplets").rglob("*.parquet"))
    assert summary["objects"] == GOOD + BAD
    assert summary["errors"] == BAD
    assert summary["triplets"] == GOOD == sum(pq.read_metadata(path).num_rows for path in triplets)
    assert summary["stages"]["render"]["done"] == GOOD
    assert summary["psnr_median"] == pytest.approx(
        np.median([row["psnr"] for row in all_rows(Corpus(ray_corpus), "gaussians")])
    )


def test_model_and_report_are_there(ray_corpus):
    assert list((ray_corpus / "runs").rglob("*.safetensors"))
    report = (ray_corpus / "report" / "index.html").read_text()
    assert "letter" in report  # the failure and its object are named
    assert "red drum" in (ray_corpus / "report" / "data" / "objects.js").read_text()


def test_a_second_run_does_nothing_and_says_so(ray_corpus, config_file):
    before = {path: path.stat().st_mtime_ns for path in ray_corpus.rglob("*.parquet")}
    printed = run_pipeline("--stage", "all", "--config", str(config_file), "--corpus", str(ray_corpus))
    assert "nothing to do" in printed.lower()
    assert before == {path: path.stat().st_mtime_ns for path in ray_corpus.rglob("*.parquet")}


def test_stages_alone_and_local_executor_give_the_same_corpus(ray_corpus, local_corpus):
    for table in SHARD_TABLES:
        by_ray, by_hand = all_rows(Corpus(ray_corpus), table), all_rows(Corpus(local_corpus), table)
        assert_same_rows(by_ray, by_hand)
    for split in ("train", "val", "heldout"):
        ours, others = (Triplets(Corpus(corpus), split).files for corpus in (ray_corpus, local_corpus))
        for path, other in zip(ours, others, strict=True):
            assert_same_rows(rows_from_table(pq.read_table(path)), rows_from_table(pq.read_table(other)))


def assert_same_rows(rows: list[dict], others: list[dict]) -> None:
    assert [row["uid"] for row in rows] == [row["uid"] for row in others]
    for row, other in zip(rows, others, strict=True):
        for column in row.keys() - TIMING_COLUMNS:
            np.testing.assert_equal(row[column], other[column], err_msg=f"{row['uid']}: {column}")


def test_verify_finds_nothing_wrong_and_then_what_was_broken(local_corpus, tmp_path):
    assert "ok" in run_pipeline("--corpus", str(local_corpus), "--verify").lower()
