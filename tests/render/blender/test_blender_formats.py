"""Collada and USDZ: the chair that other formats show, with its colours; and what such files must not reach."""

import re
import zipfile

import numpy as np
import pytest

from pipeline.base.errors import AssetError
from tests.render.blender.test_blender_traps import has_color, pixels
from tests.render.shapes import BLUE, CHAIR, RED, chair_scene, png, srgb_bytes_to_linear

COLLADA = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="centimeter" meter="0.01"/><up_axis>{up_axis}</up_axis></asset>
<library_images>{images}</library_images>
<library_effects>{effects}</library_effects>
<library_materials>{materials}</library_materials>
<library_geometries>{geometries}</library_geometries>
<library_visual_scenes><visual_scene id="scene">{nodes}</visual_scene></library_visual_scenes>
<scene><instance_visual_scene url="#scene"/></scene>
</COLLADA>
"""


def numbers(values) -> str:
    return " ".join(f"{value:.6g}" for value in np.ravel(values))


def write_collada(path, up_axis="Y_UP", texture=""):
    """The chair; with `texture` the red box shows that image in place of its colour."""
    parts = {"images": "", "effects": "", "materials": "", "geometries": "", "nodes": ""}
    if texture:
        parts["images"] = f'<image id="picture"><init_from>{texture}</init_from></image>'
    for n, box in enumerate(CHAIR):
        mesh = box.mesh()
        vertices = mesh.vertices if up_axis == "Y_UP" else mesh.vertices @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
        color = f"<color>{numbers(srgb_bytes_to_linear(box.color))} 1</color>"
        sampler = ""
        if texture and box.color == RED:
            color = '<texture texture="sampler" texcoord="UV"/>'
            sampler = (
                '<newparam sid="surface"><surface type="2D"><init_from>picture</init_from></surface></newparam>'
                '<newparam sid="sampler"><sampler2D><source>surface</source></sampler2D></newparam>'
            )
        parts["effects"] += (
            f'<effect id="e{n}"><profile_COMMON>{sampler}<technique sid="common"><lambert><diffuse>{color}</diffuse>'
            "</lambert></technique></profile_COMMON></effect>"
        )
        parts["materials"] += f'<material id="m{n}"><instance_effect url="#e{n}"/></material>'
        corners = np.stack([mesh.faces, mesh.faces % 4], axis=-1)
        parts["geometries"] += (
            f'<geometry id="g{n}"><mesh><source id="p{n}"><float_array id="a{n}" count="{vertices.size}">'
            f'{numbers(vertices)}</float_array><technique_common><accessor source="#a{n}" count="{len(vertices)}" '
            'stride="3"><param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/>'
            f'</accessor></technique_common></source><source id="t{n}"><float_array id="u{n}" count="8">0 0 1 0 1 1 0 1'
            f'</float_array><technique_common><accessor source="#u{n}" count="4" stride="2"><param name="S" '
            'type="float"/><param name="T" type="float"/></accessor></technique_common></source>'
            f'<vertices id="v{n}"><input semantic="POSITION" source="#p{n}"/></vertices>'
            f'<triangles count="{len(mesh.faces)}" material="x"><input semantic="VERTEX" source="#v{n}" offset="0"/>'
            f'<input semantic="TEXCOORD" source="#t{n}" offset="1" set="0"/><p>{numbers(corners)}</p></triangles>'
            "</mesh></geometry>"
        )
        parts["nodes"] += (
            f'<node id="n{n}"><instance_geometry url="#g{n}"><bind_material><technique_common><instance_material '
            f'symbol="x" target="#m{n}"><bind_vertex_input semantic="UV" input_semantic="TEXCOORD" input_set="0"/>'
            "</instance_material></technique_common></bind_material></instance_geometry></node>"
        )
    path.write_text(COLLADA.format(up_axis=up_axis, **parts))
    return path


def write_usdz(path, up_axis="Y", texture="", files=None):
    """The chair; with `texture` the red box shows that image in place of its colour."""
    text = (
        f'#usda 1.0\n(\n defaultPrim = "chair"\n metersPerUnit = 0.01\n upAxis = "{up_axis}"\n)\ndef Xform "chair" {{\n'
    )
    for n, box in enumerate(CHAIR):
        mesh = box.mesh()
        vertices = mesh.vertices if up_axis == "Y" else mesh.vertices @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
        points = ", ".join(f"({numbers(v).replace(' ', ', ')})" for v in vertices)
        color = f"color3f inputs:diffuseColor = ({numbers(srgb_bytes_to_linear(box.color)).replace(' ', ', ')})"
        image = ""
        if texture and box.color == RED:
            color = f"color3f inputs:diffuseColor.connect = </chair/p{n}/image.outputs:rgb>"
            image = (
                f'def Shader "image" {{\n uniform token info:id = "UsdUVTexture"\n asset inputs:file = @{texture}@\n'
                f" float2 inputs:st.connect = </chair/p{n}/uv.outputs:result>\n float3 outputs:rgb\n}}\n"
                'def Shader "uv" {\n uniform token info:id = "UsdPrimvarReader_float2"\n'
                ' string inputs:varname = "st"\n float2 outputs:result\n}\n'
            )
        st = ", ".join(str(((0, 0), (1, 0), (1, 1), (0, 1))[i % 4]) for i in range(len(vertices)))
        text += (
            f'def Mesh "m{n}" (prepend apiSchemas = ["MaterialBindingAPI"]) {{\n'
            f" int[] faceVertexCounts = {[3] * len(mesh.faces)}\n"
            f" int[] faceVertexIndices = {mesh.faces.ravel().tolist()}\n point3f[] points = [{points}]\n"
            f' texCoord2f[] primvars:st = [{st}] (interpolation = "vertex")\n'
            f' uniform token subdivisionScheme = "none"\n rel material:binding = </chair/p{n}>\n}}\n'
            f'def Material "p{n}" {{\n token outputs:surface.connect = </chair/p{n}/s.outputs:surface>\n'
            f'def Shader "s" {{\n uniform token info:id = "UsdPreviewSurface"\n {color}\n token outputs:surface\n}}\n'
            f"{image}}}\n"
        )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chair.usda", text + "}\n")
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("up_axis", ["y", "z"])
@pytest.mark.parametrize("name", ["chair.dae", "chair.usdz"])
def test_the_chair_stands_as_in_other_formats(render, tmp_path, name, up_axis):
    """Both formats state which axis is up, and their own unit."""
    if name.endswith("dae"):
        row = render(write_collada(tmp_path / name, f"{up_axis.upper()}_UP"))
    else:
        row = render(write_usdz(tmp_path / name, up_axis.upper()))
    chair_scene().export(tmp_path / "chair.glb")
    glb = render(tmp_path / "chair.glb")
    assert np.abs(pixels(row)[..., 3] - pixels(glb)[..., 3]).max() <= 1
    assert all(has_color(row, box.color) for box in CHAIR)
    assert row["triangles"] == 36
    assert row["engine"] == "blenderproc"


@pytest.mark.parametrize("kind", ["dae", "usdz"])
def test_textures_are_shown_from_the_assets_own_folder_alone(render, tmp_path, kind):
    (tmp_path / "secret.png").write_bytes(png(BLUE))

    def asset(number, texture):
        if kind == "usdz":
            return write_usdz(tmp_path / f"{number}.usdz", texture=texture, files={"own.png": png((250, 10, 250))})
        write_collada(tmp_path / "asset.dae", texture=texture)
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            archive.write(tmp_path / "asset.dae", "asset.dae")
            archive.writestr("own.png", png((250, 10, 250)))
        return tmp_path / f"{number}.zip"

    own = render(asset(0, "own.png"), kind)
    assert has_color(own, (250, 10, 250))
    assert not own["unreadable_textures"]
    if kind == "usdz":  # its text is read before Blender sees it
        with pytest.raises(AssetError, match="its own folder"):
            render(asset(1, str(tmp_path / "secret.png")), kind)
        with pytest.raises(AssetError, match="its own folder"):
            render(asset(2, "../secret.png"), kind)
    else:
        outside = render(asset(1, f"file://{tmp_path / 'secret.png'}"), kind)
        assert outside["unreadable_textures"] == ["secret.png"]
        assert not has_color(outside, (255, 0, 255))


@pytest.mark.parametrize("kind", ["dae", "usdz"])
def test_broken_files_are_refused(render, tmp_path, kind):
    whole = write_collada(tmp_path / "a.dae") if kind == "dae" else write_usdz(tmp_path / "a.usdz")
    (tmp_path / f"cut.{kind}").write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(AssetError):
        render(tmp_path / f"cut.{kind}")


def test_a_usdz_point_that_is_not_finite_is_refused(render, tmp_path):
    """Blender would move it to the origin."""
    with zipfile.ZipFile(write_usdz(tmp_path / "sound.usdz")) as archive:
        text = archive.read("chair.usda").decode()
    with zipfile.ZipFile(tmp_path / "damaged.usdz", "w") as archive:
        archive.writestr("chair.usda", re.sub(r"(points = \[\()[^,]+", r"\g<1>nan", text, count=1))
    with pytest.raises(AssetError, match="not finite"):
        render(tmp_path / "damaged.usdz")
