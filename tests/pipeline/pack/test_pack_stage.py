import csv
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from fakes.synthetic_corpus import object_row, write_corpus, write_rows
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.pack.config import PackConfig
from pipeline.pack.manifest import check_folder
from pipeline.pack.stage import PackStage
from pipeline.store.rows import rows_from_table
from pipeline.store.schema import triplets_schema


def pack(corpus: Corpus, **config) -> dict:
    return dict(PackStage(PackConfig(**config)).run(corpus))


def digests(folder) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def packed_rows(corpus: Corpus, split: str) -> list[dict]:
    files = sorted(corpus.filesystem.glob(corpus.path("triplets", split, "*.parquet")))
    return [row for file in files for row in rows_from_table(pq.read_table(file, partitioning=None))]


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    return write_corpus(tmp_path / "corpus")


def test_triplets_are_the_joined_rows_by_split(corpus, tmp_path):
    figures = pack(corpus)
    assert figures["triplets"] == 6
    assert (figures["triplets_train"], figures["triplets_val"], figures["triplets_heldout"]) == (4, 1, 1)
    assert figures["psnr_median"] == 32.5
    rows = packed_rows(corpus, "train")
    assert [row["uid"] for row in rows] == [f"ball-{i:03d}" for i in range(4)]
    whole = {
        **corpus.read_rows("assets", 1)[0],
        **corpus.read_rows("captions", 1)[0],
        **corpus.read_rows("views", 1)[0],
        **corpus.read_rows("gaussians", 1)[0],
        **corpus.read_rows("embeddings", 1)[0],
    }
    assert rows[2].keys() == set(triplets_schema().names)
    for column, value in whole.items():
        np.testing.assert_equal(rows[2][column], value, err_msg=column)


def test_shards_of_six_digits_are_packed_after_those_of_five(corpus):
    for table in ("assets", "views", "gaussians", "captions", "embeddings"):
        Path(corpus.shard_path(table, 2)).rename(corpus.shard_path(table, 100_000))
        Path(corpus.shard_path(table, 1)).rename(corpus.shard_path(table, 10_001))  # as text, it comes after 100000
    assert pack(corpus)["triplets"] == 6
    assert [row["uid"] for row in packed_rows(corpus, "train")] == [f"ball-{i:03d}" for i in range(4)]
    assert [row["uid"] for row in packed_rows(corpus, "heldout")] == ["ball-005"]


def test_the_order_of_rows_may_differ_between_tables(tmp_path):
    corpus = Corpus(tmp_path)
    rows = [object_row(i, 5, views=3, size=16, num_gaussians=10) for i in range(3)]
    write_rows(corpus, rows, shard_size=3)
    with corpus.table_writer(corpus.shard_path("captions", 0), pq.read_schema(corpus.shard_path("captions", 0))) as out:
        out.write([{name: row[name] for name in out.schema.names} for row in rows[::-1]])
    pack(corpus)
    assert [row["caption"] for row in packed_rows(corpus, "train")] == [row["caption"] for row in rows]


def test_gates_leave_out_and_count(tmp_path):
    rows = [object_row(i, 12, views=3, size=16, num_gaussians=10) for i in range(8)]
    rows[0]["psnr"] = 12.0
    rows[1]["psnr"] = float("nan")
    rows[2]["coverage"] = 0.0
    rows[3]["license"] = "no idea"
    rows[4]["missing_textures"] = rows[4]["missing_colors"] = ["wood.png"]
    rows[6]["missing_textures"] = ["bumps.png"]
    rows[5]["scores"] = np.array([0.1, 0.2])
    rows[7]["sha256"] = rows[6]["sha256"]
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, shard_size=3)
    figures = pack(
        corpus,
        min_psnr=20,
        licenses=("CC0-1.0", "cc-by-3.0"),
        min_caption_score=0.3,
    )
    left_out = {key.removeprefix("left_out_"): value for key, value in figures.items() if key.startswith("left_out_")}
    assert left_out == {
        "psnr": 2,
        "coverage": 1,
        "license": 1,
        "missing_textures": 1,
        "caption_score": 1,
        "duplicate": 1,
    }
    assert [row["uid"] for row in packed_rows(corpus, "train")] == ["ball-006"]
    assert pack(corpus)["triplets"] == 5  # by default what is empty, without a texture or there twice stays out
    left_out = {"coverage": 1, "missing_textures": 1, "duplicate": 1}
    assert json.loads((tmp_path / "triplets/manifest.json").read_text())["left_out"] == left_out
    card = (tmp_path / "triplets/README.md").read_text()
    assert "| refers to textures of colours that are missing | `allow_missing_textures`: no | 1 |" in card
    assert pack(corpus, allow_missing_textures=True)["triplets"] == 6


