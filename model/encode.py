"""Splats to embeddings: `python -m model.encode INPUT --run CORPUS/runs/NAME --output embeddings.parquet`.

INPUT is a corpus (every object with Gaussians), a splat (PLY in the 3DGS layout), or a mesh (GLB, GLTF, OBJ, PLY, STL,
FBX, DAE, USDZ), which goes through the pipeline first: rendered and fitted in a temporary corpus.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import tyro

from model.data.similarity import rotate
from model.splat_encoder import load_encoder
from pipeline.base.errors import AssetError, ConfigError, PipelineError
from pipeline.base.exit_code import exit_code
from pipeline.store.corpus_store import CorpusStore
from pipeline.store.table_writer import TableWriter
from pipeline.values.asset_formats import ASSET_FORMATS
from pipeline.values.frames import Y_UP_TO_Z_UP
from pipeline.values.packed import pack
from pipeline.values.splat import ATTRIBUTES

SCHEMA = pa.schema([("uid", pa.string()), ("encoder", pa.string()), ("embedding", pa.list_(pa.float32()))])
OBJECTS_AT_ONCE = 64


@dataclass(frozen=True)
class Arguments:
    """Embed a corpus, a splat or a mesh with a trained model."""

    input: tyro.conf.Positional[str]
    """Corpus (folder or bucket), splat (.ply) or mesh."""
    run: str
    """Folder of the trained model: CORPUS/runs/NAME."""
    output: str = "embeddings.parquet"
    """Parquet file with uid, encoder and embedding (unit vectors)."""
    up_axis: Literal["z", "y"] = "z"
    """Up axis of a splat file (z for files exported by this project)."""
    config: str = ""
    """YAML preset for rendering and fitting a mesh: that of the corpus the model was trained on."""


def main(arguments: Arguments) -> int:
    """Write the embeddings; returns how many.

    Raises:
        ConfigError: no such input or model.
        AssetError: a splat that cannot be embedded, or a mesh that the pipeline cannot do.
    """
    encoder = load_encoder(arguments.run)
    splats = input_splats(arguments.input, arguments.up_axis, arguments.config)
    output = Path(arguments.output)
    unfinished = output.with_name(f"{output.name}.part")
    count = 0
    try:
        with closing(TableWriter(unfinished, SCHEMA)) as writer:
            for uids, group in _groups(splats):
                rows = zip(uids, encoder.encode(group), strict=True)
                writer.write([{"uid": uid, "encoder": encoder.encoder, "embedding": vector} for uid, vector in rows])
                count += len(uids)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def input_splats(source: str, up_axis: str = "z", config: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """uid and Gaussians [N, 14] (z up) of everything in a corpus, a splat file or a mesh file."""
    path = Path(source)
    if path.suffix.lower().removeprefix(".") in ASSET_FORMATS:
        if not path.is_file():
            raise ConfigError(f"no file {source}")
        splat = _read_splat(path) if path.suffix.lower() == ".ply" else None
        if splat is None:
            yield from _fitted_mesh(path, config)
        else:
            yield path.stem, rotate(splat, Y_UP_TO_Z_UP) if up_axis == "y" else splat
        return
    yield from corpus_splats(CorpusStore(source))


def corpus_splats(corpus: CorpusStore) -> Iterator[tuple[str, np.ndarray]]:
    """uid and Gaussians [N, 14] of every fitted object of a corpus."""
    shards = corpus.shards("gaussians")
    if not shards:
        raise ConfigError(f"{corpus.uri} holds no Gaussians: run the fit stage, or name a .ply or mesh file")
    for shard in shards:
        for row in corpus.read_rows("gaussians", shard, columns=["uid", *ATTRIBUTES]):
            yield row["uid"], pack(row)


def _read_splat(path: Path) -> np.ndarray | None:
    """[N, 14] of a splat in the 3DGS layout; None for a PLY that is a mesh."""
    from pipeline.values.ply import read_ply

    with path.open("rb") as file:
        header = file.read(65536).partition(b"end_header")[0]
    if b" f_dc_0" not in header:
        return None
    return pack(read_ply(path).splat.arrays())


def _fitted_mesh(path: Path, config: str) -> Iterator[tuple[str, np.ndarray]]:
    """The mesh, rendered and fitted by the pipeline's own command in a temporary corpus."""
    with tempfile.TemporaryDirectory(prefix="clip-gs-mesh-") as folder:
        corpus = CorpusStore(f"{folder}/corpus")
        for stage in ("assets", "render", "fit"):
            command = [sys.executable, "-m", "pipeline.run", "--stage", stage, "--corpus", corpus.uri]
            flags = ["--assets.source", "folder", "--assets.path", str(path)]
            flags += ["--config", config] if config else []
            done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
            failures = corpus.read_errors(stage, 0)
            if failures:
                raise AssetError(f"{path} fails in {stage}: {failures[0]['message']}")
            if done.returncode:
                raise ConfigError(f"{path}: stage {stage} ended with {done.returncode}: {done.stderr.strip()}")
        yield from ((path.stem, splat) for _, splat in corpus_splats(corpus))


def _groups(splats: Iterator[tuple[str, np.ndarray]]) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    while group := list(islice(splats, OBJECTS_AT_ONCE)):
        yield [uid for uid, _ in group], [splat for _, splat in group]


def _command() -> int:
    try:
        parsed = tyro.cli(Arguments)
        print(f"{main(parsed)} embeddings in {parsed.output}")
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(_command))
