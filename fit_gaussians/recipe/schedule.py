"""How far the fit is: the decay of the learning rates, and the early end when the loss no longer falls."""

PATIENCE = 2
"""Poor passes in a row that mean a plateau."""


class Schedule:
    """Counts steps; ends after `iterations` of them, or earlier.

    The loss of a pass over all training views is compared with that of the pass before. Where it fell by less than the
    share `min_gain` twice in a row (random backgrounds make it jitter), one more pass is made in which the learning
    rates go through the rest of their decay (a fit gains most while they fall, so it must not be cut off before), and
    then the fit ends. `min_gain` 0 never ends early.

    Attributes:
        steps: steps done.
        progress: share of the decay that is done, 0..1.
    """

    def __init__(self, iterations: int, views: int, min_gain: float):
        self.steps = 0
        self.progress = 0.0
        self._end = iterations
        self._views = views
        self._min_gain = min_gain
        self._pace = 1 / max(iterations, 1)
        self._pass_loss = 0.0
        self._last_pass_loss = float("inf")
        self._poor_passes = 0

    @property
    def done(self) -> bool:
        return self.steps >= self._end

    def step(self, loss) -> None:
        """Note a step and its loss (a number, or a detached tensor: looked at once per pass only, so that no one
        waits for a GPU)."""
        self.steps += 1
        self.progress += self._pace
        if not self._min_gain:
            return
        self._pass_loss = self._pass_loss + loss
        if self.steps % self._views == 0:
            self._end_pass(float(self._pass_loss))

    def _end_pass(self, pass_loss: float) -> None:
        poor = pass_loss > self._last_pass_loss * (1 - self._min_gain)
        self._poor_passes = self._poor_passes + 1 if poor else 0
        if self._poor_passes == PATIENCE and self._end - self.steps > self._views:
            self._end = self.steps + self._views
            self._pace = (1 - self.progress) / self._views
        self._last_pass_loss, self._pass_loss = pass_loss, 0.0
