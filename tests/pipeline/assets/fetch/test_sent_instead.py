"""A page, a gzip file or a Git LFS pointer in a model's place is called by its name, wherever it comes from."""

import gzip
import hashlib
import json

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.files.checks import what_it_is_instead
from pipeline.assets.manifest import ManifestSource
from pipeline.base.errors import AssetError, Modified
from tests.pipeline.assets.asset_makers import Store, box_glb, obj
from tests.pipeline.assets.asset_server import AssetServer

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Log in</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
INSTEAD = [
    (PAGE, "a web page"),
    (b"<HTML><p>Sorry", "a web page"),
    (b"<?xml version='1.0'?><!DOCTYPE x><html xmlns='x'>", "a web page"),
    (b"<!-- proxy --><html>", "a web page"),
    (gzip.compress(b"glTF", mtime=0), "a gzip file"),
    (POINTER, "a Git LFS pointer"),
]


@pytest.mark.parametrize(("data", "what"), INSTEAD)
def test_a_server_that_sends_something_else(tmp_path, data, what):
    (tmp_path / "folder").mkdir()
    with AssetServer() as server:
        server.files["/x.glb"] = data
        source = ManifestSource(AssetsConfig(source="manifest", requests_per_second=0))
        for sha256 in ("", hashlib.sha256(b"other").hexdigest()):
            row = {"origin_uri": f"{server.url}/x.glb", "details": json.dumps({"format": "glb"}), "sha256": sha256}
            with pytest.raises(AssetError, match=rf"/x\.glb: the server sent {what}.* instead of the") as caught:
                source.fetch(row, tmp_path / "folder")
            assert not isinstance(caught.value, Modified)


@pytest.mark.parametrize(("data", "what"), INSTEAD)
@pytest.mark.parametrize("name", ["chair.glb", "chair.obj", "chair.stl", "chair.dae"])
def test_a_folder_that_has_something_else(tmp_path, data, what, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data)
    store = Store(tmp_path, source="folder", path=str(tmp_path / "in"))
    failure = store.only_failure()
    assert f"it is {what}" in failure.message


@pytest.mark.parametrize("data", [b"", box_glb(), obj(), b"<?xml version='1.0'?><COLLADA/>", b"solid <html>", b"ply\n"])
def test_models_are_none_of_these(data):
    assert what_it_is_instead(data[:1024]) == ""
