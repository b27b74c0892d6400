"""Small assets of every kind, made on the spot."""

import io
import json
import struct
import zipfile
from pathlib import Path

import trimesh
from PIL import Image

from pipeline import Corpus
from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import Fetched
from pipeline.assets.stage import AssetsStage
from pipeline.stages.stage import Failure, Row, StageContext
from pipeline.store.schema import ASSETS

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"


def png(color: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(stream, "png")
    return stream.getvalue()


def obj(library: str = "paint.mtl") -> bytes:
    return f"mtllib {library}\nusemtl paint\n{TRIANGLE}".encode()


def mtl(*textures: str) -> bytes:
    return "\n".join(["newmtl paint", "Kd 1 0 0", *(f"map_Kd {texture}" for texture in textures)]).encode()


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def box_glb() -> bytes:
    return trimesh.creation.box((1, 2, 3)).export(file_type="glb")


def glb_of(document: dict, binary: bytes = b"") -> bytes:
    """A GLB file around any document, right or wrong."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def gltf_document(buffer_uri: str | None = "mesh.bin", image_uris: tuple[str, ...] = ()) -> dict:
    """One triangle, whose material shows the images one after the other."""
    buffer = {"byteLength": 36} | ({"uri": buffer_uri} if buffer_uri else {})
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}],
        "buffers": [buffer],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]}
        ],
    }
    if image_uris:
        document["images"] = [{"uri": uri} for uri in image_uris]
        document["textures"] = [{"source": index} for index in range(len(image_uris))]
        material = document["materials"][0]
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
        if len(image_uris) > 1:
            material["emissiveTexture"] = {"index": 1}
    return document


TRIANGLE_BUFFER = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)


def write_library(path: Path, catalogue: str, members: dict[str, bytes]) -> Path:
    """A Sweet Home 3D library; member names may be anything, `..` included."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PluginFurnitureCatalog.properties", catalogue.encode("latin-1"))
        for name, data in members.items():
            archive.writestr(name, data)
    return path


class Store:
    """Runs the assets stage on everything that a source plans."""

    def __init__(self, folder: Path, **config):
        self.config = AssetsConfig(**config)
        (folder / "corpus").mkdir(exist_ok=True)  # as planning does
        self.corpus = Corpus(folder / "corpus")
        self.scratch = folder / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.stage = AssetsStage(self.config, StageContext(self.corpus, self.scratch))
        self.stage.setup()
        self.plan = list(self.stage.source.plan())
        self.results = self.stage.process(self.plan)

    @property
    def rows(self) -> list[Row]:
        return [result for result in self.results if not isinstance(result, Failure)]

    @property
    def failures(self) -> list[Failure]:
        return [result for result in self.results if isinstance(result, Failure)]

    def only_row(self) -> Row:
        assert not self.failures, self.failures
        (row,) = self.rows
        assert row.keys() == set(ASSETS.names)
        return row

    def only_failure(self) -> Failure:
        """The one failure, after the checks that hold for each: typed, final, named, and nothing left behind."""
        (failure,) = self.failures
        assert failure.error_class in ("AssetError", "Missing", "Modified")
        assert not failure.retryable
        assert failure.uid in failure.message
        assert not list(self.scratch.iterdir())
        return failure

    def refetched(self, row: Row) -> Fetched:
        """The files that a row was made of."""
        planned = next(planned for planned in self.plan if planned["uid"] == row["uid"])
        (self.scratch / "again").mkdir()
        return self.stage.source.fetch(planned, self.scratch / "again")

    def stored(self, row: Row) -> Path:
        return Path(self.corpus.path(row["file"]))

    def stored_members(self, row: Row) -> dict[str, bytes]:
        with zipfile.ZipFile(self.stored(row)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
