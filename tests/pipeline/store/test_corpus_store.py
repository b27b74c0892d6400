"""Where things lie in a corpus, on a local disk and in a bucket, and that nothing half-written is ever seen."""

import hashlib
import pickle
import uuid
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline import Corpus
from pipeline.base.errors import AssetError, ConfigError
from pipeline.store.schema import CAPTIONS, ERRORS
from pipeline.store.shard_record import ShardRecord

ROW = {
    "uid": "a",
    "caption": "A chair.",
    "caption_source": "metadata",
    "view_captions": [],
    "caption_views": [0, 1],
    "prompt_id": None,
    "scores": [0.5],
}
RECORD = ShardRecord.of(
    "caption",
    {},
    {"a": "1", "b": "2"},
    {"a": "3", "b": "4"},
    seconds=1,
    setup_seconds=0,
    cpu_seconds=1,
    code_version="",
)


@pytest.fixture(params=["local", "bucket"])
def corpus(request, tmp_path) -> Corpus:
    return Corpus(tmp_path / "corpus" if request.param == "local" else f"memory://{uuid.uuid4().hex}/corpus")


def test_tables_and_records(corpus):
    assert corpus.shards("captions") == [] and corpus.shard_record("captions", 3) is None
    with corpus.table_writer(corpus.shard_path("captions", 3), CAPTIONS) as writer:
        writer.write([ROW])
        writer.write([ROW | {"uid": "b"}])
        writer.set_record(RECORD)
    assert corpus.shards("captions") == [3]
    assert corpus.shard_record("captions", 3) == RECORD
    assert [row["uid"] for row in corpus.read_rows("captions", 3)] == ["a", "b"]
    assert corpus.read_rows("captions", 3, ["caption"])[0] == {"caption": "A chair."}


def test_no_python_file_is_in_the_hands_of_arrow_threads(tmp_path, monkeypatch):
    """A thread of Arrow's that lets go of a Python file while the interpreter ends aborts the process."""
    corpus = Corpus(tmp_path / "corpus")
    with corpus.table_writer(corpus.shard_path("captions", 0), CAPTIONS) as writer:
        writer.write([ROW])
    monkeypatch.setattr(type(corpus.filesystem), "open", None)
    assert [row["uid"] for row in corpus.read_rows("captions", 0)] == ["a"]
    dataset = ds.dataset(corpus.path("captions"), filesystem=corpus.arrow_filesystem())
    assert dataset.count_rows() == 1


def test_a_failed_write_leaves_nothing(corpus):
    with pytest.raises(RuntimeError), corpus.table_writer(corpus.shard_path("captions", 0), CAPTIONS) as writer:
        writer.write([ROW])
        raise RuntimeError
    assert corpus.shards("captions") == []
    if corpus.is_local:
        assert list(Path(corpus.path(".tmp")).iterdir()) == []


def test_errors_come_and_go(corpus):
    row = dict.fromkeys(ERRORS.names) | {"uid": "a", "stage": "fit", "attempt": 1}
    corpus.write_errors("fit", 0, [row])
    assert corpus.read_errors("fit", 0) == [row]
    corpus.write_errors("fit", 0, [])
    assert corpus.read_errors("fit", 0) == [] and corpus.shards("errors/fit") == []


def test_assets_are_stored_by_content(corpus, tmp_path):
    file = tmp_path / "a.glb"
    file.write_bytes(b"glTF")
    relative = corpus.put_asset(file, "ab" * 32, "glb")
    assert relative == f"assets/files/ab/{'ab' * 32}.glb"
    corpus.get_asset(relative, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"glTF"


def test_folders_and_files(corpus):
    for path in ("train/b.parquet", "train/a.parquet", "train/notes.txt", "top.parquet"):
        corpus.write_text("text", path)
    assert corpus.names("train") == ["a.parquet", "b.parquet", "notes.txt"] and corpus.names("nowhere") == []
    assert corpus.parquet_files() == ["train/a.parquet", "train/b.parquet"]
    assert corpus.digest("top.parquet") == (hashlib.sha256(b"text").hexdigest(), 4)
    with corpus.open_binary("top.parquet") as file:
        assert file.read() == b"text"
    with pytest.raises(FileNotFoundError):
        corpus.open_binary("nowhere")
    corpus.rename_folder("train", "kept")
    assert corpus.names("train") == [] and len(corpus.names("kept")) == 3
    corpus.remove_folder("kept")
    assert corpus.names("kept") == []


@pytest.mark.parametrize("scheme", ["local", "bucket"])
def test_the_path_of_a_corpus_is_no_pattern(tmp_path, scheme):
    name = "a[1]*?"
    corpus = Corpus(tmp_path / name if scheme == "local" else f"memory://{uuid.uuid4().hex}/{name}")
    for path in ("train/a.parquet", "val/b.parquet"):
        corpus.write_text("text", path)
    assert corpus.parquet_files() == ["train/a.parquet", "val/b.parquet"]
    corpus.rename_folder("train", "kept")
    corpus.remove_folder("val")
    assert corpus.parquet_files() == ["kept/a.parquet"]


@pytest.mark.parametrize("inner", ["../victim.txt", "assets/../../victim.txt", ".."])
def test_no_path_leaves_the_corpus(corpus, inner):
    with pytest.raises(ConfigError, match="would leave the corpus"):
        corpus.remove(inner)


@pytest.mark.parametrize("relative", ["../victim.txt", "assets/files/ab/x.glb", "corpus.json", "/etc/passwd", ""])
def test_only_asset_files_are_read_as_such(corpus, tmp_path, relative):
    with pytest.raises(AssetError, match="which is not one of assets/files/"):
        corpus.get_asset(relative, tmp_path / "copy")


def test_a_corpus_travels_as_its_uri(corpus):
    assert pickle.loads(pickle.dumps(corpus)) == corpus


def test_float_columns_are_split_by_bytes(tmp_path):
    from pipeline.store.schema import GAUSSIANS

    corpus = Corpus(tmp_path)
    with corpus.table_writer(corpus.shard_path("gaussians", 0), GAUSSIANS) as writer:
        writer.write([dict.fromkeys(GAUSSIANS.names) | {"uid": "a", "means": [[0.0, 1.0, 2.0]]}])
    group = pq.read_metadata(corpus.shard_path("gaussians", 0)).row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    means = columns["means.list.element"]
    assert "BYTE_STREAM_SPLIT" in means.encodings and means.compression == "ZSTD"
    assert columns["psnr"].compression == "UNCOMPRESSED"  # on pages of one value zstd costs time and saves nothing
