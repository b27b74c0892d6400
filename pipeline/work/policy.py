"""How a run treats its workers: how often work is retried, how often it is checked, and how much is under way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What a run allows itself. It travels with the `Job` and decides how long a run takes and what it gives up.

    What a row holds does not depend on it.
    """

    # Trying again
    attempts: int = 2  # at an object whose failure may pass, in one run
    losses: int = 3  # workers that one object may cost before it is given up
    timeouts: int = 2  # the same, where the object or the set-up took too long: each one costs its whole time limit
    losses_elsewhere: int = 10  # workers that one step may cost while they are at no object: setting up, or waiting

    # Looking after workers
    look_s: float = 5.0  # between two looks at what they are at, at least
    look_share: float = 0.1  # of the time, to look: the notes of a thousand workers in a bucket take a while
    silence_s: float = 300.0  # without a finished step, after which it is told what is still running
    closing_s: float = 20.0  # that a worker process may take to close its stages before it is killed
    ray_closing_s: float = 10.0  # the same under Ray, for each round of closing

    # Keeping a cluster busy
    chains_per_cpu: float = 2  # under way: no CPU waits for the driver, and yet shards are finished in order
    gpu_workers_starting: int = 8  # that wait for a GPU: demand for the autoscaler, which adds nodes gradually
    gpu_idle_s: float = 120.0  # with more GPU workers than work, until one ends: models take long to load

    # Files
    group_bytes: int = 8_000_000  # a row group is written once it is this large: a reader holds one at a time
