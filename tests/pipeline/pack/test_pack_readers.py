"""The packed files in the readers that other teams use."""

import io
import json

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fakes.synthetic_corpus import object_row, write_corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.features import with_features
from pipeline.pack.stage import PackStage
from pipeline.store.schema import triplets_schema

SIZES = {"objects": 6, "views": 6, "size": 32, "num_gaussians": 60}
FIRST = object_row(0, **SIZES)


@pytest.fixture(scope="module")
def triplets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    PackStage(PackConfig()).run(write_corpus(folder, **SIZES))
    return folder / "triplets"


def test_pyarrow_filters_by_column(triplets):
    table = ds.dataset(triplets / "train", format="parquet").to_table(
        columns=["uid", "means"], filter=ds.field("license") == "CC0"
    )
    assert table["uid"].to_pylist() == ["ball-000", "ball-002"]
    means = np.asarray(table["means"][0].values).reshape(-1, 3)
    np.testing.assert_allclose(means, FIRST["means"], atol=1e-7)


def test_the_width_of_flat_columns_is_in_the_file(triplets):
    schema = pq.read_schema(next((triplets / "train").iterdir()))
    widths = {field.name: int(field.metadata[b"width"]) for field in schema if b"width" in (field.metadata or {})}
    assert (widths["means"], widths["quats"], widths["opacities"], widths["points"]) == (3, 4, 1, 3)


def test_pandas(triplets):
    frame = pd.read_parquet(triplets / "train").set_index("uid")
    row = frame.loc["ball-000"]
    np.testing.assert_allclose(row["colors"].reshape(-1, 3), FIRST["colors"], atol=1e-6)
    assert Image.open(io.BytesIO(row["images"][0]["bytes"])).mode == "RGBA"
    assert row["caption"] == "A round ball, number 0."


def test_polars(triplets):
    frame = pl.scan_parquet(triplets / "*" / "*.parquet").filter(pl.col("psnr") > 33.5)
    rows = frame.select("uid", "means", pl.col("images").list.len().alias("views")).sort("uid").collect()
    assert rows["uid"].to_list() == ["ball-004", "ball-005"]
    assert rows["views"].to_list() == [6, 6]
    np.testing.assert_allclose(rows["means"][0].to_numpy().reshape(-1, 3), FIRST["means"], atol=1e-6)


def test_duckdb(triplets):
    rows = duckdb.sql(
        f"SELECT uid, len(means) / 3, list_cosine_similarity(text_embedding, image_embeddings[1]), images[1].bytes "
        f"FROM '{triplets}/*/*.parquet' ORDER BY uid"
    ).fetchall()
    assert len(rows) == 6
    assert rows[0][:2] == ("ball-000", 60)
    assert rows[0][2] == pytest.approx(FIRST["view_weights"][0], abs=1e-5)
    assert rows[0][3] == FIRST["images"][0]["bytes"]


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_by_files(triplets, tmp_path, streaming):
    files = str(triplets / "train" / "*.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=files, split="train", streaming=streaming, cache_dir=str(tmp_path)
    )
    assert loaded.features["images"] == datasets.List(datasets.Image())
    row = next(iter(loaded))
    assert len(row["images"]) == 6
    expected = Image.open(io.BytesIO(FIRST["images"][0]["bytes"]))
    np.testing.assert_array_equal(np.asarray(row["images"][0]), np.asarray(expected))
    np.testing.assert_allclose(np.reshape(row["world_to_camera"], (-1, 16)), FIRST["world_to_camera"])


def test_datasets_by_folder_finds_the_splits_on_the_card(triplets, tmp_path):
    loaded = datasets.load_dataset(str(triplets), cache_dir=str(tmp_path))
    assert {split: part.num_rows for split, part in loaded.items()} == {"train": 4, "val": 1, "heldout": 1}
    assert isinstance(loaded["val"][0]["images"][0], Image.Image)


def test_features_metadata_is_what_datasets_itself_writes():
    schema = with_features(triplets_schema())
    features = datasets.Features.from_arrow_schema(schema)
    ours = json.loads(schema.metadata[b"huggingface"])
    theirs = json.loads(features.arrow_schema.metadata[b"huggingface"])
    assert ours == theirs
    assert features.arrow_schema.equals(schema.remove_metadata(), check_metadata=False)
