"""Which training view comes next, and what lies behind it."""

import numpy as np


class ViewOrder:
    """The views of one object in an order reshuffled for each pass, each over a background of random colour.

    A background that changes leaves no place for floaters: what is not the object must be transparent.
    """

    def __init__(self, seed: int, views: int):
        self._rng = np.random.default_rng(seed)
        self._views = views
        self._left: list[int] = []

    def next(self) -> tuple[int, np.ndarray]:
        """Index of the view, and the background [3] float32 in [0, 1)."""
        if not self._left:
            self._left = self._rng.permutation(self._views).tolist()
        return self._left.pop(), self._rng.random(3, np.float32)
