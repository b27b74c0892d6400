"""The window of requests of one server, as far as this machine knows it: when a request may be sent, and when not.

All moments are seconds since 1970, so that processes can share them; `now` is given, and nothing here waits.
"""

from pydantic import BaseModel, ConfigDict, Field

from pipeline.assets.fetch.rate_limits import RateLimits

HOUR_S = 3600.0
LONGEST_S = 2 * HOUR_S  # a pause is never noted beyond this, whatever a server says
FARTHEST_S = 31 * 24 * HOUR_S  # nor the end of a window beyond this
MARGIN_S = 1.0  # servers name whole seconds, rounded down as a rule
FIRST_ANSWER_S = 60.0  # for so long the others wait for the answer to the first request after a pause
LOOK_AGAIN_S = 0.25
SHORTEST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 300.0
LASTED_LESS = 0.8
MOST_TOLD = 20
MOST_REFUSALS = 20  # counted; the back-off is at its longest before


class Window(BaseModel):
    """What is known; a new one: nothing. It is kept as JSON, and refused where a field is out of its range."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    limit: int = Field(0, ge=0)  # requests that the server takes in a window; 0: not known
    length_s: float = Field(0.0, ge=0)
    ends: float = Field(0.0, ge=0)  # of the present window
    is_end_named: bool = False  # by the server; else it is a guess
    sent: int = Field(0, ge=0)  # by this machine, in the present window
    left: int | None = Field(None, ge=0)  # that the server still takes, those under way accounted for
    closed_at: float = Field(0.0, ge=0)  # when the last pause began
    closed_until: float = Field(0.0, ge=0)
    why: str = Field("", max_length=200, pattern=r"^[\x20-\x7e]*$")
    is_untried: bool = False  # since the last pause
    tried_at: float = Field(0.0, ge=0)  # when the first request after it was sent
    told: list[int] = Field([], max_length=MOST_TOLD)  # the process groups whose log has a line about the last pause
    refusals: int = Field(0, ge=0, le=MOST_REFUSALS)  # one after the other
    refused_at: float = Field(0.0, ge=0)  # the first of these
    lasted_s: float = Field(0.0, ge=0, le=LONGEST_BACKOFF_S)  # how long such a row of refusals is likely to last

    def reserve(self, now: float, share: float) -> float:
        """Count a request that is about to be sent; 0. Or seconds to wait, and ask again: it must not be sent yet.

        Args:
            share: of the server's limit that this machine uses at most.
        """
        if now < self.closed_until:
            return self.closed_until - now
        if self.is_untried and 0 <= now - self.tried_at < FIRST_ANSWER_S:
            return LOOK_AGAIN_S
        if now >= self.ends:
            self._begin(now + self.length_s)
        if self.limit and self.sent >= max(1, int(self.limit * share)):
            self.close(now, self.ends, f"this machine's share ({share:g} of {self._size()}) is used up")
        elif self.left == 0:
            self._close_used_up(now)
        if now < self.closed_until:
            return self.closed_until - now
        if self.is_untried:
            self.tried_at = now
        self.sent += 1
        if self.left:
            self.left -= 1
        return 0.0

    def learn(self, now: float, said: RateLimits, number: int) -> None:
        """Take over what an answer says; a window that it leaves nothing of is closed.

        Args:
            number: which request of this machine in the present window the answer is to; the server may not have seen
                those after it.
        """
        self._learn_size(said)
        if said.ends_in_s is not None and not self._place_end(now + min(said.ends_in_s, FARTHEST_S) + MARGIN_S):
            return
        if said.left is not None and now <= self.ends:
            left = max(0, said.left - max(0, self.sent - number))
            self.left = left if self.left is None else min(self.left, left)
            if said.left == 0:
                self._close_used_up(now)

    def _learn_size(self, said: RateLimits) -> None:
        self.limit = self.limit if said.limit is None else said.limit
        self.length_s = self.length_s if said.length_s is None else min(said.length_s, FARTHEST_S)

    def _place_end(self, ends: float) -> bool:
        """Whether an answer of which the window ends at `ends` is of the present one; a later one becomes that."""
        tolerance = max(1.5, min(5.0, self.length_s / 4))
        if not self.is_end_named:
            self.ends, self.is_end_named = ends, True
        elif ends > self.ends + tolerance:
            self._begin(ends)
            self.is_end_named, self.sent = True, 1
        return ends >= self.ends - tolerance

    def refuse(self, now: float, said: RateLimits, sent_at: float, backoff_s: float) -> None:
        """Close it, as a request that was sent at `sent_at` was refused: as long as the server says, and with every
        refusal after a pause a longer back-off."""
        self._learn_size(said)
        is_late = sent_at <= self.closed_at  # sent before the pause began; its end is known
        named = [said.retry_after_s + MARGIN_S] if said.retry_after_s else []
        named += [said.ends_in_s + MARGIN_S] if said.left == 0 and said.ends_in_s is not None else []
        wait = max(named, default=0.0)
        if not is_late:
            self.refusals = min(self.refusals + 1, MOST_REFUSALS)
            if self.refusals == 1:
                self.refused_at = now
            if self.refusals > 1 or not named:
                wait = max(wait, grown_backoff_s(backoff_s, self.refusals))
            if self.refusals == 1 and not named:
                wait = max(wait, self.lasted_s)
        self.close(now, now + wait, "it refuses requests" + (f" ({self._size()})" if self.limit else ""))

    def answered(self, sent_at: float) -> None:
        """Note that a request was not refused: what follows a pause may go on."""
        if sent_at <= self.closed_at:
            return
        if self.refusals > 1:
            self.lasted_s = min(max(0.0, self.closed_until - self.refused_at), LONGEST_BACKOFF_S)
        elif self.refusals == 1:  # it was long enough at once, and may have been too long
            self.lasted_s *= LASTED_LESS
        self.is_untried, self.refusals = False, 0

    def close(self, now: float, until: float, why: str) -> None:
        until = min(until, now + LONGEST_S)
        if until <= max(now, self.closed_until):
            return
        if now >= self.closed_until:
            self.closed_at, self.why, self.is_untried, self.tried_at = now, why, True, 0.0
            self.told = []
        self.closed_until = until

    def tell(self, group: int) -> bool:
        """Whether the log of a process group should have a line about the pause; it is told once."""
        if group in self.told:
            return False
        self.told = [*self.told, group][-MOST_TOLD:]
        return True

    def _close_used_up(self, now: float) -> None:
        self.close(now, self.ends, f"its window of {self._size()} is used up")

    def _begin(self, ends: float) -> None:
        self.ends, self.is_end_named, self.sent, self.left = ends, False, 0, None

    def _size(self) -> str:
        if not self.limit:
            return "requests"
        return f"{self.limit} requests" + (f" in {self.length_s:.0f} s" if self.length_s else "")


def grown_backoff_s(backoff_s: float, refusals: int) -> float:
    """The wait after so many refusals, of which the first is 1."""
    return min(max(backoff_s, SHORTEST_BACKOFF_S) * 2.0 ** (min(refusals, MOST_REFUSALS) - 1), LONGEST_BACKOFF_S)