def test_of_an_older_corpus_any_missing_texture_counts(tmp_path):
    rows = [object_row(i, 12, views=3, size=16, num_gaussians=10) for i in range(3)]
    rows[1]["missing_textures"] = ["bumps.png"]
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, shard_size=3)
    path = corpus.shard_path("assets", 0)
    schema = pq.read_schema(path)
    older = pa.schema([field for field in schema if field.name != "missing_colors"]).with_metadata(schema.metadata)
    with corpus.table_writer(path, older) as writer:
        writer.write([{name: row[name] for name in older.names} for row in rows])
    assert pack(corpus)["left_out_missing_textures"] == 1
    assert [row["missing_colors"] for row in packed_rows(corpus, "train")] == [None, None]


def test_the_same_file_rotated_is_another_object(tmp_path):
    rows = [object_row(i, 12, views=3, size=16, num_gaussians=10) for i in range(2)]
    rows[1]["sha256"] = rows[0]["sha256"]
    rows[1]["rotation"] = np.diag([-1.0, -1.0, 1.0]).reshape(-1)
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, shard_size=2)
    assert pack(corpus)["triplets"] == 2


def test_objects_that_failed_on_the_way_are_counted_by_the_table_that_lacks_them(tmp_path):
    corpus = write_corpus(tmp_path, objects=6, shard_size=3)
    for table, kept in (("assets", 2), ("gaussians", 1)):
        rows, path = corpus.read_rows(table, 0), corpus.shard_path(table, 0)
        with corpus.table_writer(path, pq.read_schema(path)) as writer:
            writer.write(rows[:kept])
    (tmp_path / "captions/00001.parquet").unlink()
    figures = pack(corpus)
    assert figures["triplets"] == 1
    assert figures["left_out_missing_assets"] == 1
    assert figures["left_out_missing_gaussians"] == 1
    assert figures["left_out_missing_captions"] == 3


def test_nothing_to_pack_is_a_config_error_that_says_why(corpus):
    with pytest.raises(ConfigError, match="none of 6 objects.*psnr 6"):
        pack(corpus, min_psnr=99)
    assert not corpus.exists("triplets")


def test_files_and_row_groups_keep_their_limits(tmp_path):
    """At limits a thousandth of the defaults: files of 256 to 512 KB, row groups under 100 KB."""
    corpus = write_corpus(tmp_path, objects=18, shard_size=5, size=48, num_gaussians=700)
    pack(corpus, file_bytes=400_000, row_group_bytes=64_000)
    names = sorted(path.name for path in (tmp_path / "triplets/train").iterdir())
    assert len(names) > 1
    generation = json.loads((tmp_path / "triplets/manifest.json").read_text())["generation"]
    assert names == [f"train-{i:05d}-of-{len(names):05d}-{generation}.parquet" for i in range(len(names))]
    for name in names:
        metadata = pq.read_metadata(tmp_path / "triplets/train" / name)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        stored = sum(group.column(i).total_compressed_size for group in groups for i in range(group.num_columns))
        assert stored < 512_000  # without the footer, which is not a thousandth
        assert stored > 256_000 or name == names[-1]
        assert len(groups) > 1
        for group in groups:
            assert group.total_byte_size < 100_000 or group.num_rows == 1
            for column in (group.column(i) for i in range(group.num_columns)):
                assert column.has_offset_index
                assert column.compression == "ZSTD"
                if column.path_in_schema in ("uid", "psnr", "license"):
                    assert column.has_column_index and column.is_stats_set
                if column.path_in_schema == "means.list.element":
                    assert "BYTE_STREAM_SPLIT" in column.encodings


