import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fit_gaussians.config import FitConfig
from fit_gaussians.stage import FitStage, prepare
from pipeline.base.errors import AssetError, ConfigError
from pipeline.stages.stage import Failure, StageContext
from pipeline.store.rows import rows_from_table, table_from_rows
from pipeline.store.schema import GAUSSIANS, TIMING_COLUMNS
from pipeline.values.splat import Gaussians
from tests.fit_gaussians.scenes import encode, sphere_points, sphere_row, splat_of, views_row

CLEAR, SOLID = (encode(np.full((64, 64, 4), value, np.uint8)) for value in (0, 255))
CONFIG = FitConfig(num_gaussians=800, iterations=60, heldout_every=4, backend="numba")


def fit(row, tmp_path, config=CONFIG):
    (result,) = make_stage(tmp_path, config).process([row])
    return result


def make_stage(tmp_path, config=CONFIG):
    stage = FitStage(config, StageContext(corpus=None, scratch=tmp_path))
    stage.setup()
    return stage


@pytest.fixture(scope="module")
def sphere():
    return sphere_row()


@pytest.fixture(scope="module")
def fitted(sphere, tmp_path_factory):
    return fit(sphere, tmp_path_factory.mktemp("fit"))


def check_row(row):
    """What every row promises, whatever it was made from."""
    assert isinstance(row, dict), row
    (again,) = rows_from_table(table_from_rows([row], GAUSSIANS))  # fits the schema
    for name in ("means", "quats", "scales", "opacities", "colors", "psnr", "ssim", "psnr_object", "psnr_worst_view"):
        assert np.isfinite(again[name]).all(), name
    assert row["num_gaussians"] == len(row["means"]) > 0
    assert (row["quats"][:, 0] >= 0).all() and (row["scales"] > 0).all()
    assert ((row["opacities"] > 0) & (row["opacities"] < 1)).all()


def test_a_fit_shows_views_that_it_did_not_see(fitted):
    check_row(fitted)
    assert fitted["heldout_views"].tolist() == [2, 6, 10]
    assert fitted["psnr"] > 30.5
    assert fitted["ssim"] > 0.97
    assert fitted["psnr_worst_view"] <= fitted["psnr"]
    assert (fitted["rasterize_mode"], fitted["backend"], fitted["iterations"]) == ("antialiased", "numba", 60)
    assert fitted["eps2d"] == 0.1 and (fitted["fit_width"], fitted["fit_height"]) == (64, 64)


def test_the_optimiser_earns_most_of_it(sphere, fitted, tmp_path):
    initial = fit(sphere, tmp_path, CONFIG.model_copy(update={"iterations": 0}))
    assert fitted["psnr"] > initial["psnr"] + 3


def test_no_floaters_are_left_in_empty_space(fitted):
    assert np.abs(np.linalg.norm(fitted["means"], axis=1) - 0.35).max() < 0.05


def test_the_same_object_gives_the_same_bits(sphere, fitted, tmp_path):
    again = fit(sphere, tmp_path)
    for name in set(GAUSSIANS.names) - TIMING_COLUMNS:
        assert np.array_equal(again[name], fitted[name]), name


def test_seeds_come_from_the_uid_and_the_config(sphere, tmp_path):
    config = CONFIG.model_copy(update={"iterations": 2})
    rows = [
        fit(sphere, tmp_path, config),
        fit(sphere | {"uid": "other"}, tmp_path, config),
        fit(sphere, tmp_path, config.model_copy(update={"seed": 1})),
    ]
    means = [row["means"] for row in rows]
    assert not np.array_equal(means[0], means[1]) and not np.array_equal(means[0], means[2])


def test_classic_rasterization_is_an_option(sphere, tmp_path):
    row = fit(sphere, tmp_path, CONFIG.model_copy(update={"rasterize_mode": "classic", "eps2d": 0.3}))
    assert (row["rasterize_mode"], row["eps2d"]) == ("classic", 0.3)
    assert row["psnr"] > 25


def shiny_row():
    """A sphere whose colour turns with the view."""
    points, normals, colors = sphere_points(3000)
    rest = np.zeros((len(points), 3, 3), np.float32)
    rest[:, 1] = [0.5, -0.4, 0.0]
    splat = splat_of(points, normals, colors, spacing=0.023)
    return views_row(replace(splat, sh_rest=rest), *sphere_points(1500), views=24, size=48, uid="shiny")


def test_harmonics_show_what_one_colour_cannot(tmp_path):
    row = shiny_row()
    config = CONFIG.model_copy(update={"iterations": 200})
    plain, shaded = (fit(row, tmp_path, config.model_copy(update={"sh_degree": degree})) for degree in (0, 1))
    for result, count in ((plain, 0), (shaded, 3)):
        check_row(result)
        (again,) = rows_from_table(table_from_rows([result], GAUSSIANS))
        splat = Gaussians.from_row(again)
        assert splat.sh_rest.shape == (result["num_gaussians"], count, 3)
    assert (plain["sh_degree"], shaded["sh_degree"]) == (0, 1)
    assert shaded["psnr"] > plain["psnr"] + 0.5


def test_tables_without_harmonics_are_of_degree_0(fitted):
    older = {name: value for name, value in fitted.items() if not name.startswith("sh_")}
    assert Gaussians.from_row(older).sh_degree == 0


