import base64
import hashlib
import json

import pytest

from benchmarks.hostile.gltf import box, crafted_gltf, glb, gltf_folder
from pipeline.assets.files.checks import check_file
from pipeline.assets.files.references import cut, named_files
from pipeline.base.errors import AssetError
from pipeline.values.gltf import GltfFile, decode_data_uri, read_gltf
from render.files import guards

BROKEN = {
    "GLB of 4 GB by its header": "truncated",
    "GLB version 1": "convert it to glTF 2.0",
    "GLB of no length": "not a complete JSON chunk",
    "chunk of 4 GB": "not a complete JSON chunk",
    "document nested 100000 deep": "its JSON cannot be read",
    "document with a number of 100000 digits": "its JSON cannot be read",
    "document without a binary chunk": "its buffer has",
    "buffer longer than the file": "its buffer has",
    "meshes are null": "its meshes are not a list of objects",
}


def written(folder, files):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / next(iter(files))


def refusal(act) -> str:
    with pytest.raises(AssetError) as caught:
        act()
    return str(caught.value)


@pytest.mark.parametrize("what", BROKEN)
def test_both_rooms_refuse_the_same_files_alike(tmp_path, what):
    main = written(tmp_path, crafted_gltf()[what])
    stored = refusal(lambda: check_file(main))
    assert stored == refusal(lambda: guards.check(main, 10**6))
    assert stored.startswith(f"{main.name}: ")
    assert BROKEN[what] in stored


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("images", [7], "its images are not a list of objects"),
        ("buffers", {"a": 1}, "its buffers are not a list of objects"),
        ("images", [{"uri": 5}], "one of its images has a uri that is not a string"),
        ("meshes", [], "it has no meshes"),
    ],
)
def test_a_document_that_is_none(tmp_path, key, value, reason):
    document, binary = box()
    main = written(tmp_path, {"a.glb": glb(document | {key: value}, binary)})
    assert reason in refusal(lambda: read_gltf(main))


def test_a_binary_file_named_as_text_is_told_its_name(tmp_path):
    main = written(tmp_path, {"a.gltf": glb(*box())})
    assert "name it .glb" in refusal(lambda: read_gltf(main))


def test_an_unknown_chunk_before_the_binary_one_is_passed_over_and_kept(tmp_path):
    document, binary = box()
    data = glb(document, binary)
    start = data.index(b"BIN\0") - 4
    odd = b"\x04\0\0\0ODD\0" + b"1234"
    length = (len(data) + len(odd)).to_bytes(4, "little")
    main = written(tmp_path, {"a.glb": data[:8] + length + data[12:start] + odd + data[start:] + b"beyond its length"})
    file = read_gltf(main)
    assert file.binary == binary
    file.document["extras"] = "longer than before"
    file.write()
    assert main.read_bytes().endswith(odd + data[start:])
    assert read_gltf(main) == file


def test_a_document_too_deep_to_be_written_is_refused(tmp_path):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    file = GltfFile(tmp_path / "a.gltf", {"extras": deep}, b"")
    assert "nested too deeply" in refusal(file.write)


def test_buffers_of_all_three_kinds(tmp_path):
    document, binary = box()
    assert read_gltf(written(tmp_path, {"a.glb": glb(document, binary)})).buffer(0) == binary
    beside = written(tmp_path, gltf_folder(lambda d: d["buffers"][0].update(uri="my%20box.bin")))
    (tmp_path / "my box.bin").write_bytes(b"beside")
    assert read_gltf(beside).buffer(0) == b"beside"
    assert read_gltf(beside).named("buffers") == ["my box.bin"]
    uri = "data:application/octet-stream;base64," + base64.b64encode(b"inside").decode()
    inside = written(tmp_path, gltf_folder(lambda d: d["buffers"][0].update(uri=uri)))
    assert read_gltf(inside).buffer(0) == b"inside"
    assert read_gltf(inside).named("buffers") == []


@pytest.mark.parametrize(
    "uri", ["../secret.bin", "%2e%2e/secret.bin", "http://127.0.0.1:9/a.bin", "a%00b", "data:,AAA"]
)
def test_buffers_that_are_not_there(tmp_path, uri):
    (tmp_path / "secret.bin").write_bytes(b"secret")
    (tmp_path / "asset").mkdir()
    file = read_gltf(written(tmp_path / "asset", gltf_folder(lambda d: d["buffers"][0].update(uri=uri))))
    reason = "is not base64" if uri.startswith("data:") else "is not in the asset's folder"
    assert reason in refusal(lambda: file.buffer(0))
    assert "uses buffer 1" in refusal(lambda: file.buffer(1))


def test_a_cut_file_keeps_the_bytes_that_name_it(tmp_path):
    """Stored files are named by their content: another form of the same document would be another file."""
    document, binary = box()
    document["images"] = [{"uri": "gone%20here.png"}, {"uri": "kept.png"}]
    document["textures"] = [{"source": 0}, {"source": 1}, {"extensions": {"EXT_texture_webp": {"source": 0}}}]
    paint = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "emissiveTexture": {"index": 1}}
    document["materials"] = [paint, {"extensions": {"KHR_any": {"anyTexture": {"index": 2}}}, "name": "Ä"}]
    digests = []
    for name, data in {"a.glb": glb(document, binary), "a.gltf": json.dumps(document).encode()}.items():
        main = written(tmp_path, {name: data})
        assert named_files(main).optional == ("gone here.png", "kept.png")
        cut(main, {"gone here.png"})
        assert named_files(main).optional == ("kept.png",)
        digests.append(hashlib.sha256(main.read_bytes()).hexdigest()[:16])
    assert digests == ["ddc04a3eba148682", "8ac3118856ea2ecf"]
    materials = read_gltf(tmp_path / "a.glb").document["materials"]
    assert materials[0] == {"pbrMetallicRoughness": {}, "emissiveTexture": {"index": 1}}


def test_a_document_of_oddities_is_cut_without_harm(tmp_path):
    document, binary = box()
    deep: dict = {"index": []}
    for _ in range(300):
        deep = {"aTexture": deep, "index": {}}
    document["images"] = [{"uri": "gone.png"}]
    document["textures"] = [{"source": []}, {"extensions": None}, {"extensions": {"a": 1}}, {"source": 0}]
    document["materials"] = [deep]
    main = written(tmp_path, {"a.glb": glb(document, binary)})
    cut(main, {"gone.png"})
    assert read_gltf(main).document["materials"] == [deep]


def test_data_uris():
    assert decode_data_uri("data:,aGk=") == b"hi"
