import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.transform import Rotation

from fit_gaussians.metrics import measure
from fit_gaussians.storage import SH_REST_STEP, canonical, morton_order, prepare_for_storage, rounded
from fit_gaussians.views import read_views
from pipeline import Corpus
from pipeline.store.schema import GAUSSIANS
from pipeline.values.splat import Gaussians
from tests.fit_gaussians.scenes import sphere_points, sphere_row, splat_of


@pytest.fixture
def random_splat() -> Gaussians:
    rng = np.random.default_rng(0)
    n = 500
    quats = rng.normal(size=(n, 4))
    arrays = (
        rng.uniform(-0.5, 0.5, (n, 3)),
        quats / np.linalg.norm(quats, axis=1, keepdims=True),
        np.exp(rng.normal(-5, 1, (n, 3))),
        rng.uniform(0.01, 0.99, n),
        rng.random((n, 3)),
    )
    return Gaussians(*(array.astype(np.float32) for array in arrays))


def covariances(splat: Gaussians) -> np.ndarray:
    """[N, 3, 3]"""
    rotations = Rotation.from_quat(splat.quats[:, [1, 2, 3, 0]]).as_matrix()
    return np.einsum("nij,nj,nkj->nik", rotations, splat.scales.astype(np.float64) ** 2, rotations)


def test_canonical_form_is_the_same_gaussian(random_splat):
    result = canonical(random_splat)
    truth = covariances(random_splat)
    size = np.abs(truth).max((1, 2))
    assert (np.abs(covariances(result) - truth).max((1, 2)) / size).max() < 1e-5
    assert (np.diff(result.scales, axis=1) <= 0).all()
    assert (result.quats[:, 0] >= 0.5 - 1e-6).all()


def test_canonical_form_is_unique(random_splat):
    half_turn = np.array([0, 0, 1, 0.0])  # about the Gaussian's own y: the same Gaussian, written another way
    turned = Rotation.from_quat(random_splat.quats[:, [1, 2, 3, 0]]) * Rotation.from_quat(half_turn[[1, 2, 3, 0]])
    other = Gaussians(
        random_splat.means,
        turned.as_quat()[:, [3, 0, 1, 2]].astype(np.float32),
        random_splat.scales,
        random_splat.opacities,
        random_splat.colors,
    )
    assert canonical(other).quats == pytest.approx(canonical(random_splat).quats, abs=1e-4)


def test_harmonics_stay_with_their_gaussian(random_splat):
    rest = np.random.default_rng(1).normal(0, 0.2, (len(random_splat), 8, 3)).astype(np.float32)
    rest[:, 0, 0] = random_splat.means[:, 0]
    stored = prepare_for_storage(replace(random_splat, sh_rest=rest))
    assert stored.sh_degree == 2
    assert stored.sh_rest[:, 0, 0] == pytest.approx(stored.means[:, 0], abs=SH_REST_STEP)


def test_rounded_values_keep_the_promises_of_the_table(random_splat):
    result = rounded(random_splat)
    assert ((result.opacities > 0) & (result.opacities < 1)).all()
    assert ((result.colors >= 0) & (result.colors <= 1)).all()
    assert (result.scales > 0).all()
    assert np.abs(np.linalg.norm(result.quats, axis=1) - 1).max() < 0.02
    assert np.abs(result.means - random_splat.means).max() < 1e-4
    assert np.abs(result.scales / random_splat.scales - 1).max() < 0.04


def test_storing_twice_changes_nothing(random_splat):
    once = rounded(random_splat)
    again = rounded(once)
    for name, array in once.arrays().items():
        assert np.array_equal(array, getattr(again, name)), name


def test_morton_order_keeps_neighbours_together():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3))
    ordered = points[morton_order(points)]

    def step(path):
        return np.linalg.norm(np.diff(path, axis=0), axis=1).mean()

    assert step(ordered) < 0.2 * step(points)
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, points))
    assert len(morton_order(np.zeros((0, 3)))) == 0
    assert np.array_equal(morton_order(np.ones((3, 3))), [0, 1, 2])


def test_a_stored_splat_loses_next_to_nothing_and_is_small(tmp_path):
    count = 6000
    points, normals, colors = sphere_points(count)
    rng = np.random.default_rng(0)
    splat = splat_of(points, normals, colors, spacing=0.35 * math.sqrt(4 * math.pi / count))
    splat = Gaussians(
        splat.means + rng.normal(0, 5e-4, (count, 3)).astype(np.float32),
        splat.quats + rng.normal(0, 0.05, (count, 4)).astype(np.float32),
        splat.scales * np.exp(rng.normal(0, 0.2, (count, 3))).astype(np.float32),
        splat.opacities * rng.uniform(0.7, 1, count).astype(np.float32),
        (splat.colors + rng.normal(0, 0.03, (count, 3))).clip(0, 1).astype(np.float32),
    )
    views = read_views(sphere_row(views=4, size=96), 0)
    stored = prepare_for_storage(splat)
    before, after = (measure(s, views, "antialiased", 0.1) for s in (splat, stored))
    assert after.psnr > before.psnr - 0.05
    assert bytes_on_disk(stored, tmp_path) / count <= 20


def bytes_on_disk(splat: Gaussians, folder) -> int:
    """What the splat takes in the table's Parquet file."""
    schema = pa.schema([field for field in GAUSSIANS if field.name in splat.arrays()])
    path = Corpus(folder).shard_path("gaussians", 0)
    with Corpus(folder).table_writer(path, schema) as writer:
        writer.write([splat.arrays()])
    return (folder / "gaussians" / "00000.parquet").stat().st_size
