"""No key of an address leaves the index."""

import os
import stat

import pytest

from pipeline import Corpus
from pipeline.assets.fetch.addresses import public
from pipeline.run import main
from tests.pipeline.assets.asset_makers import box_glb
from tests.pipeline.assets.asset_server import AssetServer

SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=0a1b2c&X-Amz-Expires=3600"


@pytest.mark.parametrize(
    ("url", "published"),
    [
        ("https://user:pass@example.org/a.glb", "https://example.org/a.glb"),
        ("https://user@example.org/a.glb", "https://example.org/a.glb"),
        (f"https://bucket.s3.amazonaws.com/a.glb?{SIGNED}", "https://bucket.s3.amazonaws.com/a.glb"),
        (
            "https://x.blob.core.windows.net/a.glb?sv=2024&sp=r&sig=abc%3D&se=2027",
            "https://x.blob.core.windows.net/a.glb",
        ),
        ("https://d1.cloudfront.net/a.glb?Policy=x&Signature=y&Key-Pair-Id=z", "https://d1.cloudfront.net/a.glb"),
        ("https://example.org/get?id=7&api_key=s3cr3t&file=a.glb", "https://example.org/get?id=7&file=a.glb"),
        ("https://example.org/get?k=" + "x" * 64, "https://example.org/get"),
        ("https://example.org/download?id=7", "https://example.org/download?id=7"),
        ("https://github.com/a/b/blob/" + "0" * 40 + "/c.obj", "https://github.com/a/b/blob/" + "0" * 40 + "/c.obj"),
        ("chairs/oak chair?.glb", "chairs/oak chair?.glb"),
        ("", ""),
    ],
)
def test_published(url, published):
    assert public(url) == published


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_the_index_keeps_the_whole_address(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with AssetServer() as server:
        server.files["/box.glb"] = box_glb()
        address = f"{server.url}/box.glb?X-Amz-Signature=0a1b2c3d4e"
        (tmp_path / "list.csv").write_text(f"url,uid\n{address},box\n")
        flags = ["--assets.source", "manifest", "--assets.path", str(tmp_path / "list.csv"), "--workers", "1"]
        corpus = Corpus(tmp_path / "corpus")
        assert main(["--stage", "assets", "--corpus", corpus.root, *flags]) == 0
        assert [path for path, _ in server.requests] == ["/box.glb?X-Amz-Signature=0a1b2c3d4e"]
    assert corpus.read_index(["origin_uri"])[0]["origin_uri"] == address
    assert corpus.read_rows("assets", 0)[0]["origin_uri"] == f"{server.url}/box.glb"
    index = tmp_path / "corpus" / "index.parquet"
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    others = (path for path in (tmp_path / "corpus").rglob("*") if path.is_file() and path != index)
    assert not [path for path in others if b"0a1b2c3d4e" in path.read_bytes()]
