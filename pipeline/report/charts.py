"""Lines and histograms as static SVG: the shapes are computed here, charts.svg.j2 draws them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 24, 8, 24  # room for labels
MAX_POINTS = 400  # of a line; more cannot be told apart at this width
MAX_BINS = 36


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in the picture's units."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One line: its name and the corners, `x,y x,y …`."""

    name: str
    points: str
    last: str  # the last value, as text


@dataclass(frozen=True)
class LineChart:
    """Several lines over one axis."""

    title: str
    x_label: str
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram, in the picture's units."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Histogram:
    """How often a value falls where."""

    title: str
    bars: list[Bar]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    median: Tick


def line_chart(title: str, series: Mapping[str, Sequence[tuple[float, float]]], x_label: str = "step") -> LineChart:
    """A chart of `series`: name -> (x, y) pairs; values that are not finite are left out."""
    cleaned = {
        name: np.array([pair for pair in pairs if all(map(math.isfinite, pair))], np.float64).reshape(-1, 2)
        for name, pairs in series.items()
    }
    every = np.concatenate(list(cleaned.values()))
    x_axis, y_axis = _Axis.of(every[:, 0], LEFT, WIDTH - RIGHT), _Axis.of(every[:, 1], HEIGHT - BOTTOM, TOP)
    lines = []
    for name, pairs in cleaned.items():
        thinned = pairs[np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MAX_POINTS)).astype(int))]
        points = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in thinned)
        lines.append(Line(name, points, f"{pairs[-1, 1]:.4g}" if len(pairs) else ""))
    return LineChart(title, x_label, lines, x_axis.ticks(), y_axis.ticks())


def histogram(title: str, values: Sequence[float]) -> Histogram:
    """A histogram of `values` (finite, at least one) with their median marked."""
    array = np.asarray(values, np.float64)
    counts, edges = np.histogram(array, bins=min(MAX_BINS, 5 + math.isqrt(len(array))))
    x_axis = _Axis(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    y_axis = _Axis(0.0, float(counts.max()), HEIGHT - BOTTOM, TOP)
    bars = []
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        x, y = x_axis.place(low), y_axis.place(count)
        label = f"{_number(low)} to {_number(high)}: {count}"
        bars.append(Bar(x, y, max(x_axis.place(high) - x - 1, 1), HEIGHT - BOTTOM - y, label))
    median = float(np.median(array))
    y_ticks = [tick for tick in y_axis.ticks() if float(tick.label) == int(float(tick.label))]
    return Histogram(title, bars, x_axis.ticks(), y_ticks, Tick(x_axis.place(median), _number(median)))


def _number(value: float) -> str:
    """Four digits, and all of them before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclass(frozen=True)
class _Axis:
    """Maps values from `low` to `high` onto places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: np.ndarray, start: float, end: float) -> "_Axis":
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if low == high:
            low, high = low - 0.5, high + 0.5
        return cls(low, high, start, end)

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int = 4) -> list[Tick]:
        """Round values on the axis: multiples of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(self.low / step - 1e-9)
        values = [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [Tick(self.place(value), f"{value:.6g}") for value in values]
