"""Small files are read in order, a few ahead of time, by threads that end; a footer by one or two requests."""

import threading
import time
from itertools import islice

import pyarrow.parquet as pq
import pytest

from pipeline import Corpus
from pipeline.store import bucket
from pipeline.store.read_ahead import read_ahead
from pipeline.store.schema import ERRORS


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_not_too_many_wait(threads):
    asked = []

    def read(number: int) -> int:
        asked.append(number)
        time.sleep(0.002 * (number % 3))
        return number * number

    results = read_ahead(read, range(50), threads)
    assert list(islice(results, 20)) == [number * number for number in range(20)]
    assert len(asked) <= 20 + 2 * threads
    assert list(results) == [number * number for number in range(20, 50)]


def test_an_error_comes_in_its_turn_and_no_thread_stays():
    def read(number: int) -> int:
        if number == 3:
            raise OSError("broken")
        return number

    before = threading.active_count()
    results = read_ahead(read, range(100), 4)
    assert list(islice(results, 3)) == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(results)
    assert threading.active_count() == before


@pytest.mark.parametrize("first_read", [100, 64_000])
def test_a_footer_is_read_whole_whatever_its_length(first_read, monkeypatch):
    monkeypatch.setattr(bucket, "FOOTER_BYTES", first_read)
    corpus = Corpus("memory://footer")
    row = {"uid": "a", "stage": "fit", "error_class": "Timeout", "message": "", "log_tail": "", "attempt": 1}
    corpus.write_errors("fit", 0, [row | {"retryable": True}])
    path = corpus.errors_path("fit", 0)
    with corpus.filesystem.open(path, "rb") as file:
        expected = pq.read_metadata(file)
    footer = bucket.read_footer(corpus.filesystem, path)
    assert (footer.num_rows, footer.schema.to_arrow_schema()) == (1, ERRORS)
    assert footer.serialized_size == expected.serialized_size
    assert [found["uid"] for found in corpus.read_errors("fit", 0)] == ["a"]
    with pytest.raises(FileNotFoundError):
        bucket.read_footer(corpus.filesystem, corpus.errors_path("fit", 1))
