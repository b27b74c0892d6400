"""What tests of several packages share."""

import os

import pytest
from hypothesis import settings

# Property tests try the same inputs in every run; `make fuzz` (tests/fuzz.py) gives them new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def ray_cluster():
    """One small Ray for the whole session, with a GPU that exists on paper only; executors join it."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # by default workers wait for all else on the machine
    ray.init(
        "local",
        num_cpus=2,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=100_000_000,
    )
    yield
    ray.shutdown()
