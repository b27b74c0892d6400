import io
from dataclasses import replace

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from pipeline.base.errors import AssetError
from pipeline.values.ply import read_ply, write_ply
from pipeline.values.splat import SH_C0, Gaussians, rest_count
from tests.fit_gaussians.scenes import sphere_points, splat_of

STANDARD_ORDER = [
    *["x", "y", "z", "nx", "ny", "nz"],
    *["f_dc_0", "f_dc_1", "f_dc_2"],
    *["opacity", "scale_0", "scale_1", "scale_2"],
    *["rot_0", "rot_1", "rot_2", "rot_3"],
]


@pytest.fixture
def splat() -> Gaussians:
    return splat_of(*sphere_points(50), spacing=0.05)


def test_layout_is_that_of_3d_gaussian_splatting(tmp_path, splat):
    write_ply(tmp_path / "splat.ply", splat, "antialiased", 0.1)
    data = PlyData.read(str(tmp_path / "splat.ply"))
    assert not data.text and data.byte_order == "<"
    assert [property.name for property in data["vertex"].properties] == STANDARD_ORDER
    assert {property.val_dtype for property in data["vertex"].properties} == {"f4"}
    assert data.comments == ["rasterize_mode antialiased", "eps2d 0.1"]
    vertex = data["vertex"]
    assert 0.5 + SH_C0 * vertex["f_dc_1"] == pytest.approx(splat.colors[:, 1], abs=1e-6)
    assert 1 / (1 + np.exp(-vertex["opacity"])) == pytest.approx(splat.opacities, abs=1e-6)
    assert np.exp(vertex["scale_2"]) == pytest.approx(splat.scales[:, 2], rel=1e-5)
    assert vertex["rot_0"] == pytest.approx(splat.quats[:, 0])


def test_round_trip(splat):
    buffer = io.BytesIO()
    write_ply(buffer, splat, "classic", 0.3)
    buffer.seek(0)
    file = read_ply(buffer)
    assert (file.rasterize_mode, file.eps2d) == ("classic", 0.3)
    for name, array in splat.arrays().items():
        assert getattr(file.splat, name) == pytest.approx(array, rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_harmonics_go_there_and_back_channel_by_channel(splat, degree):
    rest = np.random.default_rng(0).normal(size=(len(splat), rest_count(degree), 3)).astype(np.float32)
    buffer = io.BytesIO()
    write_ply(buffer, replace(splat, sh_rest=rest), "antialiased", 0.1)
    buffer.seek(0)
    vertices = PlyData.read(buffer)["vertex"]
    names = [property.name for property in vertices.properties]
    assert names == [*STANDARD_ORDER[:9], *(f"f_rest_{i}" for i in range(3 * rest_count(degree))), *STANDARD_ORDER[9:]]
    assert np.array_equal(vertices["f_rest_1"], rest[:, 1, 0])  # the second harmonic's red
    assert np.array_equal(vertices[f"f_rest_{rest_count(degree)}"], rest[:, 0, 1])  # the first one's green
    buffer.seek(0)
    again = read_ply(buffer).splat
    assert again.sh_degree == degree and np.array_equal(again.sh_rest, rest)


def test_a_number_of_harmonics_of_no_degree_is_refused(splat):
    buffer = io.BytesIO()
    write_ply(buffer, splat, "antialiased", 0.1)
    buffer.seek(0)
    vertices = PlyData.read(buffer)["vertex"].data
    odd = np.zeros(len(vertices), [*vertices.dtype.descr, ("f_rest_0", "<f4")])
    for name in STANDARD_ORDER:
        odd[name] = vertices[name]
    buffer = io.BytesIO()
    PlyData([PlyElement.describe(odd, "vertex")]).write(buffer)
    buffer.seek(0)
    with pytest.raises(AssetError, match="no degree of spherical harmonics"):
        read_ply(buffer)


def test_files_of_others_are_read(splat):
    """With quaternions of any norm, in another order, big-endian and without comments."""
    buffer = io.BytesIO()
    write_ply(buffer, splat, "antialiased", 0.1)
    buffer.seek(0)
    vertex = PlyData.read(buffer)["vertex"].data
    names = [*reversed(STANDARD_ORDER)]
    other = np.zeros(len(vertex), [(name, ">f4") for name in names])
    for name in STANDARD_ORDER:
        other[name] = vertex[name] * (3 if name.startswith("rot") else 1)
    buffer = io.BytesIO()
    PlyData([PlyElement.describe(other, "vertex")], byte_order=">").write(buffer)
    buffer.seek(0)
    file = read_ply(buffer)
    assert file.rasterize_mode is None and file.eps2d is None
    assert file.splat.quats == pytest.approx(splat.quats, abs=1e-5)
    assert file.splat.means == pytest.approx(splat.means)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"],
    ids=["empty", "text", "mesh"],
)
def test_what_is_no_splat_is_refused(tmp_path, content):
    path = tmp_path / "broken.ply"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"broken\.ply"):
        read_ply(path)


def test_truncated_and_non_finite_files_are_refused(tmp_path, splat):
    path = tmp_path / "splat.ply"
    write_ply(path, splat, "antialiased", 0.1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(AssetError):
        read_ply(path)
    path.write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(AssetError, match="not finite"):
        read_ply(path)
