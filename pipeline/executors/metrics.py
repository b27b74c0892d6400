"""What a run under Ray tells Prometheus: objects done and failed, and the seconds they took, by stage.

The command reports them, shard by shard as these end; Ray serves them at the metrics port of its node, beside its own.
workflows/grafana/clip-gs.json draws them.
"""

from ray.util.metrics import Counter

from pipeline.work.job import ShardReport


class RunMetrics:
    """Counters of this run. Prometheus sees them as ray_clip_gs_…_total."""

    def __init__(self) -> None:
        self._done = Counter("clip_gs_objects_done", "Objects with a row, in shards that this run ended.", ("stage",))
        self._failed = Counter("clip_gs_objects_failed", "Objects with an error, in these shards.", ("stage",))
        self._seconds = Counter("clip_gs_stage_seconds", "Seconds that workers spent on these shards.", ("stage",))

    def count(self, report: ShardReport) -> None:
        """Add one shard of one stage; a shard that was finished before the run came to it does not count."""
        if not report.processed:
            return
        for counter, value in (
            (self._done, report.done),
            (self._failed, report.failed),
            (self._seconds, report.seconds),
        ):
            if value:  # a counter refuses to be raised by nothing
                counter.inc(value, {"stage": report.stage})
