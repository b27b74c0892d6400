"""A splat as one array [N, 14] float32, in the order of the CLIP-GS paper: what models read.

After activation, as everywhere: means 3, colors 3 (sRGB in [0, 1]), opacity 1 (in (0, 1)), scales 3 (standard
deviations, linear), quats 4 (wxyz, unit).
"""

from collections.abc import Mapping

import numpy as np

WIDTH = 14
MEANS, COLORS, OPACITY, SCALES, QUATS = slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 10), slice(10, 14)
SLICES = {"means": MEANS, "colors": COLORS, "opacities": OPACITY, "scales": SCALES, "quats": QUATS}
"""Where each attribute of a splat (`splat.ATTRIBUTES`) lies."""

# A Gaussian as a record: numpy copies the few bytes of a field at once, twice as fast as floats into a slice.
_RECORD = np.dtype([(name, f"V{4 * (part.stop - part.start)}") for name, part in SLICES.items()])


def pack(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """[N, 14] of the attributes by name: a row of the `gaussians` table, `Gaussians.arrays()`, or their flat values.

    Raises:
        KeyError: an attribute is missing.
        ValueError: attributes of unlike numbers of Gaussians.
    """
    packed = np.empty(columns["opacities"].size, _RECORD)
    for name in SLICES:
        values = np.ascontiguousarray(columns[name], np.float32).reshape(-1)
        packed[name] = values.view(_RECORD[name])
    return packed.view(np.float32).reshape(len(packed), WIDTH)
