"""What a server's answer says about how many requests it takes, in the headers that servers use for it.

- `RateLimit: "resolvers";r=2999;t=120` with `RateLimit-Policy: "fixed window";"resolvers";q=3000;w=300`: the hub's form
  of the IETF's draft. It is no valid structured field, so that a strict parser would refuse it. An older draft has
  `RateLimit: limit=100, remaining=50, reset=30`.
- `RateLimit-Limit`, `-Remaining` and `-Reset`, with `X-` or without: GitHub and many others.
- `Retry-After`: seconds, or a date.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

READ_CHARACTERS = 2000  # of a header
EPOCH = 1e9  # a larger `Reset` is a moment, in seconds since 1970
MILLISECONDS = 1e11  # a still larger one has them
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')  # not within quotes
_PARAMETER = re.compile(r"(?:^|[;,\s])\s*(limit|remaining|reset|[qrtw])\s*=\s*(\d{1,12})(?![\d.])")
_NAME = re.compile(r'"([^"]*)"')
_NUMBER = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*(?:[,;].*)?")


@dataclass(frozen=True)
class RateLimits:
    """None: the answer does not say it."""

    limit: int | None = None  # requests of a whole window
    length_s: float | None = None  # of a window
    left: int | None = None  # requests that the present window still takes
    ends_in_s: float | None = None  # when the present window ends
    retry_after_s: float | None = None


def read_rate_limits(headers: Mapping[str, str]) -> RateLimits:
    """What is said; of several limits, the one that leaves least. What cannot be understood is not said."""
    now = _moment(headers.get("Date", "")) or time.time()  # the server's clock, by which it names moments
    retry_after_s = _retry_after_s(headers.get("Retry-After", ""), now)
    for read in (_by_draft, _by_three_headers):
        if found := read(headers, now):
            limit, length_s, left, ends_in_s = found
            return RateLimits(limit or None, length_s or None, left, ends_in_s, retry_after_s)
    return RateLimits(retry_after_s=retry_after_s)


Found = tuple[int | None, float | None, int | None, float | None]  # limit, length_s, left, ends_in_s


def _by_draft(headers: Mapping[str, str], now: float) -> Found | None:
    text = headers.get("RateLimit", "")[:READ_CHARACTERS]
    policies = [
        (set(_NAME.findall(item)), _parameters(item))
        for item in _COMMA.split(headers.get("RateLimit-Policy", "")[:READ_CHARACTERS])
    ]
    whole = _parameters(text)
    if "remaining" in whole:
        return whole.get("limit"), policies[0][1].get("w"), whole["remaining"], whole.get("reset")
    items = [(set(_NAME.findall(item)), _parameters(item)) for item in _COMMA.split(text)]
    items = [(names, numbers) for names, numbers in items if "r" in numbers]
    if not items:
        return None
    names, least = min(items, key=lambda item: (item[1]["r"], -item[1].get("t", 0)))
    # the policy of this limit; where it has no name, the only one
    policy = next((numbers for known, numbers in policies if known & names), policies[0][1])
    return policy.get("q"), policy.get("w"), least["r"], least.get("t")


def _by_three_headers(headers: Mapping[str, str], now: float) -> Found | None:
    for prefix in ("RateLimit", "X-RateLimit", "X-Rate-Limit"):
        left = _number(headers.get(f"{prefix}-Remaining", ""))
        if left is None:
            continue
        announced = headers.get(f"{prefix}-Limit", "")[:READ_CHARACTERS]  # `100`, or `100, 100;w=60`
        reset = _number(headers.get(f"{prefix}-Reset", ""))
        if reset is not None and reset > EPOCH:
            reset = max(0.0, (reset / 1000 if reset > MILLISECONDS else reset) - now)
        limit = _number(announced)
        return int(limit) if limit is not None else None, _parameters(announced).get("w"), int(left), reset
    return None


def _parameters(item: str) -> dict[str, int]:
    return {name: int(number) for name, number in _PARAMETER.findall(_NAME.sub("", item))}


def _retry_after_s(text: str, now: float) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    moment = _moment(text)
    return None if moment is None else max(0.0, moment - now)


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text[:READ_CHARACTERS])
    return float(match[1]) if match else None


def _moment(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it."""
    try:
        return parsedate_to_datetime(text[:READ_CHARACTERS]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
