"""Packed columns that are copied page by page are those that decoding and encoding gives."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.synthetic_corpus import object_row, write_rows
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.pack import pages, thrift
from pipeline.pack.config import PackConfig
from pipeline.pack.page_writer import PageWriter
from pipeline.pack.stage import PackStage
from pipeline.reading.triplets import Triplets
from pipeline.store.schema import GAUSSIANS, TABLES, is_large, triplets_schema

ROW = {"views": 5, "size": 16, "num_gaussians": 40}


def corpus_of(folder, objects: int = 9, shard_size: int = 4) -> Corpus:
    """Shards with several rows in a row group, as stages write them."""
    corpus = Corpus(folder)
    rows = [object_row(i, objects + 2, **ROW) for i in range(objects)]  # all of them in train
    write_rows(corpus, rows, shard_size)
    for table in ("views", "gaussians", "embeddings"):
        for shard in corpus.shards(table):
            kept = corpus.read_rows(table, shard)
            with corpus.table_writer(corpus.shard_path(table, shard), TABLES[table]) as writer:
                for i in range(0, len(kept), 3):
                    writer.write(kept[i : i + 3])
    return corpus


def packed(corpus: Corpus, **config) -> pa.Table:
    PackStage(PackConfig(**config)).run(corpus)
    parts = [pq.read_table(path, partitioning=None, page_checksum_verification=True) for path in files(corpus)]
    return pa.concat_tables(parts)


def files(corpus: Corpus) -> list[str]:
    return Triplets(corpus, "train").files


def test_copied_and_decoded_columns_are_alike(tmp_path, monkeypatch):
    corpus = corpus_of(tmp_path)
    limits = {"min_psnr": 31.5, "row_group_bytes": 30_000}  # the first two are left out: not every page is copied
    copied = packed(corpus, **limits)
    assert pq.ParquetFile(files(corpus)[0]).num_row_groups > 1
    monkeypatch.setattr(pages.PageReader, "copyable", staticmethod(lambda metadata: False))
    decoded = packed(corpus, **limits)
    assert copied.schema.equals(decoded.schema, check_metadata=True)
    assert copied.equals(decoded)
    assert copied.column("uid").to_pylist() == [f"ball-{i:03d}" for i in range(2, 9)]


def test_shards_of_both_kinds_can_be_packed_together(tmp_path, monkeypatch):
    corpus = corpus_of(tmp_path)
    expected = packed(corpus)
    rows = corpus.read_rows("views", 1)
    monkeypatch.setattr("pipeline.store.table_writer.is_large", lambda field: False)  # as an earlier version wrote them
    with corpus.table_writer(corpus.shard_path("views", 1), TABLES["views"]) as writer:
        writer.write(rows)
    monkeypatch.undo()
    assert not pages.PageReader.copyable(pq.read_metadata(corpus.shard_path("views", 1)))
    assert packed(corpus).equals(expected)


def test_a_large_column_that_a_shard_does_not_have_yet_is_null(tmp_path):
    corpus = corpus_of(tmp_path)
    rows, earlier = corpus.read_rows("gaussians", 1), [field for field in GAUSSIANS if field.name != "sh_rest"]
    with corpus.table_writer(corpus.shard_path("gaussians", 1), pa.schema(earlier)) as writer:
        writer.write([{field.name: row[field.name] for field in earlier} for row in rows])
    assert packed(corpus).column("sh_rest").is_null().to_pylist() == [4 <= i < 8 for i in range(9)]


def test_large_columns_have_one_row_on_a_page(tmp_path):
    """In the shards and, so that single rows can be fetched, in what is packed."""
    corpus = corpus_of(tmp_path)
    packed(corpus)
    large = {field.name for field in triplets_schema() if is_large(field)}
    for path in (corpus.shard_path("views", 0), corpus.shard_path("gaussians", 0), files(corpus)[0]):
        data = memoryview(Path(path).read_bytes())
        metadata = pq.read_metadata(path)
        for group in (metadata.row_group(i) for i in range(metadata.num_row_groups)):
            for column in (group.column(i) for i in range(group.num_columns)):
                if pages.column_of(column.path_in_schema) in large:
                    start = column.data_page_offset
                    found = pages.split_pages(data[start : start + column.total_compressed_size])
                    assert len(found) == group.num_rows
                    assert sum(page.values for page in found) == column.num_values
                    assert pages.unpacked_bytes(found) == column.total_uncompressed_size


def test_the_page_index_leads_to_single_rows(tmp_path):
    corpus = corpus_of(tmp_path)
    packed(corpus)
    path = files(corpus)[0]
    data = Path(path).read_bytes()
    footer, _ = thrift.decode(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    for group in footer[4][1][1]:
        for chunk in group[1][1][1]:
            index, end = thrift.decode(data, chunk[4][1])
            assert end == chunk[4][1] + chunk[5][1]
            for place in index[1][1][1]:
                header, body = thrift.decode(data, place[1][1])
                assert place[2][1] == body - place[1][1] + header[3][1]


def test_a_damaged_page_is_not_packed(tmp_path):
    corpus = corpus_of(tmp_path)
    path = corpus.shard_path("gaussians", 1)
    metadata = pq.read_metadata(path)
    chunk = metadata.row_group(0).column(metadata.schema.names.index("element"))  # of means
    data = bytearray(Path(path).read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size - 5] ^= 1
    Path(path).write_bytes(data)
    with pytest.raises(ConfigError, match=r"gaussians/00001.parquet, column \w+.list.element is damaged.*--repair"):
        packed(corpus)
    assert not corpus.exists("triplets", "manifest.json")


def test_rows_without_values_keep_their_place(tmp_path):
    """An object that the cameras saw nothing of has no surface points."""
    corpus = Corpus(tmp_path)
    rows = [object_row(i, 6, **ROW) for i in range(4)]
    for name, width in (("points", 3), ("point_normals", 3), ("point_colors", 3)):
        rows[1][name] = np.zeros((0, width))
    write_rows(corpus, rows, shard_size=4)
    table = packed(corpus)
    lengths = [len(value) for value in table.column("points").to_pylist()]
    assert lengths == [120, 0, 120, 120]


def test_the_digest_is_that_of_the_file(tmp_path):
    schema = pa.schema([("uid", pa.string()), ("psnr", pa.float32())])
    path = tmp_path / "small.parquet"
    with PageWriter(path, schema) as writer:
        for i in range(3):
            writer.write_group(pa.table({"uid": [f"a{i}", "b"], "psnr": [1.0, i]}, schema=schema), {})
    assert writer.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert writer.bytes == path.stat().st_size
    assert pq.read_table(path).column("uid").to_pylist() == ["a0", "b", "a1", "b", "a2", "b"]
    assert pq.ParquetFile(path).metadata.row_group(2).column(1).statistics.max == 2


def test_thrift_reads_what_it_writes():
    """Footers of pyarrow, byte by byte, and every type."""
    sink = io.BytesIO()
    table = pa.table({"a": list(range(100)), "b": [[{"c": "x" * i}] for i in range(100)], "d": [True, None] * 50})
    pq.write_table(table, sink, write_page_index=True, row_group_size=10)
    data = sink.getvalue()
    size = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - size
    footer, end = thrift.decode(data, start)
    assert end == len(data) - 8
    assert thrift.encode(footer) == data[start:end]
    struct = {
        1: (thrift.TRUE, True),
        2: (thrift.FALSE, False),
        40: (thrift.I64, -(2**62)),
        41: (thrift.LIST, (thrift.TRUE, [True, False, True])),
        42: (thrift.LIST, (thrift.I32, list(range(-8, 9)))),
        43: (thrift.STRUCT, {3: (thrift.BINARY, b"x" * 300), 4: (thrift.DOUBLE, bytes(8)), 5: (thrift.BYTE, 7)}),
    }
    assert thrift.decode(thrift.encode(struct)) == (struct, len(thrift.encode(struct)))


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x18\x7f", b"\x1b\x00\x00", b"\x19\xf5\xff\xff"])
def test_what_is_no_thrift_is_refused(data):
    with pytest.raises((ValueError, IndexError)):
        thrift.decode(data)
