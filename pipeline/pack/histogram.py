"""The distribution of values, drawn in text, as any viewer of Markdown shows it."""

import math
from collections.abc import Sequence

import numpy as np

BINS = 15  # or fewer
ROUNDING = 1e-3  # of a bin: an SSIM of 1.00001 is 1
BAR = 40  # characters of the longest
EIGHTHS = " ▏▎▍▌▋▊▉"


def histogram(values: Sequence[float]) -> str:
    """A line for each bin: its bounds, a bar, and how many values it holds; an upper bound is of the next bin.

    Bounds are round numbers. Values that are not finite have lines of their own.
    """
    array = np.asarray(values, float)
    finite = array[np.isfinite(array)]
    lines = []
    if len(finite):
        edges = _edges(finite.min(), finite.max())
        counts, _ = np.histogram(finite.clip(edges[0], edges[-1]), edges)
        bounds = [(figure(low), figure(high)) for low, high in zip(edges, edges[1:], strict=False)]
        width = max(len(bound) for pair in bounds for bound in pair)
        for (low, high), count in zip(bounds, counts, strict=True):
            bar = _bar(count / counts.max())
            lines.append(f"{low:>{width}} to {high:>{width}}  {bar:<{BAR}} {count:,}")
    for name, is_such in (("infinite", np.isinf), ("no number", np.isnan)):
        if is_such(array).any():
            lines.append(f"{name}: {is_such(array).sum():,}")
    return "\n".join(lines)


def figure(value: float) -> str:
    """A number formatted for people."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _edges(low: float, high: float) -> np.ndarray:
    """Round numbers, evenly spaced, around all values."""
    spread = (high - low) or abs(low) or 1.0
    power = 10.0 ** math.floor(math.log10(spread / BINS))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * BINS >= spread)
    first = math.floor(low / step)
    last = max(math.ceil(high / step - ROUNDING), first + 1)
    return np.arange(first, last + 1) * step


def _bar(share: float) -> str:
    """A bar of up to BAR characters, in eighths; what is not nothing is seen."""
    eighths = max(round(share * BAR * 8), 1) if share else 0
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
