"""Point-cloud test sets, laid out as the published HDF5 files."""

import h5py
import numpy as np
import pytest

from model.data.frame import to_model_frame
from model.evaluate_points import Arguments, main, point_figures
from model.evaluation.label_sets import label_set
from model.evaluation.point_sets import read_point_set, splat_of_points
from pipeline.base.errors import ConfigError
from pipeline.values.packed import MEANS, SCALES


def write_set(path, clouds: np.ndarray, labels: np.ndarray):
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = clouds.astype(np.float32), labels
    return path


@pytest.fixture
def clouds() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(6, 128, 3))


def test_several_files_are_one_set(tmp_path, clouds):
    """ModelNet40 has labels [N, 1] in several files, ScanObjectNN [N] in one."""
    first = write_set(tmp_path / "test0.h5", clouds[:4], np.array([[0], [1], [39], [2]], np.uint8))
    second = write_set(tmp_path / "test1.h5", clouds[4:], np.array([5, 6]))
    points, labels = read_point_set([first, second], len(label_set("modelnet40")))
    np.testing.assert_array_equal(points, clouds.astype(np.float32))
    assert labels.tolist() == [0, 1, 39, 2, 5, 6]


def test_files_that_are_no_point_set_are_named(tmp_path, clouds):
    labels = np.arange(6)
    (tmp_path / "text.h5").write_text("Dear reader")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["points"] = clouds
    broken = clouds.copy()
    broken[3, 7] = np.nan
    wrong = {
        "text.h5": "not a point set",
        "other.h5": "not a point set",
        write_set(tmp_path / "nan.h5", broken, labels).name: "NaN",
        write_set(tmp_path / "flat.h5", clouds[..., :2], labels).name: "expected",
        write_set(tmp_path / "classes.h5", clouds, labels + 10).name: "are not those of 15 classes",
    }
    for name, message in wrong.items():
        with pytest.raises(ConfigError, match=message) as caught:
            read_point_set([tmp_path / name], 15)
        assert name in str(caught.value)


def test_a_cloud_keeps_its_upward_axis_and_its_gaps(clouds):
    """The model's frame is y up, as the sets are: there and back is the cloud again, but for place and size."""
    points = clouds[0].astype(np.float32)
    splat = splat_of_points(points)
    np.testing.assert_allclose(splat[:, MEANS][:, 2], points[:, 1], atol=1e-6)  # z up
    seen = to_model_frame(splat)[:, MEANS]
    centred = points - points.mean(axis=0)
    np.testing.assert_allclose(seen, centred / np.linalg.norm(centred, axis=1).max(), atol=1e-5)
    np.testing.assert_allclose(splat_of_points(10 * points)[:, SCALES], 10 * splat[:, SCALES], rtol=1e-4)


def test_repeated_points_keep_a_size():
    splat = splat_of_points(np.repeat(np.eye(3, dtype=np.float32), 50, axis=0))
    assert splat[:, SCALES].min() > 0 and np.isfinite(splat).all()


def test_figures_stand_beside_chance():
    vectors = np.eye(4)
    labels = np.array([0, 1, 2, 3])
    perfect = point_figures(vectors[labels], labels, vectors)
    assert perfect["zero_shot_top1"] == perfect["zero_shot_class_average_top1"] == 1
    assert perfect["zero_shot_top1_chance"] == 0.25
    turned = point_figures(vectors[(labels + 1) % 4], labels, vectors)
    assert turned["zero_shot_top1"] == 0


def test_a_missing_model_is_a_clear_error(tmp_path, clouds):
    file = write_set(tmp_path / "test.h5", clouds, np.arange(6))
    with pytest.raises(ConfigError, match="runs/none"):
        main(Arguments((file,), run=str(tmp_path / "runs/none"), classes="scanobjectnn"))
