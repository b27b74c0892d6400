"""Orders along which the Gaussians of a patch become a sequence: xyz, Hilbert and Morton (Z order)."""

from collections.abc import Sequence

import numpy as np

BITS = 10  # cells per axis: 2**BITS; three axes fill 30 bits


def patch_orders(points: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Order of every patch under every name, [len(names), G, S] indices into S.

    Args:
        points: [G, S, 3] positions of G patches.
        names: of `ORDERS`.
    """
    cells = _cells(points)
    return np.stack([np.argsort(ORDERS[name](cells), axis=-1, kind="stable") for name in names])


def xyz_codes(cells: np.ndarray) -> np.ndarray:
    """Sort key [...] of cells [..., 3]: by x, then y, then z."""
    x, y, z = np.moveaxis(cells, -1, 0)
    codes: np.ndarray = (x << 2 * BITS) | (y << BITS) | z
    return codes


def morton_codes(cells: np.ndarray) -> np.ndarray:
    """Z-order key [...] of cells [..., 3]: the bits of x, y, z interleaved, x first."""
    x, y, z = np.moveaxis(_spread_bits(cells), -1, 0)
    codes: np.ndarray = (x << 2) | (y << 1) | z
    return codes


def hilbert_codes(cells: np.ndarray) -> np.ndarray:
    """Hilbert-curve key [...] of cells [..., 3]: cells that follow each other on the curve share a face.

    J. Skilling, "Programming the Hilbert curve", AIP Conf. Proc. 707 (2004): undo the curve's turns from the highest
    bit down, then Gray-encode; each step works on all cells at once.
    """
    axes = np.moveaxis(cells, -1, 0).copy()
    for bit in range(BITS - 1, 0, -1):
        lower_bits = np.int32((1 << bit) - 1)
        for axis in axes:
            is_set = (axis >> bit) & 1 == 1
            exchanged = np.where(is_set, 0, (axes[0] ^ axis) & lower_bits)
            axes[0] ^= np.where(is_set, lower_bits, exchanged)
            axis ^= exchanged
    axes[1] ^= axes[0]
    axes[2] ^= axes[1]
    flipped = np.zeros_like(axes[0])
    for bit in range(BITS - 1, 0, -1):
        flipped ^= np.where((axes[2] >> bit) & 1 == 1, np.int32((1 << bit) - 1), 0)
    return morton_codes(np.moveaxis(axes ^ flipped, 0, -1))


ORDERS = {"xyz": xyz_codes, "hilbert": hilbert_codes, "morton": morton_codes}


def _cells(points: np.ndarray) -> np.ndarray:
    """Integer cells [G, S, 3] in a cube around each patch, 2**BITS a side."""
    low = points.min(axis=1, keepdims=True)
    side = (points - low).max(axis=(1, 2), keepdims=True)
    cells: np.ndarray = np.rint((points - low) / np.maximum(side, 1e-12) * (2**BITS - 1))
    return cells.astype(np.int32)


def _spread_bits(values: np.ndarray) -> np.ndarray:
    """Two zero bits after each of the 10 bits of every value."""
    values = (values | (values << 16)) & 0x030000FF
    values = (values | (values << 8)) & 0x0300F00F
    values = (values | (values << 4)) & 0x030C30C3
    spread: np.ndarray = (values | (values << 2)) & 0x09249249
    return spread
