"""What the raster engine shows, against colours and geometry that the test knows exactly."""

import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from pipeline.values.color import linear_to_srgb, srgb_to_linear
from render.cameras import Cameras, fibonacci_cameras, look_at_origin
from render.raster.load import load
from render.raster.rasterizer import Rasterizer
from tests.render.raster.quads import DEFAULT_MATERIAL, quad_gltf, write_png

SIZE = 64
ABOVE = Cameras(SIZE, 40.0, look_at_origin(np.array([0.0, 0.0, 2.0]))[None])


def see(path, cameras=ABOVE, samples=16, view=0):
    """The view of a camera on an asset whose z axis is up."""
    return Rasterizer(cameras, samples).render(load(path, np.eye(3), 1_000_000).surface, view)


def inner(view) -> np.ndarray:
    """[N, 4] pixels that the object fills, well away from its edges: the quads span 24 pixels or more each way."""
    return view.rgba[SIZE // 2 - 10 : SIZE // 2 + 10, SIZE // 2 - 10 : SIZE // 2 + 10].reshape(-1, 4)


def test_plain_color_is_exact_on_a_flat_quad(tmp_path):
    view = see(quad_gltf(tmp_path, {"baseColorFactor": [*srgb_to_linear(np.array([200, 40, 30]) / 255), 1]}))
    assert (inner(view) == [200, 40, 30, 255]).all()
    assert view.rgba[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("wrap", [10497, 33071, 33648])
@pytest.mark.parametrize("nearest", [False, True])
def test_texture_lies_the_right_way_round_and_wraps(tmp_path, wrap, nearest):
    """Against the definition, evaluated where the rays of each pixel's centre meet the quad."""
    texels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    write_png(tmp_path / "texture.png", texels)
    sampler = {"wrapS": wrap, "wrapT": wrap} | ({"magFilter": 9728} if nearest else {})
    surface = {"baseColorTexture": {"index": 0}}
    view = see(quad_gltf(tmp_path, surface, sampler=sampler, uv_range=(-0.75, 2.25)), samples=1)
    positions = view.positions[view.rgba[..., 3] > 0]
    half = 1 / np.sqrt(8)
    uv = -0.75 + 3 * np.column_stack([positions[:, 0] + half, half - positions[:, 1]]) / (2 * half)
    expected = sample(texels, uv, wrap, nearest)
    difference = np.abs(view.rgba[view.rgba[..., 3] > 0][:, :3] - expected)
    assert (difference <= 1).all(axis=1).mean() > (0.97 if nearest else 0.999)  # on texels' edges floats decide


def sample(texels: np.ndarray, uv: np.ndarray, wrap: int, nearest: bool) -> np.ndarray:
    """[N, 3] sRGB bytes of a square texture, by the definitions of glTF's wrap modes."""
    size = len(texels)

    def index(i):
        i = i.astype(int)
        if wrap == 10497:
            return i % size
        if wrap == 33071:
            return np.clip(i, 0, size - 1)
        return np.where(i % (2 * size) < size, i % (2 * size), 2 * size - 1 - i % (2 * size))

    place = uv * size - 0.5
    if nearest:
        column, line = index(np.floor(place + 0.5)).T
        return texels[line, column].astype(float)
    low = np.floor(place)
    (x, y), (x0, y0), (x1, y1) = (place - low).T, index(low).T, index(low + 1).T
    x, y = x[:, None], y[:, None]
    return (texels[y0, x0] * (1 - x) + texels[y0, x1] * x) * (1 - y) + (
        texels[y1, x0] * (1 - x) + texels[y1, x1] * x
    ) * y


def test_samples_are_averaged_in_linear_light(tmp_path):
    """A checkerboard far below a pixel's size is 0.5 in linear light, not in sRGB."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    write_png(tmp_path / "texture.png", np.repeat(board[..., None], 3, axis=2).astype(np.uint8))
    surface = {"baseColorTexture": {"index": 0}}
    view = see(quad_gltf(tmp_path, surface, sampler={"magFilter": 9728}, uv_range=(0.0, 3.0)), samples=64)
    mean = srgb_to_linear(inner(view)[:, :3] / 255).mean()
    assert mean == pytest.approx(0.5, abs=0.02)


def test_vertex_colors_emission_and_base_color_come_together(tmp_path):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.5, 0.5, 1]}, "emissiveFactor": [0.0, 0.1, 0.0]}
    view = see(quad_gltf(tmp_path, material=material, colors=[0.4, 0.6, 0.8]))
    expected = np.rint(linear_to_srgb(np.array([0.2, 0.4, 0.4])) * 255)
    assert np.abs(inner(view)[:, :3] - expected).max() <= 1


def test_unlit_material_does_not_glow(tmp_path):
    material = {**DEFAULT_MATERIAL, "emissiveFactor": [1, 1, 1], "extensions": {"KHR_materials_unlit": {}}}
    material["pbrMetallicRoughness"] = {"baseColorFactor": [0, 0, 0, 1]}
    assert (inner(see(quad_gltf(tmp_path, material=material)))[:, :3] == 0).all()


@pytest.mark.parametrize(("mode", "alpha", "expected"), [("MASK", 0.6, 255), ("MASK", 0.4, 0), ("OPAQUE", 0.2, 255)])
def test_alpha_mode_decides_between_all_and_nothing(tmp_path, mode, alpha, expected):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, alpha]}, "alphaMode": mode}
    assert (inner(see(quad_gltf(tmp_path, material=material)))[:, 3] == expected).all()


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.75])
def test_layers_of_glass_cover_each_other_as_independent_ones(tmp_path, alpha):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, alpha]}, "alphaMode": "BLEND"}
    one = inner(see(quad_gltf(tmp_path, material=material)))[:, 3] / 255
    assert one.mean() == pytest.approx(alpha, abs=0.01)
    assert one.std() < 0.04
    two = inner(see(quad_gltf(tmp_path, material=material, layers=2)))[:, 3] / 255
    assert two.mean() == pytest.approx(1 - (1 - alpha) ** 2, abs=0.025)


def test_cut_outs_follow_the_textures_alpha(tmp_path):
    texels = np.full((2, 2, 4), 255, np.uint8)
    texels[0, 0, 3] = 0  # u and v small: left and at the top of the image
    write_png(tmp_path / "texture.png", texels)
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "alphaMode": "MASK"}
    alpha = see(quad_gltf(tmp_path, material=material, sampler={"magFilter": 9728})).rgba[..., 3]
    quarter = SIZE // 4
    centre = slice(SIZE // 2 - quarter, SIZE // 2), slice(SIZE // 2, SIZE // 2 + quarter)
    covered = [[int(alpha[y, x].mean() > 128) for x in centre] for y in centre]
    assert covered == [[0, 1], [1, 1]]


@pytest.mark.parametrize("kind", ["ball", "chain"])
@pytest.mark.parametrize("side", [1, 3, 4])
def test_depth_is_that_of_cast_rays(tmp_path, side, kind):
    """Against Embree; and of what lies one behind the other, the nearest is seen."""
    if kind == "ball":
        mesh = trimesh.creation.icosphere(3, 0.5)
    else:
        links = [trimesh.creation.torus(1, 0.3) for _ in range(3)]
        for number, link in enumerate(links):
            link.apply_transform(trimesh.transformations.rotation_matrix(number * 1.3, [1, 0.2, 0]))
            link.apply_translation([1.2 * number, 0, 0])
        mesh = trimesh.util.concatenate(links)
    mesh.export(tmp_path / "a.ply")
    cameras = fibonacci_cameras(3, 48, 40.0)
    loaded = load(tmp_path / "a.ply", np.eye(3), 10_000)
    world = trimesh.Trimesh((mesh.vertices - loaded.center) * loaded.scale, mesh.faces, process=False)
    for number, origin in enumerate(cameras.positions):
        view = Rasterizer(cameras, side * side).render(loaded.surface, number)
        hit = view.rgba[..., 3] > 0
        positions = view.positions[hit].astype(np.float64)
        assert len(positions) > 100
        assert not view.positions[~hit].any()
        shares = cast(world, origin, positions - origin)  # 1: the ray ends where the view says
        distance = np.linalg.norm(positions - origin, axis=1)
        # Rays along an outline may pass it by; and what the file holds are single floats.
        assert (np.abs(shares * distance - distance) < 1e-4).mean() > 0.99
        normals = view.normals[hit]
        assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
        if kind == "ball":
            assert ((normals * positions).sum(axis=1) > 0).all()


def cast(mesh: trimesh.Trimesh, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """[N] least t with `origin + t * direction` on the mesh, else inf (by Embree)."""
    origins = np.tile(origin, (len(directions), 1))
    places, rays, _ = mesh.ray.intersects_location(origins, directions, multiple_hits=False)
    least = np.full(len(directions), np.inf)
    least[rays] = np.linalg.norm(places - origin, axis=1) / np.linalg.norm(directions[rays], axis=1)
    return least


def test_the_same_asset_gives_the_same_bytes(tmp_path):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.4]}, "alphaMode": "BLEND"}
    path = quad_gltf(tmp_path, material=material, layers=3)
    first, rasterizer = see(path), Rasterizer(ABOVE, 16)
    surface = load(path, np.eye(3), 100).surface
    for _ in range(2):  # the second view finds the buffers that the first one left
        again = rasterizer.render(surface, 0)
        assert all((getattr(again, name) == getattr(first, name)).all() for name in ("rgba", "positions", "normals"))


def test_nothing_behind_a_camera_is_ever_drawn(tmp_path):
    surface = load(quad_gltf(tmp_path, {}), np.eye(3), 100).surface
    inside = Cameras(SIZE, 40.0, look_at_origin(np.array([0.3, 0.0, 0.0]))[None])
    with pytest.raises(ValueError, match="behind camera 0"):
        Rasterizer(inside, 16).render(surface, 0)


def test_texture_without_its_alpha_statement_is_opaque(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (10, 200, 30, 77)).save(buffer, "PNG")
    (tmp_path / "t.png").write_bytes(buffer.getvalue())
    (tmp_path / "asset.obj").write_text(
        "mtllib a.mtl\nv -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nusemtl m\nf 1/1 2/2 3/3\nf 1/1 3/2 4/3\n"
    )
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd t.png\n")
    assert (inner(see(tmp_path / "asset.obj")) == [3, 60, 9, 255]).all()  # over black
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd t.png\nmap_d t.png\n")
    assert inner(see(tmp_path / "asset.obj"))[:, 3].mean() == pytest.approx(77, abs=3)
