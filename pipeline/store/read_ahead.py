"""Reading many small files in order, some of them ahead of time: a bucket answers late, but many at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(read: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`read(item)` for every item, in order; results wait for the caller, at most two for each thread.

    The threads have ended when the iterator ends or is closed: none of them may outlive the interpreter.

    Args:
        threads: 1: everything happens in the caller's thread, when it asks.

    Raises:
        Exception: whatever `read` raises, in the turn of its item.
    """
    if threads == 1:
        yield from map(read, items)
        return
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                under_way.append(pool.submit(read, item))
                if len(under_way) == 2 * threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
