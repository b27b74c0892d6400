import pytest

from pipeline.base.errors import ConfigError
from pipeline.reading.run_metrics import read_metrics, write_metrics
from pipeline.store.corpus_store import CorpusStore

ROWS = [{"step": 1, "loss": 2.5}, {"step": 2, "loss_val": float("inf")}]


def test_what_was_written_is_read(tmp_path):
    corpus = CorpusStore(tmp_path)
    assert read_metrics(corpus, "default") == []
    write_metrics(corpus, "default", ROWS)
    assert read_metrics(corpus, "default") == ROWS


@pytest.mark.parametrize("cut", ["{", '{"step": 3, "lo', '{"step": 3, "loss": 1.0'])
def test_a_last_line_that_was_cut_is_left_out_and_told_of(tmp_path, caplog, cut):
    corpus = CorpusStore(tmp_path)
    write_metrics(corpus, "default", ROWS)
    file = tmp_path / "runs" / "default" / "metrics.jsonl"
    file.write_text(file.read_text() + cut)
    assert read_metrics(corpus, "default") == ROWS
    assert "metrics.jsonl: its last line is truncated" in caplog.text


def test_another_damaged_line_is_refused(tmp_path):
    corpus = CorpusStore(tmp_path)
    corpus.write_text('{"step": 1\n{"step": 2}\n', "runs", "default", "metrics.jsonl")
    with pytest.raises(ConfigError, match="metrics.jsonl: line 1 is not JSON"):
        read_metrics(corpus, "default")
