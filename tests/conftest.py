"""What tests of several packages share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER:  # `make test` keeps every core busy by processes: no thread pools, and no cache that two of them write
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".cache" / "numba" / WORKER)

# Property tests try the same inputs in every run; `make fuzz` (tests/fuzz.py) gives them new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("repeatable")

# Tests that run in one process of `make test -n`, by a fixture that they use; others go there file by file. The longest
# group starts first.
GROUPS = {
    "ray": {"ray_cluster", "spread", "execute", "nodes"},
    "end to end": {"ray_corpus", "local_corpus"},
    "blender": {"blender", "render", "render_in"},
}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for the groups
def pytest_collection_modifyitems(items):
    """Name each test's group for pytest-xdist (`--dist loadgroup`), the large groups in front."""
    if not WORKER:
        return
    groups = {item: group_of(item) for item in items}
    order = {group: place for place, group in enumerate(GROUPS)}
    items.sort(key=lambda item: order.get(groups[item], len(order)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item]))


def pytest_make_parametrize_id(config, val, argname):
    """Files and floods of letters make no names that anybody could read."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 100 else None


def pytest_collection_finish(session):
    """Refuse to run in a worker that lost the groups: tests would share what they must not, and Rays would multiply."""
    if WORKER and session.items and "@" not in session.items[0].nodeid and session.config.getoption("loadgroup"):
        pytest.exit("pytest-xdist does not see the groups of this pytest: see its bounds in pyproject.toml", 3)


def group_of(item) -> str:
    if item.get_closest_marker("ray"):
        return "ray"
    used = (group for group, fixtures in GROUPS.items() if fixtures & set(item.fixturenames))
    return next(used, item.nodeid.partition("::")[0])


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
