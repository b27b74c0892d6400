"""Whether a result got worse against an earlier one of the same name, figure by figure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from benchmarks.noise import Rule, rule_of
from benchmarks.record import parts_of, todays_command


class Outcome(Enum):
    WORSE = "worse"
    BETTER = "better"
    SAME = "the same within noise"
    NEW = "new"
    GONE = "gone"
    NO_DIRECTION = "without a direction"
    OTHER_COMMAND = "made by another command"
    OTHER_MACHINE = "of two machines, without a reference time of both"


@dataclass(frozen=True)
class Verdict:
    key: str
    outcome: Outcome
    before: float | None = None
    now: float | None = None
    expected: float | None = None  # `before`, as it would be on the machine of `now`
    rule: Rule | None = None


def compare_results(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Verdict]:
    """A verdict of each figure that either result has.

    Args:
        name: of the results' file, without .json.
        before, now: what benchmarks/record.py wrote, older ones without capability too.
    """
    makers_before, makers_now = _makers(before), _makers(now)
    for key, value in now["figures"].items():
        if key not in before["figures"]:
            yield Verdict(key, Outcome.NEW, now=value)
            continue
        yield _judge(name, key, before["figures"][key], value, makers_before[key], makers_now[key])
    for key, value in before["figures"].items():
        if key not in now["figures"]:
            yield Verdict(key, Outcome.GONE, before=value)


def _judge(
    name: str, key: str, before: float, now: float, maker_before: Mapping[str, Any], maker_now: Mapping[str, Any]
) -> Verdict:
    """Both makers are parts as `parts_of` gives them: with machine, command and perhaps capability."""
    rule = rule_of(name, key)
    if rule is None:
        return Verdict(key, Outcome.NO_DIRECTION, before, now)
    if not rule.exact and todays_command(maker_before["command"]) != todays_command(maker_now["command"]):
        return Verdict(key, Outcome.OTHER_COMMAND, before, now, rule=rule)
    slower = 1.0
    if rule.of_machine:
        ratio = time_ratio(maker_before, maker_now)
        if ratio is None:
            return Verdict(key, Outcome.OTHER_MACHINE, before, now, rule=rule)
        slower = ratio if rule.better == "lower" else 1 / ratio
    expected = before * slower
    allowed = abs(expected) * rule.noise + rule.absolute
    gain = expected - now if rule.better == "lower" else now - expected
    if math.isnan(gain) or gain < -allowed:
        outcome = Outcome.WORSE
    else:
        outcome = Outcome.BETTER if gain > allowed else Outcome.SAME
    return Verdict(key, outcome, before, now, expected, rule)


def time_ratio(before: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    """How much longer the same work takes where `now` was made; None if that cannot be told."""
    limits = [maker.get("capability", {}).get("limit_256_ms") for maker in (before, now)]
    if all(limits):
        return float(limits[1] / limits[0])
    return 1.0 if before["machine"] == now["machine"] else None


def _makers(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {key: part for part in parts_of(result).values() for key in part["keys"]}
