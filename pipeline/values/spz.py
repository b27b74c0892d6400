"""Splats as SPZ files (Niantic's compressed format, version 2): about a fifth of our PLY, and lossy.

Layout: https://github.com/nianticlabs/spz, README, "File Format". Positions keep 2^-12 of the world's unit, opacities
and colours 8 bits, scales steps of 1/16 in their logarithm, rotations 8 bits per component, spherical harmonics 5 bits
at degree 1 and 4 above it, of a range from -1 to 1.
"""

import gzip
import struct

import numpy as np

from pipeline.values.splat import SH_C0, Gaussians, rest_count

MAGIC = 0x5053474E
VERSION = 2
FRACTIONAL_BITS = 12
ANTIALIASED = 1
COLOR_SCALE = 0.15
SH_BITS_1, SH_BITS_REST = 5, 4
"""Bits that coefficients of degree 1 and of higher degrees keep of 8: the rest is zero, which gzip likes."""


def spz_bytes(splat: Gaussians, antialiased: bool) -> bytes:
    """The file's content. Axes are kept as they are in the corpus (z up)."""
    flags = ANTIALIASED * antialiased
    header = struct.pack("<IIIBBBB", MAGIC, VERSION, len(splat), splat.sh_degree, FRACTIONAL_BITS, flags, 0)
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
        _harmonics(splat.sh_rest),
    )
    return gzip.compress(header + b"".join(part.tobytes() for part in parts), mtime=0)


def _harmonics(sh_rest: np.ndarray) -> np.ndarray:
    """[N, K, 3] bytes, the channel fastest."""
    step = np.where(np.arange(sh_rest.shape[1]) < rest_count(1), 2 ** (8 - SH_BITS_1), 2 ** (8 - SH_BITS_REST))
    return _byte(np.round((sh_rest * 128 + 128) / step[:, None]) * step[:, None])


def _byte(values: np.ndarray) -> np.ndarray:
    return np.round(values).clip(0, 255).astype(np.uint8)
