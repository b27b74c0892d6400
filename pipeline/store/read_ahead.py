"""Reading, or making, many things in order, some of them ahead of time: by threads that end with the iterator."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    ahead: int | None = None,
    stop: Callable[[], None] = lambda: None,
) -> Generator[Result, None, None]:
    """`read(item)` for every item, in order; `items` is iterated in the caller's thread.

    The threads have ended when the iterator ends or is closed: none of them may outlive the interpreter.

    Args:
        threads: that read beside the caller; 0: everything happens in the caller's thread, when it asks.
        ahead: how many results, finished or not, may wait for the caller; by default two for each thread.
        stop: ends the reads that are under way, where they may take long; called if the iterator ends before its items.

    Raises:
        Exception: whatever `read` raises, in the turn of its item.
    """
    if threads == 0:
        yield from map(read, items)
        return
    most = 2 * threads if ahead is None else ahead
    under_way: deque[Future[Result]] = deque()
    is_complete = False
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                under_way.append(pool.submit(read, item))
                if len(under_way) == most:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
            is_complete = True
        finally:
            for future in under_way:
                future.cancel()
            if not is_complete:
                stop()
