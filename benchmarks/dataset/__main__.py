"""How fast triplets are packed and read, and what they weigh.

    python -m benchmarks.dataset --corpus corpora/demo --objects 256

A corpus (`make demo` makes one) is packed whole, by its own config: `triplets`, bytes and the card are of that packing.
Of some objects, evenly spread, the same splat is also written as PLY and SPZ and the same views as PNG. Its objects are
then written under new uids as `--objects` objects of a new corpus (repeated, if there are fewer), and read by one
thread, files in the page cache. A read gives the splat, one decoded view and the caption of every object. That corpus
is packed too, for its memory, and a larger one, for memory and speed: the same shards eight times over. RSS is the sum
of the peaks of all processes that take part. `_per_s` figures are by the clock, `_per_core_s` by CPU time: the machine
may have had other work.

Writes dataset.json, dataset.md (tables) and dataset_card.md (the card of the corpus) to benchmarks/results.
"""

import argparse
import io
import itertools
import shutil
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from benchmarks.dataset.packing import pack_apart, times_over
from benchmarks.record import RESULTS, record
from pipeline import Corpus
from pipeline.pack.stage import PackStage
from pipeline.reading.torch_stream import COLUMNS, DECODED_ROWS, TripletStream
from pipeline.reading.triplets import Triplets
from pipeline.stages.config import Config
from pipeline.store.rows import Row, table_from_rows
from pipeline.store.schema import INDEX, TABLES, TRIPLET_TABLES, triplets_schema
from pipeline.values.pictures import view_pixels
from pipeline.values.splat import ATTRIBUTES
from pipeline.work.policy import Policy

SHARD_SIZE = 64
PASSES = 3  # the fastest counts
LARGER = 8  # so many times the objects, packed to see that memory does not grow
COMPARED = 32  # objects that are also written as PLY, SPZ and PNG, beside which their WebP is counted
LARGE = ("images", "points", "point_normals", "point_colors", *ATTRIBUTES, "image_embeddings")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataset", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="corpora/demo")
    parser.add_argument("--objects", type=int, default=256)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as folder:
        whole, packed = packed_whole(Corpus.open(options.corpus), Path(folder) / "whole")
        figures = {name: packed[name] for name in ("triplets", "bytes_per_object")} | bytes_per_column(whole)
        corpus = repeated(whole, Path(folder) / "corpus", options.objects)
        large = pack_apart(times_over(corpus, Path(folder) / "large", LARGER))
        figures |= {"objects": options.objects, **large, "pack_rss_mb": pack_apart(corpus)["pack_rss_mb"]}
        figures |= {"pack_objects_large": options.objects * LARGER, "pack_rss_mb_large": large["pack_rss_mb"]}
        figures |= read_figures(corpus, Path(folder))
        shutil.copyfile(whole.path("triplets", "README.md"), RESULTS / "dataset_card.md")
    record("dataset", figures, notes=__doc__.split("\n\n")[2].replace("\n", " "))
    (RESULTS / "dataset.md").write_text(tables(figures), encoding="utf-8")


def packed_whole(source: Corpus, target: Path) -> tuple[Corpus, Mapping[str, float]]:
    """The same corpus elsewhere (by links), packed anew by its own config, and the figures of the packing."""
    target.mkdir()
    for name in ("index.parquet", *TRIPLET_TABLES):
        (target / name).symlink_to(Path(source.path(name)).resolve())
    config = Config.model_validate(source.read_json("corpus.json")["config"]).pack
    return Corpus(target), PackStage(config).run(Corpus(target))


