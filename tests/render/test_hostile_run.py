"""A handful of the files of benchmarks/hostile, through the command: each one ends as a row or as an error."""

import pytest

from benchmarks.hostile.files import all_cases, library, write_cases
from benchmarks.hostile.outcome import outcome
from pipeline import Corpus
from pipeline.run import main

ERRORS = (
    "accessor of two billion",
    "accessor of zeros without end",
    "buffer of the system",
    "document nested 100000 deep",
    "every node twice below the one above",
    "fbx node of 4 GB",
    "image that decodes to 400 megapixels",
    "index of nothing at all",
    "matrix of infinities",
    "nodes in a circle",
    "obj index of 30 digits",
    "obj vertex of 1e308",
    "ply a trillion faces",
    "off a trillion faces",
    "off vertex that is not there",
    "stl four billion facets",
    "vertex that is no number",
)
SOUND = (
    "file name: bytes that are no text",
    "image above its folder",
    "name of lone surrogates",
    "obj line of 3 megabytes",
    "off sound",
    "obj texture that breaks off",
    "texture file that is not there",
)
SMALL = {
    "assets.shard_size": 1,
    "render.engine": "raster",
    "render.shading": "albedo",
    "render.views": 2,
    "render.resolution": 32,
    "render.samples": 1,
}


@pytest.fixture
def run(tmp_path):
    def run_stages(source: str, path, **settings):
        values = SMALL | {"assets.source": source, "assets.path": path} | settings
        flags = [f"--{name}={value}" for name, value in values.items()]
        for stage in ("assets", "render"):
            assert main(["--stage", stage, "--corpus", str(tmp_path / "corpus"), "--workers", "1", *flags]) == 0
        return outcome(Corpus(tmp_path / "corpus"))

    return run_stages


@pytest.mark.filterwarnings("error::RuntimeWarning")  # numbers that are not finite are met with open eyes
def test_no_file_is_lost_and_none_ends_the_run(run, tmp_path):
    cases = all_cases()
    write_cases({what: cases[what] for what in (*ERRORS, *SOUND)}, tmp_path / "files")
    result = run("folder", tmp_path / "files")
    assert result.objects == len(ERRORS) + len(SOUND)
    assert result.lost == 0
    assert result.views == len(SOUND)
    assert {kind for _, kind in result.errors} <= {"AssetError", "Unsupported"}  # and no crash, no time limit
    assert result.errors.total() == len(ERRORS)


def test_a_zip_file_that_lies_costs_its_own_pieces_alone(run, tmp_path):
    (tmp_path / "lying.sh3f").write_bytes(library())
    result = run("sh3f", tmp_path / "lying.sh3f", **{"assets.max_bytes": 50_000_000})
    assert result.lost == 0
    assert result.views == 1
    assert result.errors == {("assets", "AssetError"): 9}


def test_the_campaign_is_as_large_as_it_is_said_to_be():
    assert len(all_cases()) >= 100
