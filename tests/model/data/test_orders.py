import numpy as np
import pytest

from model.data.orders import ORDERS, hilbert_codes, morton_codes, patch_orders, xyz_codes

SIDE = 8


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    """All cells of an aligned cube, in random order."""
    cells = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1).reshape(-1, 3).astype(np.int32)
    return np.random.default_rng(0).permutation(cells)


def test_hilbert_walks_the_cube_from_face_to_face(cube):
    codes = hilbert_codes(cube)
    assert sorted(codes) == list(range(SIDE**3))
    steps = np.abs(np.diff(cube[np.argsort(codes)], axis=0)).sum(axis=1)
    assert (steps == 1).all()


def test_hilbert_uses_every_bit():
    corners = np.array([[x, y, z] for x in (0, 1023) for y in (0, 1023) for z in (0, 1023)], np.int32)
    codes = hilbert_codes(corners)
    assert len(set(codes)) == 8
    assert codes.min() == 0 and codes.max() >= 7 * 2**27


def test_morton_interleaves_bits(cube):
    def interleaved(cell):
        return int("".join(f"{x}{y}{z}" for x, y, z in zip(*(f"{v:010b}" for v in cell), strict=True)), 2)

    large = np.random.default_rng(1).integers(0, 1024, (50, 3)).astype(np.int32)
    for cells in (cube, large):
        assert morton_codes(cells).tolist() == [interleaved(cell) for cell in cells]


def test_xyz_sorts_by_x_then_y_then_z(cube):
    order = np.argsort(xyz_codes(cube))
    assert cube[order].tolist() == sorted(cube.tolist())


def test_patch_orders_are_permutations_of_every_patch(rng):
    points = rng.normal(size=(5, 32, 3)).astype(np.float32)
    points[3] = 0  # all in one place
    orders = patch_orders(points, tuple(ORDERS))
    assert orders.shape == (3, 5, 32)
    assert (np.sort(orders, axis=-1) == np.arange(32)).all()


def test_order_does_not_depend_on_where_the_patch_lies(rng):
    points = rng.normal(size=(4, 16, 3))
    assert (patch_orders(points, ("hilbert",)) == patch_orders(4 * points + 16, ("hilbert",))).all()
