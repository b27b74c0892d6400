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


@pytest.mark.parametrize(("threads", "ahead", "most"), [(0, None, 0), (1, None, 2), (3, None, 6), (2, 3, 3), (3, 1, 1)])
def test_results_come_in_order_and_not_too_many_wait(threads, ahead, most):
    asked = []

    def read(number: int) -> int:
        asked.append(number)
        time.sleep(0.002 * (number % 3))
        return number * number

    results = read_ahead(read, range(50), threads, ahead)
    assert list(islice(results, 20)) == [number * number for number in range(20)]
    assert 20 <= len(asked) <= 20 + max(0, most - 1)
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


@pytest.mark.parametrize("ends", ["early", "broken", "complete"])
def test_reads_under_way_are_stopped_where_the_iterator_ends_early(ends):
    stopped = threading.Event()

    def read(number: int) -> int:
        if number == 1 and ends == "broken":
            raise OSError("broken")
        if number > 1 and ends != "complete":
            assert stopped.wait(60)
        return number

    results = read_ahead(read, range(9), 3, stop=stopped.set)
    assert next(results) == 0
    if ends == "early":
        results.close()
    elif ends == "broken":
        with pytest.raises(OSError, match="broken"):
            next(results)
    else:
        assert list(results) == list(range(1, 9))
    assert stopped.is_set() == (ends != "complete")


def test_who_reads():
    names = {threads: set(read_ahead(lambda _: threading.get_ident(), range(4), threads)) for threads in (0, 1)}
    assert names[0] == {threading.get_ident()}
    assert len(names[1]) == 1 and names[0].isdisjoint(names[1])


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
