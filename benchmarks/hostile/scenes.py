"""Hostile Collada and USDZ files, which Blender alone reads."""

import io
import zipfile

import numpy as np

from benchmarks.hostile.gltf import CORNERS, TRIANGLES, Files

COLLADA = """<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><up_axis>Y_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh>
<source id="p"><float_array id="a" count="24">{positions}</float_array><technique_common>
<accessor source="#a" count="8" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>
<param name="Z" type="float"/></accessor></technique_common></source>
<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="12"><input semantic="VERTEX" source="#v" offset="0"/><p>{corners}</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node id="n"><instance_geometry url="#g"/></node></visual_scene>
</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene>
</COLLADA>
"""
USD = """#usda 1.0
(
 defaultPrim = "box"
)
def Mesh "box" {{
 int[] faceVertexCounts = [{counts}]
 int[] faceVertexIndices = [{corners}]
 point3f[] points = [{positions}]
}}
"""


def collada(positions: np.ndarray = CORNERS, corners: str = "") -> bytes:
    """The box; `corners` replaces the triangles' text."""
    numbers = " ".join(map(str, positions.ravel()))
    return COLLADA.format(positions=numbers, corners=corners or " ".join(map(str, TRIANGLES.ravel()))).encode()


def usdz(positions: np.ndarray = CORNERS, corners: str = "", packed: bool = False, layer: str = "box.usda") -> bytes:
    """The box; `corners` replaces the triangles' text."""
    text = USD.format(
        counts=", ".join(["3"] * len(TRIANGLES)),
        corners=corners or ", ".join(map(str, TRIANGLES.ravel())),
        positions=", ".join(f"({x}, {y}, {z})" for x, y, z in positions),
    )
    stream = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(layer), text, kind)  # a ZipInfo of its own: without the time of day
    return stream.getvalue()


def crafted_scenes() -> dict[str, Files]:
    """Every crafted case of both formats."""
    far, broken = CORNERS.copy(), CORNERS.copy()
    far[0], broken[0] = 1e30, np.nan
    reaching = COLLADA.replace(
        "<asset>", "<library_images><image><init_from>{}</init_from></image></library_images><asset>"
    )
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    dae = {
        "vertex that is no number": collada(broken),
        "vertex far away": collada(far),
        "index beyond the vertices": collada(corners="0 1 900 " * 12),
        "index before the vertices": collada(corners="0 1 -9 " * 12),
        "index in words": collada(corners="one two three " * 12),
        "of entities": collada().replace(b"<COLLADA", bomb.encode() + b"<COLLADA", 1),
        "of 3000 nodes, one in another": collada().replace(b'<node id="n">', b"<node>" * 3000 + b'<node id="n">'),
        "image above its folder": reaching.format("../../box.png", positions="", corners="").encode(),
        "image at an address": reaching.format("http://127.0.0.1:9/a.png", positions="", corners="").encode(),
        "without a scene": collada().partition(b"<library_visual_scenes>")[0] + b"</COLLADA>",
    }
    usd = {
        "vertex that is no number": usdz(broken),
        "vertex far away": usdz(far),
        "index beyond the vertices": usdz(corners=", ".join(["0, 1, 900"] * 12)),
        "index before the vertices": usdz(corners=", ".join(["0, 1, -9"] * 12)),
        "too few corners": usdz(corners="0, 1, 2"),
        "packed": usdz(packed=True),
        "with a layer above its folder": usdz(layer="../box.usda"),
        "with a layer that is none": usdz(layer="box.txt"),
    }
    cases = {f"dae {what}": {"box.dae": data} for what, data in dae.items()}
    return cases | {f"usdz {what}": {"box.usdz": data} for what, data in usd.items()}
