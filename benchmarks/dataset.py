"""How fast triplets are packed and read, and what they weigh.

    python -m benchmarks.dataset --corpus corpora/demo --objects 256

The objects of a packed corpus (`make demo` makes one) are written under new uids as `--objects` objects of a new one
(repeated, if there are fewer), and read by one thread, files in the page cache. A read gives the splat, one decoded
view and the caption of every object. Packed is that corpus, for its memory, and a larger one, for memory and speed: the
same shards eight times over. RSS is the sum of the peaks of all processes that take part. `_per_s` figures are by the
clock, `_per_core_s` by CPU time: the machine may have had other work. Writes dataset.json.
"""

import argparse
import io
import itertools
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from benchmarks.dataset_packing import pack_apart, times_over
from benchmarks.record import record
from pipeline.corpus import Corpus
from pipeline.objects import GAUSSIAN_COLUMNS, decode_image
from pipeline.rows import Row, table_from_rows
from pipeline.schema import INDEX, TABLES, TRIPLET_TABLES, triplets_schema
from pipeline.shard_writer import GROUP_BYTES
from pipeline.torch_stream import COLUMNS, DECODED_ROWS, TripletStream

SHARD_SIZE = 64
PASSES = 3  # the fastest counts
LARGER = 8  # so many times the objects, packed to see that memory does not grow
COMPARED = 16  # objects, evenly spread, that are also written as PLY, SPZ and PNG, beside which their WebP is counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="corpora/demo")
    parser.add_argument("--objects", type=int, default=256)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = repeated(Corpus.open(options.corpus), Path(folder) / "corpus", options.objects)
        large = pack_apart(times_over(corpus, Path(folder) / "large", LARGER))
        figures = {"objects": options.objects, **large, "pack_rss_mb": pack_apart(corpus)["pack_rss_mb"]}
        figures |= {"pack_objects_large": options.objects * LARGER, "pack_rss_mb_large": large["pack_rss_mb"]}
        figures |= bytes_per_column(corpus)
        figures |= read_figures(corpus, Path(folder))
    record("dataset", figures, notes=__doc__.split("\n\n")[2].replace("\n", " "))


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
                    if sum(part.nbytes for part in group) > GROUP_BYTES:  # as stages cut their row groups
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
    """Stored bytes per object of the large columns, and of the same splat as PLY and SPZ."""
    stored: Counter = Counter()
    rows = 0
    for metadata in map(pq.read_metadata, corpus.triplets("train").files):
        rows += metadata.num_rows
        for group in (metadata.row_group(i) for i in range(metadata.num_row_groups)):
            for chunk in (group.column(i) for i in range(group.num_columns)):
                stored[chunk.path_in_schema.partition(".")[0]] += chunk.total_compressed_size
    names = ("images", "points", "point_normals", "point_colors", *GAUSSIAN_COLUMNS, "image_embeddings")
    figures = {f"{name}_bytes_per_object": round(stored[name] / rows) for name in names}
    items = list(itertools.islice(corpus.triplets("train"), 0, None, max(1, rows // COMPARED)))[:COMPARED]
    with tempfile.TemporaryDirectory() as folder:
        for form in ("ply", "spz"):
            sizes = [item.export(form, Path(folder) / "splat").stat().st_size for item in items]
            figures[f"{form}_bytes_per_object"] = round(sum(sizes) / len(sizes))
    webp = [len(image["bytes"]) for item in items for image in item.row["images"]]
    figures["compared_objects"] = len(items)
    figures["webp_bytes_per_object"] = round(sum(webp) / len(items))
    figures["png_bytes_per_object"] = round(sum(png_size(view) for item in items for view in item.views) / len(items))
    figures["gaussians_per_object"] = round(sum(len(item.gaussians) for item in items) / len(items))
    return figures


def png_size(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.tell()


def read_figures(corpus: Corpus, folder: Path) -> dict[str, float]:
    """Objects per second of CPU time, by reader; `format_limit` only decodes what a reader must decode."""
    tar = write_tar(corpus, folder / "objects.tar")
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
    figures = {"read_objects_per_s": max(walls), **{name: max(values) for name, values in rates.items()}}
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
                yield np.asarray(decode_image(encoded[first].as_py()))


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


if __name__ == "__main__":
    main()
