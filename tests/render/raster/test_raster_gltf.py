"""glTF as it is met in the wild: every feature once, in exact colours, and then all of them beside Blender."""

import math

import numpy as np
import pytest

from pipeline.values.color import linear_to_srgb
from pipeline.values.pictures import view_pixels
from render.raster.gltf_mesh import load_gltf
from tests.render.raster.gltf_writer import CORNERS, QUARTERS, TRIANGLES, UVS, Quad
from tests.render.raster.test_raster_pictures import ABOVE, SIZE, see

RED, GREEN, BLUE, YELLOW = (tuple(color) for color in QUARTERS.reshape(4, 3).tolist())
CLEAR = (0, 0, 0)


def quarters(path, cameras=ABOVE) -> list[tuple[int, ...]]:
    """Colours in the middle of the quad's quarters, line by line; what is not covered is CLEAR."""
    rgba = see(path, cameras).rgba
    places = (SIZE // 2 - 6, SIZE // 2 + 6)
    return [tuple(rgba[y, x, :3].tolist()) if rgba[y, x, 3] > 250 else CLEAR for y in places for x in places]


def transformed(**transform) -> Quad:
    quad = Quad()
    quad.uses("KHR_texture_transform")
    reference = {"index": 0, "extensions": {"KHR_texture_transform": transform}}
    quad.material["pbrMetallicRoughness"] = {"baseColorTexture": reference}
    return quad


def turned() -> Quad:
    return transformed(rotation=math.pi / 2, offset=[0.0, 1.0])


def shifted() -> Quad:
    return transformed(offset=[0.5, 0.0])


def zoomed() -> Quad:
    return transformed(scale=[0.5, 0.5], offset=[0.5, 0.0])


def with_second_uvs() -> Quad:
    quad = Quad()
    quad.primitive["attributes"]["TEXCOORD_1"] = quad.add(1 - UVS)
    quad.material["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] = 1
    return quad


def with_second_uvs_by_transform() -> Quad:
    quad = transformed(texCoord=1)
    quad.primitive["attributes"]["TEXCOORD_1"] = quad.add(1 - UVS)
    return quad


def with_glow_placed_otherwise() -> Quad:
    quad = Quad()
    quad.uses("KHR_texture_transform")
    quad.material = {
        "pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1]},
        "emissiveFactor": [1, 1, 1],
        "emissiveTexture": {"index": 0, "extensions": {"KHR_texture_transform": {"offset": [0.5, 0.0]}}},
    }
    return quad


def glossy() -> Quad:
    quad = Quad()
    quad.uses("KHR_materials_pbrSpecularGlossiness")
    diffuse = {"diffuseFactor": [0.5, 0.5, 0.5, 1], "diffuseTexture": {"index": 0}}
    quad.material = {"extensions": {"KHR_materials_pbrSpecularGlossiness": diffuse}}
    return quad


def in_webp() -> Quad:
    quad = Quad()
    quad.uses("EXT_texture_webp")
    quad.image(QUARTERS[:, ::-1].copy(), "WEBP")
    quad.document["textures"][0] = {"sampler": 0, "extensions": {"EXT_texture_webp": {"source": 1}}}
    return quad


def quantised() -> Quad:
    quad = Quad((CORNERS * 30000).astype(np.int16), (UVS * 255).astype(np.uint8))
    quad.uses("KHR_mesh_quantization")
    attributes = quad.primitive["attributes"]
    quad.document["accessors"][attributes["TEXCOORD_0"]]["normalized"] = True
    quad.node["scale"] = [1 / 30000] * 3
    return quad


def of_vertex_colors(dtype=np.float32) -> Quad:
    quad = Quad()
    quad.material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 0.5, 1, 1]}}
    scale = 1 if dtype is np.float32 else np.iinfo(dtype).max
    colors = np.tile(np.array([0.2, 0.4, 0.6, 1.0]) * scale, (4, 1)).astype(dtype)
    quad.primitive["attributes"]["COLOR_0"] = quad.add(colors, normalized=dtype is not np.float32)
    return quad


def strip() -> Quad:
    quad = Quad(indices=np.array([0, 1, 3, 2], np.uint16))
    quad.primitive["mode"] = 5
    return quad


def fan() -> Quad:
    quad = Quad(indices=np.array([0, 1, 2, 3], np.uint16))
    quad.primitive["mode"] = 6
    return quad


def without_indices() -> Quad:
    quad = Quad(CORNERS[TRIANGLES], UVS[TRIANGLES])
    del quad.primitive["indices"]
    return quad


def morphed() -> Quad:
    """A quad of half the height, which its second target, on at rest, stretches to the full one."""
    quad = Quad(CORNERS * np.float32([1, 0.5, 1]))
    away = quad.add(np.full((4, 3), 5, np.float32))
    up = quad.add_sparse(4, np.array([2, 3], np.uint16), np.array([[0, 1, 0], [0, 1, 0]], np.float32))
    quad.primitive["targets"] = [{"POSITION": away}, {"POSITION": up}]
    quad.document["meshes"][0]["weights"] = [0.0, 0.5]
    return quad


