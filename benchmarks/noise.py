"""Which way a figure should go, and how much it moves from run to run without a cause."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal


@dataclass(frozen=True)
class Rule:
    pattern: str  # of RESULT.KEY
    better: Literal["lower", "higher"]
    noise: float = 0.0  # relative to the value before
    absolute: float = 0.0  # in the figure's unit, on top
    of_machine: bool = False  # a time, or a number per time: what it is depends on the machine

    @property
    def exact(self) -> bool:
        """Whether any change for the worse counts, whatever made the two figures."""
        return not self.noise and not self.absolute


# Figures that a pattern below would take for something else: numbers of objects, and what we compare ourselves with.
NOT_JUDGED = (
    "fit.cpu_s_objects_*",
    "render.cpu_s_per_view_512_blenderproc_defaults",
    "training.patches_plain_cpu_ms",
)
# The first that fits holds. A figure that none fits is not judged: sizes of inputs, settings, chances, peers, and
# raster's share of its limit, which says of one machine what its times, scaled by the limit, say across machines.
RULES = (
    # What must stay as it is
    Rule("*.uids_lost", "lower"),
    Rule("*_uids_lost", "lower"),
    Rule("*tables_different", "lower"),
    Rule("*problems_found_by_verify", "lower"),
    Rule("*hostile_crashes", "lower"),
    Rule("demo.errors", "lower"),
    Rule("demo.stages_*_failed", "lower"),
    Rule("fingerprints.embeddings_different", "lower", absolute=2),  # the last bits are the machine's
    Rule("fingerprints.*_different", "lower"),
    Rule("house.after_circles*", "lower"),
    Rule("house.after_mypy_errors", "lower"),
    Rule("objaverse.objects_lost_to_429", "lower"),
    Rule("objaverse.secrets_found", "lower"),
    Rule("objaverse.reused_local_share", "higher"),
    Rule("objaverse.*_whole_share", "higher"),
    Rule("objaverse.ledger_right_share", "higher"),
    Rule("objaverse.requests_into_a_closed_window_share", "lower", absolute=0.01),
    Rule("suite.*_failed", "lower"),
    Rule("suite.ci_green", "higher"),
    # Pictures: dB of medians over objects; the tenth percentile hangs on few of them
    Rule("*psnr_p10*", "higher", absolute=0.3),
    Rule("*psnr_*", "higher", absolute=0.1),
    Rule("render.raster_db_*_p10", "higher", absolute=0.3),
    Rule("render.raster_db_*", "higher", absolute=0.1),
    Rule("render.raster_iou*", "higher", absolute=0.002),
    Rule("fit.ssim_*", "higher", absolute=0.001),
    Rule("fit.share_*", "higher", absolute=0.02),
    Rule("fit.iterations_to_*", "lower", noise=0.05),
    # Retrieval: shares of some hundred objects; three seeds of a short training differ by 0.03. demo has 16: not judged
    Rule("ablation.*_r[15]_mean", "higher", absolute=0.05),
    Rule("caption.*_recall_*", "higher", absolute=0.02),
    Rule("caption.*captioned_share", "higher", absolute=0.005),
    # Ratios measured in one run, so that the machine falls out
    Rule("training.*speedup", "higher", noise=0.15),
    Rule("training.encoder_share", "higher", absolute=0.02),
    Rule("caption.overhead_share", "lower", absolute=0.01),
    Rule("caption.embed_efficiency", "higher", absolute=0.03),
    Rule("cluster.ray_overhead", "lower", absolute=0.03),
    Rule("cluster.efficiency_*", "higher", absolute=0.05),
    Rule("cluster.plan_error", "lower", absolute=0.15),
    Rule("dataset.read_share_of_format_limit", "higher", absolute=0.05),
    # Bytes and memory
    Rule("dataset.read_bytes_per_object", "lower", noise=0.01),
    Rule("*.bytes_per_*", "lower", noise=0.01),
    Rule("fit_table.bytes_*", "lower", noise=0.01),
    Rule("render.rss_growth_mb_*", "lower", absolute=15),
    Rule("render.rss_*", "lower", noise=0.1),
    Rule("fit.peak_rss_mb", "lower", noise=0.1),
    Rule("dataset.pack_rss_mb*", "lower", noise=0.1),
    Rule("cluster.simulated_*_mb", "lower", noise=0.1),
    Rule("objaverse.plan_*_mb", "lower", noise=0.1),
    # CPU times: the fastest of many repeats, then medians over objects, then single measurements
    Rule("raster.raster_*_ms", "lower", noise=0.08, of_machine=True),
    Rule("raster.loss_l1_ssim_256_ms", "lower", noise=0.08, of_machine=True),
    Rule("raster.first_call_s", "lower", noise=0.2, of_machine=True),
    Rule("fit.raster_256_ms", "lower", noise=0.1, of_machine=True),
    Rule("*.cpu_s_*", "lower", noise=0.15, of_machine=True),
    Rule("*_cpu_s_*", "lower", noise=0.15, of_machine=True),
    Rule("*_cpu_ms*", "lower", noise=0.15, of_machine=True),
    Rule("*_cpu_seconds", "lower", noise=0.2, of_machine=True),
    Rule("*_per_cpu_s", "higher", noise=0.15, of_machine=True),
    Rule("dataset.pack_mb_per_core_s", "higher", noise=0.15, of_machine=True),
    Rule("dataset.read_objects_per_core_s", "higher", noise=0.15, of_machine=True),
    # Times by the clock, on machines that have other work
    Rule("demo.wall_s", "lower", noise=0.3, of_machine=True),
    Rule("demo.stages_*_seconds", "lower", noise=0.4, absolute=1, of_machine=True),
    Rule("suite.seconds_m*", "lower", noise=0.15, of_machine=True),
    Rule("suite.ci_seconds", "lower", noise=0.15, of_machine=True),
    Rule("cluster.seconds_to_recover_*", "lower", noise=0.5, absolute=2, of_machine=True),
    Rule("cluster.bucket_*_seconds", "lower", noise=0.3, absolute=0.5, of_machine=True),
    Rule("cluster.simulated_*_seconds", "lower", noise=0.4, of_machine=True),
    Rule("objaverse.plan_*_seconds", "lower", noise=0.3, of_machine=True),
    Rule("cluster.objects_per_hour_2_cpus", "higher", noise=0.3, of_machine=True),
    Rule("render.slowest_s_*", "lower", noise=0.5, of_machine=True),
    Rule("training.samples_per_second", "higher", noise=0.3, of_machine=True),
)


def rule_of(result: str, key: str) -> Rule | None:
    """What holds for the figure `key` of results/RESULT.json; None if it is not judged."""
    name = f"{result}.{key}"
    if any(fnmatchcase(name, pattern) for pattern in NOT_JUDGED):
        return None
    return next((rule for rule in RULES if fnmatchcase(name, rule.pattern)), None)
