"""What Blender does silently to multi-view data unless it is stopped: one test per trap."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from pipeline.values.color import linear_to_srgb
from pipeline.values.pictures import view_pixels
from tests.render.shapes import (
    BLUE,
    CHAIR,
    GREEN,
    RED,
    chair_mesh,
    chair_obj,
    chair_scene,
    obj_text,
    png,
    textured_quads,
    write_obj_bundle,
)

GREY = (230, 230, 230)  # 0.8 in linear light


def pixels(row) -> np.ndarray:
    """[V, H, W, 4] int."""
    return np.stack([view_pixels(image["bytes"], None, "a view") for image in row["images"]]).astype(int)


def has_color(row, color, tolerance=2) -> bool:
    """Whether a good part of the opaque pixels has this colour."""
    rgba = pixels(row)
    opaque = rgba[..., 3] == 255
    near = np.abs(rgba[..., :3] - color).max(axis=-1) <= tolerance
    return (near & opaque).sum() > 0.02 * opaque.sum()


def textured_obj(path: Path, mtl: str, **files: bytes) -> Path:
    return write_obj_bundle(path, textured_quads(), "newmtl m\n" + mtl, {f"{k}.png": v for k, v in files.items()})


@pytest.fixture(scope="module")
def authored(tmp_path_factory) -> Path:
    """The files of author_with_blender.py."""
    folder = tmp_path_factory.mktemp("authored")
    script = Path(__file__).with_name("author_with_blender.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.parametrize("asset_format", ["obj", "glb"])
def test_an_object_never_shows_the_previous_ones_textures(render, tmp_path, asset_format):
    def box(name, color):
        if asset_format == "obj":
            return textured_obj(tmp_path / f"{name}.zip", "map_Kd tex.png\n", tex=png(color))
        return quad_glb(tmp_path / f"{name}.glb", "OPAQUE", color)

    first, second = box("a", RED), box("b", BLUE)
    rows = [render(file, asset_format) for file in (first, second, first)]
    assert [has_color(row, RED) for row in rows] == [True, False, True]
    assert [has_color(row, BLUE) for row in rows] == [False, True, False]
    again = {name: value for name, value in rows[2].items() if name != "render_seconds"}
    for name, value in again.items():
        assert np.array_equal(value, rows[0][name]), f"{name} differs when the same object is rendered twice"


@pytest.mark.parametrize("shading", ["albedo", "diffuse"])
def test_animation_armature_lights_and_camera_of_the_asset_change_nothing(render, authored, shading):
    """The diffuse views would show the lights; both would show the bent arm, or an object that walks away."""
    still, moving = (render(authored / f"{name}.glb", shading=shading) for name in ("static", "animated"))
    assert np.allclose(still["center"], moving["center"], atol=1e-4)
    assert still["scale"] == pytest.approx(moving["scale"], rel=1e-4)
    assert still["triangles"] == moving["triangles"]
    difference = np.abs(pixels(still) - pixels(moving)).max(axis=-1)
    assert (difference > 8).mean() < 0.01


def test_all_formats_show_the_same_object(render, authored, tmp_path):
    obj = write_obj_bundle(tmp_path / "chair.zip", *chair_obj())
    chair_scene().export(tmp_path / "chair.glb")
    chair_mesh().export(tmp_path / "chair.ply")
    chair_mesh().export(tmp_path / "chair.stl")
    alpha = pixels(render(obj, "obj"))[..., 3]
    for name in ("chair.glb", "chair.ply", "chair.stl"):
        other = pixels(render(tmp_path / name))[..., 3]
        assert np.abs(other - alpha).max() <= 1, name
    glb, fbx = (pixels(render(authored / name)) for name in ("static.glb", "static.fbx"))
    assert (np.abs(glb - fbx).max(axis=-1) > 8).mean() < 0.01


def test_gltf_with_its_buffer_beside_it(render, tmp_path):
    files = chair_scene().export(file_type="gltf")
    files["asset.gltf"] = files.pop("model.gltf")
    with zipfile.ZipFile(tmp_path / "chair.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    row = render(tmp_path / "chair.zip", "gltf")
    assert all(has_color(row, box.color) for box in CHAIR)


@pytest.mark.parametrize("name", ["chair.ply", "chair.glb", "chair.obj"])
def test_vertex_colors_are_shown(render, tmp_path, name):
    mesh = chair_mesh()
    if name == "chair.obj":
        colors = mesh.visual.vertex_colors[:, :3] / 255
        vertices = np.column_stack([mesh.vertices, colors])
        lines = ["v " + " ".join(f"{value:.6f}" for value in vertex) for vertex in vertices]
        lines += ["f " + " ".join(str(index + 1) for index in face) for face in mesh.faces]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    else:
        mesh.export(tmp_path / name)
    row = render(tmp_path / name)
    shown = np.array([RED, GREEN, BLUE])
    if name == "chair.glb":  # glTF's vertex colours are linear light
        shown = np.rint(linear_to_srgb(shown / 255) * 255)
    assert [has_color(row, color) for color in shown] == [True, True, True]


def test_mesh_without_material_is_grey(render, tmp_path):
    chair_mesh().export(tmp_path / "chair.stl")
    assert has_color(render(tmp_path / "chair.stl"), GREY)


def test_plain_colors_of_mtl_files_are_display_colors(render, tmp_path):
    row = render(write_obj_bundle(tmp_path / "chair.zip", *chair_obj()), "obj")
    assert all(has_color(row, box.color) for box in CHAIR)


@pytest.mark.parametrize("texture", [None, b"this is no image", png(RED)[:40]])
def test_texture_that_cannot_be_read_is_replaced_by_the_plain_color(render, tmp_path, texture):
    """Blender would paint it magenta."""
    files = {} if texture is None else {"tex": texture}
    kd = " ".join(str(value / 255) for value in GREEN)
    row = render(textured_obj(tmp_path / "box.zip", f"Kd {kd}\nmap_Kd tex.png\n", **files), "obj")
    assert has_color(row, GREEN)
    assert row["unreadable_textures"] == ["tex.png"]
    assert not has_color(row, (255, 0, 255))


def test_texture_outside_of_the_assets_folder_is_not_shown(render, tmp_path):
    (tmp_path / "secret.png").write_bytes(png(RED))
    row = render(textured_obj(tmp_path / "box.zip", f"map_Kd {tmp_path / 'secret.png'}\n"), "obj")
    assert not has_color(row, RED)
    assert row["unreadable_textures"] == ["secret.png"]


def test_coincident_faces_are_removed(render, tmp_path):
    """The same chair again, inside out and black: without removal it shows in patches."""
    obj, mtl = chair_obj()
    mesh = chair_mesh()
    inside_out = obj_text(mesh.vertices, mesh.faces[:, ::-1], len(mesh.vertices) + 1)
    twice = write_obj_bundle(
        tmp_path / "twice.zip", obj + "usemtl black\n" + inside_out, mtl + "newmtl black\nKd 0 0 0\n"
    )
    once = write_obj_bundle(tmp_path / "once.zip", obj, mtl)
    double, single = render(twice, "obj"), render(once, "obj")
    assert double["triangles"] == single["triangles"] == 36
    assert np.array_equal(pixels(double), pixels(single))


def test_faces_that_look_inwards_are_not_black(render, tmp_path):
    """Neither where light falls on them; many assets have faces of either winding."""
    mesh = chair_mesh()
    shades = []
    for name, faces in (("out", mesh.faces), ("in", mesh.faces[:, ::-1])):
        bundle = write_obj_bundle(tmp_path / f"{name}.zip", obj_text(mesh.vertices, faces))
        rgba = pixels(render(bundle, "obj", shading="diffuse", samples=16))
        shades.append(rgba[rgba[..., 3] == 255][:, :3].mean())
    assert shades[0] > 150
    assert shades[1] == pytest.approx(shades[0], abs=3)


def quad_glb(path: Path, alpha_mode: str, color: tuple[int, int, int] = RED) -> Path:
    """A square with a texture of one colour at alpha 100, and an alpha mode."""
    mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.open(io.BytesIO(png((*color, 100)))), alphaMode=alpha_mode, alphaCutoff=0.3
    )
    mesh.visual = trimesh.visual.TextureVisuals(uv=[[0, 0], [1, 0], [1, 1], [0, 1]], material=material)
    mesh.export(path)
    return path


@pytest.mark.parametrize(("alpha_mode", "alpha"), [("OPAQUE", 255), ("MASK", 255), ("BLEND", 100)])
def test_alpha_follows_the_gltf_alpha_mode(render, tmp_path, alpha_mode, alpha):
    rgba = pixels(render(quad_glb(tmp_path / "quad.glb", alpha_mode), samples=64))
    inner = rgba[rgba[..., 3] >= np.quantile(rgba[..., 3][rgba[..., 3] > 0], 0.5)]
    assert np.median(inner[:, 3]) == pytest.approx(alpha, abs=12)
    assert np.abs(np.median(inner[:, :3], axis=0) - RED).max() <= 2


@pytest.mark.parametrize(
    ("mtl", "is_opaque"),
    [("map_Kd tex.png\n", True), ("map_Kd tex.png\nmap_d tex.png\n", False), ("Kd 1 0 0\nd 0.4\n", False)],
)
def test_alpha_of_obj_materials(render, tmp_path, mtl, is_opaque):
    """A texture's alpha counts only where the material asks for it."""
    rgba = pixels(render(textured_obj(tmp_path / "box.zip", mtl, tex=png((*RED, 100))), "obj"))
    assert ((rgba[..., 3] == 255).mean() > 0.05) == is_opaque


def test_translucent_objects_have_surface_points(render, tmp_path):
    row = render(quad_glb(tmp_path / "quad.glb", "BLEND"), samples=64)
    assert len(row["points"]) > 300