def skinned() -> Quad:
    """Bound to two joints that stand elsewhere now; the armature itself is moved, which makes no difference."""
    quad = Quad()
    joints = np.zeros((4, 4), np.uint8)
    joints[:, 0] = [0, 0, 1, 1]
    weights = np.tile(np.float32([1, 0, 0, 0]), (4, 1))
    quad.primitive["attributes"] |= {"JOINTS_0": quad.add(joints), "WEIGHTS_0": quad.add(weights)}
    binds = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    binds[1, 3, :3] = [0, -0.7, 0]  # column-major: the second joint was bound at 0, 0.7, 0
    skin = {"joints": [2, 3], "skeleton": 2, "inverseBindMatrices": quad.add(binds.reshape(2, 16))}
    quad.document |= {
        "scenes": [{"nodes": [0, 1]}],
        "nodes": [
            {"mesh": 0, "skin": 0, "translation": [7, 7, 7]},
            {"translation": [1, 2, 3], "children": [2]},
            {"rotation": [0, 0, 0.6, 0.8], "children": [3]},
            {"translation": [0, 0.7, 0], "rotation": [0, 0, 0.6, 0.8]},
        ],
        "skins": [skin],
    }
    return quad


def mirrored() -> Quad:
    quad = Quad()
    quad.node["scale"] = [-1, 1, 1]
    return quad


def nested() -> Quad:
    """Two nodes that cancel each other out: a quarter turn, by quaternion and by matrix."""
    quad = Quad()
    half = math.sqrt(0.5)
    matrix = [0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    quad.document["nodes"] = [{"rotation": [0, 0, half, half], "children": [1]}, {"mesh": 0, "matrix": matrix}]
    return quad


def unlit() -> Quad:
    quad = Quad()
    quad.uses("KHR_materials_unlit")
    quad.material["extensions"] = {"KHR_materials_unlit": {}}
    return quad


def cut_out() -> Quad:
    quad = Quad()
    alpha = np.array([[[255], [100]], [[140], [255]]], np.uint8)
    quad.document["textures"][0]["source"] = quad.image(np.concatenate([QUARTERS, alpha], axis=2))
    quad.material |= {"alphaMode": "MASK", "alphaCutoff": 0.45}
    return quad


def dimmed(factors, color) -> tuple[int, ...]:
    linear = np.array(factors) * [((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in color]
    return tuple(np.rint(linear_to_srgb(linear) * 255).astype(int).tolist())


WHOLE = [RED, GREEN, BLUE, YELLOW]
TONE = dimmed([0.2, 0.2, 0.6], [255, 255, 255])
CASES = {
    turned: [BLUE, RED, YELLOW, GREEN],
    shifted: [GREEN, RED, YELLOW, BLUE],
    zoomed: [GREEN] * 4,
    with_second_uvs: WHOLE[::-1],
    with_second_uvs_by_transform: WHOLE[::-1],
    with_glow_placed_otherwise: [GREEN, RED, YELLOW, BLUE],
    glossy: [dimmed([0.5] * 3, color) for color in WHOLE],
    in_webp: [GREEN, RED, YELLOW, BLUE],
    quantised: WHOLE,
    of_vertex_colors: [TONE] * 4,
    strip: WHOLE,
    fan: WHOLE,
    without_indices: WHOLE,
    morphed: WHOLE,
    skinned: WHOLE,
    mirrored: [GREEN, RED, YELLOW, BLUE],
    nested: WHOLE,
    unlit: WHOLE,
    cut_out: [RED, CLEAR, BLUE, YELLOW],
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_feature(tmp_path, make):
    seen = quarters(make().write(tmp_path))
    assert np.abs(np.array(seen) - CASES[make]).max() <= 2, f"{seen} instead of {CASES[make]}"


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_feature_beside_blender(render_in, tmp_path, make):
    """The same pixels, but for edges and the importer's rounding; colours are wrong or right."""
    path = make().write(tmp_path)
    settings = {"views": 3, "resolution": 48, "samples": 16, "up_axis": "z"}
    ours, reference = (
        np.stack([view_pixels(image["bytes"], None, "a view") for image in row["images"]]).astype(int)
        for row in (render_in(tmp_path, path, engine=engine, **settings) for engine in ("raster", "blenderproc"))
    )
    assert (np.abs(ours - reference).max(axis=-1) > 12).mean() < 0.03


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_vertex_colors_may_be_normalised_integers(tmp_path, dtype):
    seen = quarters(of_vertex_colors(dtype).write(tmp_path))
    assert np.abs(np.array(seen) - TONE).max() <= 2


@pytest.mark.parametrize("double_sided", [False, True])
def test_a_surface_is_seen_from_behind_as_well(tmp_path, double_sided):
    """Scans and foliage rely on it, whatever their material says; so does Blender."""
    quad = Quad()
    quad.material["doubleSided"] = double_sided
    quad.node["rotation"] = [0, 1, 0, 0]  # half a turn
    assert quarters(quad.write(tmp_path)) == [GREEN, RED, YELLOW, BLUE]


def test_missing_coordinates_leave_the_plain_color(tmp_path):
    quad = Quad()
    del quad.primitive["attributes"]["TEXCOORD_0"]
    quad.material["pbrMetallicRoughness"]["baseColorFactor"] = [0.2, 0.2, 0.6, 1]
    assert np.abs(np.array(quarters(quad.write(tmp_path))) - TONE).max() <= 2


def test_normals_follow_the_nodes_and_the_targets(tmp_path):
    quad = Quad()
    attributes = quad.primitive["attributes"]
    attributes["NORMAL"] = quad.add(np.tile(np.float32([0, 1, 1]), (4, 1)))
    target = {"NORMAL": quad.add(np.tile(np.float32([0, 0, 1]), (4, 1)))}
    target["POSITION"] = quad.add(np.zeros((4, 3), np.float32))
    quad.primitive["targets"] = [target]
    quad.node.update(scale=[1, 2, 1], weights=[1.0])
    (part,) = load_gltf(quad.write(tmp_path), 100).parts
    direction = part.normals[0] / np.linalg.norm(part.normals[0])
    assert np.allclose(direction, np.array([0, 0.5, 2]) / math.hypot(0.5, 2))
