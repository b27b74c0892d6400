"""How the objects of a corpus ended: as rows, as errors, or lost."""

from collections import Counter
from dataclasses import dataclass, field

from pipeline import Corpus


@dataclass
class Outcome:
    """How the objects of one corpus ended."""

    objects: int = 0
    lost: int = 0
    crashes: int = 0  # commands that did not end well
    views: int = 0
    errors: Counter = field(default_factory=Counter)  # by stage and class
    slowest_s: float = 0.0

    def __add__(self, other: "Outcome") -> "Outcome":
        sums = (
            getattr(self, name) + getattr(other, name) for name in ("objects", "lost", "crashes", "views", "errors")
        )
        return Outcome(*sums, max(self.slowest_s, other.slowest_s))


def outcome(corpus: Corpus, crashes: int = 0) -> Outcome:
    """Count rows, errors and what is neither."""
    planned = {row["shard"]: row["uid"] for row in corpus.read_index(["uid", "shard"])}
    result = Outcome(objects=len(planned), crashes=crashes)
    for shard, uid in planned.items():
        for stage, table in (("assets", "assets"), ("render", "views")):
            made = corpus.shard_record(table, shard)
            if made is None:
                result.lost += 1
                break
            result.slowest_s = max(result.slowest_s, made.seconds)
            rows = [row["uid"] for row in corpus.read_rows(table, shard, ["uid"])]
            failures = corpus.read_errors(stage, shard)
            result.lost += rows + [failure["uid"] for failure in failures] != [uid]
            result.errors.update((stage, failure["error_class"]) for failure in failures)
            if failures:
                break
            result.views += table == "views"
    return result