def test_the_same_corpus_gives_the_same_bytes(corpus, tmp_path):
    pack(corpus)
    first = digests(tmp_path / "corpus/triplets")
    pack(corpus)
    assert digests(tmp_path / "corpus/triplets") == first
    assert not list((tmp_path / "corpus").glob("triplets.*"))


def test_manifest_finds_what_was_damaged_in_a_copy(corpus, tmp_path):
    pack(corpus)
    copy = Corpus(tmp_path / "corpus/triplets")
    assert check_folder(copy) == []
    files = sorted((tmp_path / "corpus/triplets").rglob("*.parquet"))
    data = bytearray(files[0].read_bytes())
    data[100] ^= 1
    files[0].write_bytes(data)
    files[1].write_bytes(files[1].read_bytes()[:-1])
    files[2].unlink()
    names = [str(file.relative_to(copy.root)) for file in files]
    problems = check_folder(copy)
    assert [problem.partition(":")[0] for problem in problems] == [names[1], names[2], names[0]]  # train, val, heldout
    assert "missing" in next(problem for problem in problems if names[2] in problem)
    assert "SHA-256" in next(problem for problem in problems if names[0] in problem)
    assert "bytes instead of" in next(problem for problem in problems if names[1] in problem)


def test_attribution_names_every_packed_object(corpus, tmp_path):
    pack(corpus, min_psnr=30.5)
    with (tmp_path / "corpus/triplets/ATTRIBUTION.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["uid"] for line in lines] == [f"ball-{i:03d}" for i in range(1, 6)]
    assert lines[0]["creator"] == "Maker 1" and lines[0]["license"] == "CC-BY 3.0"


def test_attribution_holds_no_formulas(tmp_path):
    rows = [object_row(i, 3, 6, 32, 60) for i in range(3)]
    rows[0]["name"], rows[1]["creator"] = '=HYPERLINK("http://evil")', "@SUM(A1)\x1b[2J"
    corpus = Corpus(tmp_path / "corpus")
    write_rows(corpus, rows, 2)
    pack(corpus)
    with (tmp_path / "corpus/triplets/ATTRIBUTION.csv").open(newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert first["name"] == '\'=HYPERLINK("http://evil")' and second["creator"] == "'@SUM(A1)\\x1b[2J"


def test_card_counts_licences_and_what_was_left_out(corpus, tmp_path):
    pack(corpus, min_psnr=30.5)
    card = (tmp_path / "corpus/triplets/README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert [item["split"] for item in header["configs"][0]["data_files"]] == ["train", "val", "heldout"]
    assert header["license"] == "other"
    assert "| CC-BY 3.0 | 3 |" in card and "| CC0 | 2 |" in card
    assert "| held-out PSNR too low | `min_psnr`: 30.5 | 1 |" in card
    assert "| licence not on the list | `licenses`: any | 0 |" in card
    assert "| psnr | 31.2 | 32 | 33 | 34 | 34.8 |" in card
    assert "31 to 31.5  ████████████████████████████████████████ 1" in card
    citation = yaml.safe_load((tmp_path / "corpus/triplets/CITATION.cff").read_text())
    generation = json.loads((tmp_path / "corpus/triplets/manifest.json").read_text())["generation"]
    assert citation["version"] == generation and f"@misc{{triplets-{generation}," in card
    assert "weak offline encoder" in card


def test_card_escapes_what_strangers_wrote(tmp_path):
    rows = [object_row(0, 5, views=3, size=16, num_gaussians=10)]
    rows[0]["category"] = "| <img src=x> `code`\n# title"
    corpus = Corpus(tmp_path)
    write_rows(corpus, rows, shard_size=1)
    pack(corpus)
    card = (tmp_path / "triplets/README.md").read_text()
    assert "<img" not in card and "\n# title" not in card
    assert "&#124; &#60;img src=x&#62; &#96;code&#96; &#35; title" in card


def test_images_stay_as_they_were_rendered(corpus):
    pack(corpus)
    row = packed_rows(corpus, "val")[0]
    image = Image.open(io.BytesIO(row["images"][0]["bytes"]))
    assert image.mode == "RGBA" and image.size == (32, 32)
