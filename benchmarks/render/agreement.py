"""How the two render engines are compared: the views, Blender's samples, and the measure of agreement."""

import hashlib
from pathlib import Path

import numpy as np

import render.raster

COMPARED = {"views": 2, "resolution": 256}
REFERENCE_SAMPLES = 64


def agreement(reference_VHW4: np.ndarray, ours_VHW4: np.ndarray) -> tuple[float, float]:
    """(PSNR in dB, intersection over union) of one object's views."""
    a, b = reference_VHW4.astype(np.float32), ours_VHW4.astype(np.float32)
    shown = (a[..., 3] > 0) | (b[..., 3] > 0)
    difference = (a[..., :3] * a[..., 3:] - b[..., :3] * b[..., 3:])[shown] / 255
    inside = (a[..., 3] >= 128, b[..., 3] >= 128)
    overlap = (inside[0] & inside[1]).sum() / max((inside[0] | inside[1]).sum(), 1)
    error = max(float(np.mean(difference**2)), 1e-3)  # black objects agree to the last bit
    return float(10 * np.log10(255**2 / error)), float(overlap)


def raster_version() -> str:
    """Changes with every change of the raster engine's code."""
    digest = hashlib.sha256()
    for path in sorted(Path(render.raster.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return f"raster-{digest.hexdigest()[:12]}"