def test_a_bad_object_does_not_harm_the_others_of_its_batch(sphere, tmp_path):
    bad = sphere | {"uid": "bad", "images": []}
    smaller = sphere_row(views=6, size=48, uid="smaller", points=300)  # another shape, and fewer points than asked
    config = CONFIG.model_copy(update={"iterations": 3})
    first, failure, third = make_stage(tmp_path, config).process([sphere, bad, smaller])
    check_row(first)
    assert isinstance(failure, Failure) and failure.uid == "bad" and failure.error_class == "AssetError"
    check_row(third)
    assert third["num_gaussians"] == 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((0, 3), np.float32)}, "no surface points"),
        ({"points": np.full((500, 3), np.nan, np.float32)}, "no surface points"),
        ({"world_to_camera": None}, "world_to_camera"),
        ({"images": [CLEAR] * 12}, "training views are"),
        ({"images": [SOLID, SOLID, CLEAR, SOLID] * 3}, "held-out views are"),
    ],
)
def test_bad_objects_are_refused(sphere, change, message):
    count = len(change.get("points", sphere["points"]))
    cut = {name: sphere[name][:count] for name in ("point_normals", "point_colors")}
    with pytest.raises(AssetError, match=message):
        prepare(sphere | cut | change, CONFIG)


def test_one_view_is_refused(tmp_path):
    result = fit(sphere_row(views=1), tmp_path)
    assert isinstance(result, Failure) and "at least two views" in result.message and not result.retryable


def card():
    """A flat square, seen as a line from the side."""
    u, v = np.meshgrid(np.linspace(-0.3, 0.3, 40), np.linspace(-0.3, 0.3, 40))
    points = np.stack([u.ravel(), v.ravel(), np.zeros(u.size)], 1)
    return points, np.tile([0.0, 0, 1], (len(points), 1)), np.full((len(points), 3), [200, 30, 90], np.uint8)


def wires():
    """Three crossing lines, thinner than a pixel."""
    line = np.linspace(-0.35, 0.35, 200)
    points = np.concatenate([line[:, None] * np.eye(3)[axis] for axis in range(3)])
    return points, np.zeros_like(points), np.full((len(points), 3), 40, np.uint8)


def box():
    """Twelve triangles."""
    u, v = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.25, 0.25, 16), np.linspace(-0.25, 0.25, 16)))
    points, normals = [], []
    for axis in range(3):
        for side in (-0.25, 0.25):
            face = np.zeros((len(u), 3))
            face[:, axis], face[:, (axis + 1) % 3], face[:, (axis + 2) % 3] = side, u, v
            points.append(face)
            normals.append(np.tile(np.sign(side) * np.eye(3)[axis], (len(u), 1)))
    points = np.concatenate(points)
    return points, np.concatenate(normals), np.full((len(points), 3), 120, np.uint8)


@pytest.mark.parametrize(("shape", "spacing"), [(card, 0.016), (wires, 0.004), (box, 0.033)])
def test_odd_shapes_are_fitted(shape, spacing, tmp_path):
    points, normals, colors = shape()
    row = views_row(splat_of(points, normals, colors, spacing), points, normals, colors, views=8, size=48)
    result = fit(row, tmp_path, CONFIG.model_copy(update={"iterations": 40}))
    check_row(result)
    assert result["psnr"] > 25


def test_a_million_surface_points_are_thinned(sphere, tmp_path):
    points, normals, colors = sphere_points(1_000_000)
    dense = {"points": points.astype(np.float32), "point_normals": normals.astype(np.float32), "point_colors": colors}
    result = fit(sphere | dense, tmp_path, CONFIG.model_copy(update={"iterations": 20}))
    check_row(result)
    assert 700 <= result["num_gaussians"] <= 800 and result["psnr"] > 25


def test_points_of_colours_that_are_not_finite_are_left_out(sphere, tmp_path):
    colors = sphere["point_colors"].astype(np.float32)
    colors[::3] = np.nan
    result = fit(sphere | {"point_colors": colors}, tmp_path, CONFIG.model_copy(update={"iterations": 5}))
    check_row(result)
    nowhere = fit(sphere | {"point_colors": colors * np.nan}, tmp_path)
    assert (
        isinstance(nowhere, Failure) and nowhere.error_class == "AssetError" and "no surface points" in nowhere.message
    )


def test_cameras_that_are_not_finite_are_refused(sphere, tmp_path):
    cameras = sphere["world_to_camera"].copy()
    cameras[3, 5] = np.nan
    result = fit(sphere | {"world_to_camera": cameras}, tmp_path)
    assert isinstance(result, Failure) and result.error_class == "AssetError" and "not finite" in result.message


def test_views_that_contradict_each_other_end_in_a_row(tmp_path, sphere):
    rng = np.random.default_rng(0)
    noise = [encode(rng.integers(0, 256, (64, 64, 4), np.uint8)) for _ in range(12)]
    check_row(fit(sphere | {"images": noise}, tmp_path))


def test_gsplat_without_a_gpu_stops_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        make_stage(tmp_path, CONFIG.model_copy(update={"backend": "gsplat"}))
    assert make_stage(tmp_path, CONFIG.model_copy(update={"backend": "auto"})).backend == "numba"


def test_a_worker_without_a_gpu_needs_no_torch():
    """Half of its memory would be torch's."""
    kernels = ("rasterize.kernels.loss_kernel", "rasterize.kernels.shade")
    modules = ("stage", "cpu.fit", "draw", "metrics", "cpu.parameters", *kernels)
    imports = "; ".join(f"import fit_gaussians.{module}" for module in modules)
    code = f"import sys; {imports}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"


def test_an_early_end_is_told_in_the_row(sphere, tmp_path):
    row = fit(sphere, tmp_path, CONFIG.model_copy(update={"iterations": 1000, "early_stop": 0.03}))
    assert row["iterations"] < 500
    assert row["psnr"] > 30