def repeated(source: Corpus, target: Path, objects: int) -> Corpus:
    """A corpus of `objects` copies of the objects of `source` that are packed there."""
    split = next(split for split in ("train", "heldout", "val") if source.exists("triplets", split))
    originals = [item.row for item in itertools.islice(source.triplets(split), objects)]
    corpus = Corpus(target)
    rows = [copy_of(originals[i % len(originals)], i) for i in range(objects)]
    with corpus.table_writer(corpus.path("index.parquet"), INDEX) as writer:
        writer.write([{name: row[name] for name in INDEX.names} for row in rows])
    for table in TRIPLET_TABLES:
        for shard in range(-(-objects // SHARD_SIZE)):
            with corpus.table_writer(corpus.shard_path(table, shard), TABLES[table]) as writer:
                group: list[pa.Table] = []
                for row in rows[shard * SHARD_SIZE : (shard + 1) * SHARD_SIZE]:
                    group.append(table_from_rows([{name: row[name] for name in TABLES[table].names}], TABLES[table]))
                    if sum(part.nbytes for part in group) > Policy().group_bytes:  # as stages cut their row groups
                        writer.write_table(pa.concat_tables(group))
                        group = []
                if group:
                    writer.write_table(pa.concat_tables(group))
    return corpus


def copy_of(row: Row, number: int) -> Row:
    """The row as another object of the train split."""
    new = {"uid": f"{number:06d}", "shard": number // SHARD_SIZE, "sha256": f"{number:064x}", "split": "train"}
    later = dict.fromkeys(triplets_schema().names)  # null where the given corpus is older than the column
    return {**later, **row, **new, "details": ""}


def bytes_per_column(corpus: Corpus) -> dict[str, float]:
    """Stored bytes per object of the columns, and of the splats and views of some objects in other formats."""
    stored = stored_per_object(Triplets(corpus).files)
    figures = {f"{name}_bytes_per_object": round(stored.pop(name)) for name in LARGE}
    figures["other_columns_bytes_per_object"] = round(sum(stored.values()))
    triplets = corpus.triplets("train")
    items = list(itertools.islice(triplets, 0, None, max(1, len(triplets) // COMPARED)))[:COMPARED]
    with tempfile.TemporaryDirectory() as folder:
        for form in ("ply", "spz"):
            sizes = [item.export(form, Path(folder) / "splat").stat().st_size for item in items]
            figures[f"{form}_bytes_per_object"] = round(sum(sizes) / len(sizes))
    webp = [len(image["bytes"]) for item in items for image in item.row["images"]]
    figures["compared_objects"] = len(items)
    figures["webp_bytes_per_object"] = round(sum(webp) / len(items))
    figures["png_bytes_per_object"] = round(sum(png_size(view) for item in items for view in item.views) / len(items))
    figures["gaussians_per_object"] = round(sum(len(item.gaussians) for item in items) / len(items))
    figures["views_per_object"] = round(len(webp) / len(items))
    return figures


def stored_per_object(files: Iterable[str]) -> dict[str, float]:
    """Bytes of each column, compressed, over the number of rows."""
    stored: Counter = Counter()
    rows = 0
    for metadata in map(pq.read_metadata, files):
        rows += metadata.num_rows
        for group in (metadata.row_group(i) for i in range(metadata.num_row_groups)):
            for chunk in (group.column(i) for i in range(group.num_columns)):
                stored[chunk.path_in_schema.partition(".")[0]] += chunk.total_compressed_size
    return {name: size / rows for name, size in stored.items()}


def png_size(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.tell()


def read_figures(corpus: Corpus, folder: Path) -> dict[str, float]:
    """Objects per second of CPU time, by reader; `format_limit` only decodes what a reader must decode."""
    tar = write_tar(corpus, folder / "objects.tar")
    triplets = corpus.triplets("train")
    stored = stored_per_object(triplets.files)
    cache = str(folder / "cache")
    readers: dict[str, Callable[[], Iterable]] = {
        "read_objects_per_core_s": lambda: TripletStream(corpus.triplets("train"), seed=0),
        "read_objects_per_core_s_format_limit": lambda: format_limit(corpus),
        "read_objects_per_core_s_datasets": lambda: by_datasets(corpus, cache),
        "read_objects_per_core_s_webdataset": lambda: by_webdataset(tar),
    }
    rates: dict[str, list[float]] = {name: [] for name in readers}
    walls = []
    for _ in range(PASSES):  # one after the other, so that a busy moment of the machine meets all alike
        for name, reader in readers.items():
            cpu_started, started = time.process_time(), time.perf_counter()
            count = sum(1 for _ in reader())
            rates[name].append(count / (time.process_time() - cpu_started))
            if name == "read_objects_per_core_s":
                walls.append(count / (time.perf_counter() - started))
    figures = {
        "read_bytes_per_object": round(sum(stored[name] for name in COLUMNS)),
        "read_bytes_per_object_webdataset": round(tar.stat().st_size / len(triplets)),
    }
    figures |= {"read_objects_per_s": max(walls), **{name: max(values) for name, values in rates.items()}}
    figures["read_share_of_format_limit"] = (
        figures["read_objects_per_core_s"] / figures["read_objects_per_core_s_format_limit"]
    )
    return figures


def format_limit(corpus: Corpus) -> Iterator[np.ndarray]:
    """Decode the same columns and one view of each object, and nothing else, a few rows at a time (the fastest way)."""
    for path in corpus.triplets("train").files:
        for batch in pq.ParquetFile(path).iter_batches(DECODED_ROWS, columns=list(COLUMNS), use_threads=False):
            images = batch.column("images")
            encoded = images.values.field("bytes")
            for first in images.offsets[:-1].to_pylist():
                yield view_pixels(encoded[first].as_py(), None, "a view")


def by_datasets(corpus: Corpus, cache: str) -> Iterator[tuple]:
    """Hugging Face datasets, streaming, numpy arrays, images left encoded but one."""
    files = corpus.triplets("train").files
    stream = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True, cache_dir=cache)
    stream = stream.select_columns(list(COLUMNS)).cast_column("images", datasets.List(datasets.Image(decode=False)))
    for row in stream.with_format("numpy"):
        image = np.asarray(Image.open(io.BytesIO(row["images"][0]["bytes"])))
        yield row["caption"], row["means"].reshape(-1, 3), image


def by_webdataset(tar: Path) -> Iterator[tuple]:
    """WebDataset with the splat as one .npy and every view as a file of its own, one of them decoded."""
    for sample in webdataset.WebDataset(str(tar), shardshuffle=False):
        image = np.asarray(Image.open(io.BytesIO(sample["000.webp"])))
        yield sample["txt"].decode(), np.load(io.BytesIO(sample["npy"])), image


def write_tar(corpus: Corpus, path: Path) -> Path:
    """The same objects as WebDataset wants them."""
    with tarfile.open(path, "w") as tar:
        for item in corpus.triplets("train"):
            splat = io.BytesIO()
            np.save(splat, item.gaussians)
            members = {"txt": item.caption.encode(), "npy": splat.getvalue()}
            members |= {f"{i:03d}.webp": image["bytes"] for i, image in enumerate(item.row["images"])}
            for extension, content in members.items():
                info = tarfile.TarInfo(f"{item.uid}.{extension}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def tables(figures: Mapping[str, float]) -> str:
    """Sizes and readers as Markdown."""
    whole = figures["bytes_per_object"]
    splat = sum(figures[f"{name}_bytes_per_object"] for name in ATTRIBUTES)
    webp, ply, png = (figures[f"{name}_bytes_per_object"] for name in ("webp", "ply", "png"))
    sizes = {name: figures[f"{name}_bytes_per_object"] for name in LARGE}
    lines = [
        "# What triplets weigh, and how fast they are read",
        "",
        f"Made by `python -m benchmarks.dataset` with dataset.json, which says how. {figures['triplets']:,} triplets, "
        f"{figures['gaussians_per_object']:,} Gaussians and {figures['views_per_object']} views each.",
        "",
        "| column | bytes per object | share |",
        "|---|---:|---:|",
        *(f"| `{name}` | {size:,} | {size / whole:.1%} |" for name, size in sizes.items()),
        f"| all others | {figures['other_columns_bytes_per_object']:,} | "
        f"{figures['other_columns_bytes_per_object'] / whole:.1%} |",
        f"| a whole triplet | {whole:,} | |",
        "",
        "| bytes per object | packed | as files of their own |",
        "|---|---:|---:|",
        f"| splat | {splat:,} | {ply:,} PLY; {figures['spz_bytes_per_object']:,} SPZ, which is lossy |",
        f"| views of {figures['compared_objects']} objects, lossless | {webp:,} | {png:,} PNG |",
        f"| both | {splat + webp:,} | {ply + png:,} PLY + PNG |",
        "",
        "| reader: splat, one decoded view, caption | objects per second and core | bytes per object |",
        "|---|---:|---:|",
        *(f"| {text} | {figures[key]:,.0f} | {size:,} |" for text, key, size in reader_rows(figures)),
        "",
    ]
    return "\n".join(lines)


def reader_rows(figures: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Name of each reader, the key of its figure, and the bytes of an object that it goes through."""
    key, packed = "read_objects_per_core_s", figures["read_bytes_per_object"]
    return [
        ("`TripletStream`, shuffled", key, packed),
        ("nothing but decoding, in the files' order", f"{key}_format_limit", packed),
        ("Hugging Face `datasets`, streaming", f"{key}_datasets", packed),
        (
            "WebDataset: .npy, not compressed, and WebP in a tar",
            f"{key}_webdataset",
            figures["read_bytes_per_object_webdataset"],
        ),
    ]


if __name__ == "__main__":
    main()
