"""Splats as SPZ files (Niantic's compressed format, version 2): about a fifth of our PLY, and lossy.

Layout: https://github.com/nianticlabs/spz, README, "File Format". Positions keep 2^-12 of the world's unit, opacities
and colours 8 bits, scales steps of 1/16 in their logarithm, rotations 8 bits per component.
"""

import gzip
import struct

import numpy as np

from fit_gaussians.gaussians import Gaussians

MAGIC = 0x5053474E
VERSION = 2
FRACTIONAL_BITS = 12
ANTIALIASED = 1
SH_C0 = 0.28209479177387814
COLOR_SCALE = 0.15


def spz_bytes(splat: Gaussians, antialiased: bool) -> bytes:
    """The file's content. Axes are kept as they are in the corpus (z up)."""
    header = struct.pack("<IIIBBBB", MAGIC, VERSION, len(splat), 0, FRACTIONAL_BITS, ANTIALIASED * antialiased, 0)
    fixed = np.round(splat.means.astype(np.float64) * (1 << FRACTIONAL_BITS)).astype("<i4")
    positions = np.ascontiguousarray(fixed).view(np.uint8).reshape(-1, 3, 4)[..., :3]  # 24 bits, little-endian
    sh = (splat.colors - 0.5) / SH_C0
    quats = splat.quats / np.linalg.norm(splat.quats, axis=1, keepdims=True)
    quats = np.where(quats[:, :1] < 0, -quats, quats)
    parts = (
        positions,
        _byte(splat.opacities * 255),
        _byte(sh * (COLOR_SCALE * 255) + 127.5),
        _byte((np.log(splat.scales) + 10) * 16),
        _byte(quats[:, 1:] * 127.5 + 127.5),
    )
    return gzip.compress(header + b"".join(part.tobytes() for part in parts), mtime=0)


def _byte(values: np.ndarray) -> np.ndarray:
    return np.round(values).clip(0, 255).astype(np.uint8)
