import json
from pathlib import Path

import DracoPy
import numpy as np
import pytest

from benchmarks.hostile.gltf import glb
from pipeline.base.errors import AssetError
from pipeline.values.gltf import read_gltf
from render.files.draco import BESIDE, EXTENSION, decompress
from tests.render.shapes import chair_mesh

UBYTE, USHORT, FLOAT = 5121, 5123, 5126


def draco_glb(path: Path, damage=lambda data: data) -> Path:
    """The chair with colours, all of it compressed, as encoders write it: accessors without buffer views."""
    mesh = chair_mesh()
    colors = np.asarray(mesh.visual.vertex_colors[:, :3])
    sound = DracoPy.encode(mesh.vertices, mesh.faces, colors=colors, quantization_bits=14)
    ids = {item["attribute_type"]: item["unique_id"] for item in DracoPy.decode(sound).attributes}
    packed = damage(sound)
    count = len(mesh.vertices)
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [EXTENSION],
        "extensionsRequired": [EXTENSION],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "COLOR_0": 1},
                        "indices": 2,
                        "material": 0,
                        "extensions": {
                            EXTENSION: {"bufferView": 0, "attributes": {"POSITION": ids[0], "COLOR_0": ids[2]}}
                        },
                    }
                ]
            }
        ],
        "materials": [{}],
        "accessors": [
            {"componentType": FLOAT, "count": count, "type": "VEC3"},
            {"componentType": UBYTE, "count": count, "type": "VEC3", "normalized": True},
            {"componentType": USHORT, "count": mesh.faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": len(packed)}],
        "buffers": [{"byteLength": len(packed)}],
    }
    path.write_bytes(glb(document, packed))
    return path


def described(vertices, faces, colors) -> np.ndarray:
    """[F, 6] middle and colour of every triangle, in an order of their own: encoders change the order."""
    rows = np.column_stack([vertices[faces].mean(axis=1), colors[faces[:, 0]]])
    return rows[np.lexsort(np.round(rows, 2).T)]


def test_plain_accessors_take_the_place_of_compressed_ones(tmp_path):
    main = draco_glb(tmp_path / "asset.glb")
    decompress(main)
    document = read_gltf(main).document
    assert EXTENSION not in json.dumps(document)
    (primitive,) = document["meshes"][0]["primitives"]
    data = (tmp_path / BESIDE).read_bytes()

    def values(number, dtype, width):
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        assert document["buffers"][view["buffer"]] == {"uri": BESIDE, "byteLength": len(data)}
        stride = view.get("byteStride", np.dtype(dtype).itemsize)
        assert stride % 4 == 0
        return np.ndarray(
            (accessor["count"], width), dtype, data, view["byteOffset"], (stride, np.dtype(dtype).itemsize)
        )

    mesh = chair_mesh()
    corners = values(primitive["indices"], np.uint32, 1).reshape(-1, 3)
    places = values(primitive["attributes"]["POSITION"], np.float32, 3)
    colors = values(primitive["attributes"]["COLOR_0"], np.uint8, 3)

    expected = described(mesh.vertices, mesh.faces, np.asarray(mesh.visual.vertex_colors[:, :3]))
    assert np.allclose(described(places, corners, colors), expected, atol=1e-3)
    assert {tuple(color) for color in colors} == {tuple(color[:3]) for color in mesh.visual.vertex_colors}


def test_plain_files_stay_as_they_are(tmp_path):
    (tmp_path / "asset.glb").write_bytes(chair_mesh().export(file_type="glb"))
    before = (tmp_path / "asset.glb").read_bytes()
    decompress(tmp_path / "asset.glb")
    assert (tmp_path / "asset.glb").read_bytes() == before
    assert not (tmp_path / BESIDE).exists()


def test_damaged_streams_are_refused_or_decoded(tmp_path):
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(60):

        def flip(data, is_cut=number % 3 == 0):
            copy = bytearray(data)
            for _ in range(1 + rng.integers(6)):
                copy[rng.integers(len(copy))] ^= 1 << int(rng.integers(8))
            return bytes(copy[: rng.integers(5, len(copy))] if is_cut else copy)

        (tmp_path / str(number)).mkdir()
        try:
            decompress(draco_glb(tmp_path / str(number) / "asset.glb", flip))
        except AssetError as error:
            assert "Draco" in str(error)
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("engine", ["raster", "blenderproc"])
def test_both_engines_show_a_compressed_object(render, tmp_path, engine):
    chair_mesh().export(tmp_path / "plain.glb")
    draco_glb(tmp_path / "packed.glb")
    plain, packed = (render(tmp_path / f"{name}.glb", engine=engine, samples=9) for name in ("plain", "packed"))
    assert plain["triangles"] == packed["triangles"] == 36
    assert packed["scale"] == pytest.approx(plain["scale"], rel=1e-3)
    assert packed["coverage"] == pytest.approx(plain["coverage"], rel=0.01)
