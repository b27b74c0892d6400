"""Hostile and broken files through the pipeline's own command: does every one end as a row or as an error?

    python -m benchmarks.hostile [--models FOLDER]

Files that code makes (benchmarks/hostile/files.py), and those below FOLDER (Debian's package assimp-testmodels, say),
go through `--stage assets` and `--stage render` with the raster engine; some of them with Blender. One object a shard,
so that each one's seconds are on record. Takes half an hour of CPU time. Writes its part of render.json.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.hostile.files import all_cases, damaged, library, write_cases
from benchmarks.hostile.outcome import Outcome, outcome
from benchmarks.record import record
from pipeline import Corpus

RUN_TIMEOUT_S = 3000
OBJECT_TIMEOUT_S = 60
SETTINGS = {
    "assets.shard_size": 1,
    "assets.batch_size": 1,
    "assets.max_bytes": 50_000_000,
    "render.views": 4,
    "render.resolution": 64,
    "render.samples": 4,
    "render.timeout_s": OBJECT_TIMEOUT_S,
}
# What Blender gets: cases that the checks before it let through, or that aim at it. Beginnings of names.
FOR_BLENDER = (
    "5000 nodes deep",
    "accessor of two billion",
    "accessor of zeros",
    "animation of nothing",
    "colour that is no number",
    "dae ",
    "every node twice",
    "fbx header only",
    "fbx node of 4 GB",
    "fbx node that ends",
    "fbx version",
    "file name: bytes",
    "glb cut at 700",
    "glb flipped 0",
    "glb's numbers flipped",
    "image that decodes",
    "image that is geometry",
    "index of nothing",
    "joint that is its own",
    "matrix of infinities",
    "name of a megabyte",
    "nodes in a circle",
    "obj face of 20000",
    "obj index beyond",
    "obj vertex of 1e308",
    "ply a trillion faces",
    "ply faces of one corner",
    "ply flipped 5",
    "scale of 1e30",
    "stl flipped 6",
    "stl vertex that is no",
    "usdz ",
    "vertex far away",
    "vertex that is no number",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, help="a folder with more files")
    arguments = parser.parse_args()
    cases = all_cases()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_cases(cases, scratch / "all" / "crafted")
        few = {what: files for what, files in cases.items() if what.startswith(FOR_BLENDER)}
        if arguments.models:
            shutil.copytree(arguments.models, scratch / "all" / "models", ignore=_no_links)
            few |= damaged(sorted(path for path in arguments.models.rglob("*") if path.suffix.lower() == ".fbx"))
        raster = campaign("folder", scratch / "all", scratch / "raster", "raster")
        (scratch / "lying.sh3f").write_bytes(library())
        raster += campaign("sh3f", scratch / "lying.sh3f", scratch / "zip", "raster")
        write_cases(few, scratch / "few")
        blender = campaign("folder", scratch / "few", scratch / "blender", "blenderproc")
    both = raster + blender
    figures = {
        "hostile_files": raster.objects,
        "hostile_files_blender": blender.objects,
        "hostile_crashes": both.crashes,
        "uids_lost": both.lost,
        "views_raster": raster.views,
        "views_blender": blender.views,
        **{f"{stage}_{kind}": count for (stage, kind), count in sorted(both.errors.items())},
        "slowest_s_raster": raster.slowest_s,
        "slowest_s_blender": blender.slowest_s,
    }
    notes = (
        f"{len(cases)} crafted files, {raster.objects - len(cases)} others. hostile_crashes counts commands that did "
        f"not end well; the errors are rows of the errors table by stage and class, both engines together. "
        f"render.timeout_s was {OBJECT_TIMEOUT_S}."
    )
    print(record("render", figures, notes, part="hostile").read_text(encoding="utf-8"))


def campaign(source: str, path: Path, corpus: Path, engine: str) -> Outcome:
    """Plan, fetch and render everything at `path`."""
    settings = SETTINGS | {"assets.source": source, "assets.path": path, "render.engine": engine}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    crashes = 0
    for stage in ("assets", "render"):
        command = [sys.executable, "-m", "pipeline.run", "--stage", stage, "--corpus", str(corpus), "--workers", "2"]
        ended = subprocess.run([*command, *flags], check=False, timeout=RUN_TIMEOUT_S, stdout=subprocess.DEVNULL)
        crashes += ended.returncode != 0
    return outcome(Corpus(corpus), crashes)


def _no_links(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if Path(folder, name).is_symlink()}


if __name__ == "__main__":
    main()
