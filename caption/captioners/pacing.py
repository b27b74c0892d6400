"""An even stream of requests, for servers with a limit per minute."""

import threading
import time


class Pace:
    """Lets `per_minute` calls begin in a minute, evenly spread, however many threads wait."""

    def __init__(self, per_minute: float):
        self._interval_s = 60 / per_minute
        self._lock = threading.Lock()
        self._next = 0.0  # when the next call may begin, by the monotonic clock

    def wait(self, *_: object) -> None:
        """Sleep until it is the caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval_s
        time.sleep(turn - now)
