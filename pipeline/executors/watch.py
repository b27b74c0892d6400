"""Watches the workers: ends what takes longer than its limit, and says what a silent run is waiting for."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.base.errors import Timeout
from pipeline.store.corpus_store import CorpusStore
from pipeline.work.at_work import AtWork, Note
from pipeline.work.job import Step
from pipeline.work.policy import Policy

logger = logging.getLogger(__name__)

NAMED = 5  # steps that are told of, those that take longest


@dataclass(frozen=True)
class _Seen:
    step: Step
    note: Note
    since: float  # by this process' clock: those of the workers' machines may differ


class Watch:
    """Knows how long each worker has been at its current work. Steps go by the handles of the executor."""

    def __init__(self, corpus: CorpusStore, policy: Policy):
        self._corpus = corpus
        self._policy = policy
        self._seen: dict[Any, _Seen] = {}
        self._late: dict[Any, Timeout] = {}
        self._heard = time.monotonic()
        self._next_look = self._heard + policy.look_s

    def overdue(self, steps: Mapping[Any, Step]) -> list[Any]:
        """The steps that have now been at the same objects for too long. Looks only every few seconds."""
        now = time.monotonic()
        if now < self._next_look:
            return []
        before = len(self._late)
        for handle, step in steps.items():
            note = AtWork(self._corpus, step.stage, step.shard).read()
            seen = self._seen.get(handle)
            if seen is None or seen.note != note:
                self._seen[handle] = _Seen(step, note, now)
            elif now - seen.since > note.limit_s and handle not in self._late:
                self._late[handle] = Timeout(f"not done after {note.limit_s:g} s; its worker was killed")
        if now - self._heard > self._policy.silence_s:
            self._heard = now
            self._tell(now)
        looked = time.monotonic()
        self._next_look = looked + max(self._policy.look_s, (looked - now) / self._policy.look_share)
        return list(self._late)[before:]

    def ended(self, handle: Any) -> Timeout | None:
        """A step has ended; gives the error if it was found overdue before."""
        self._heard = time.monotonic()
        self._seen.pop(handle, None)
        return self._late.pop(handle, None)

    def _tell(self, now: float) -> None:
        for seen in sorted(self._seen.values(), key=lambda seen: seen.since)[:NAMED]:
            at = ", ".join(seen.note.uids) or "no object: waiting for a worker, or setting it up"
            step, seconds = seen.step, now - seen.since
            logger.warning("stage %s, shard %d: for %.0f s at %s", step.stage, step.shard, seconds, at)
