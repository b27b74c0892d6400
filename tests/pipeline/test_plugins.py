"""A package that is really installed adds stages, a source, a captioner and an encoder; a bad one is named."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import Corpus

PACKAGE = Path(__file__).with_name("added_package")
ROOT = Path(__file__).resolve().parents[2]
NAMES = """
from PIL import Image
from caption.captioners.load import load_captioner
from caption.config import CaptionConfig, EncoderConfig
from caption.encoders import load_encoder, load_encoder_by_id
print(load_captioner(CaptionConfig(captioner="weigher")).caption([None, None])[0].text)
encoder = load_encoder(EncoderConfig(encoder="lengths"))
print(encoder.encode_texts(["odd", "even"]).tolist(), encoder.encode_images([Image.new("RGB", (1, 1))]).tolist())
print(load_encoder_by_id(encoder.id).dim)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder into which pip installed the package."""
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, source)  # the build leaves its files beside the sources
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", target, source], check=True, capture_output=True)
    return target


def python(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A Python of its own that finds what is installed in `site`."""
    paths = os.pathsep.join((str(ROOT), str(site)))
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})


@pytest.fixture
def run(installed) -> Callable[..., str]:
    """Runs a command beside the package; gives what it prints."""

    def run(*arguments: object) -> str:
        done = python(installed, "-m", "pipeline.run", "--workers", "1", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_its_stages_run_by_name_on_what_its_source_lists(run, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    preset = tmp_path / "preset.yaml"
    preset.write_text("assets: {source: squares, path: '3'}\nweigh: {grams_per_byte: 0.5}\n")
    run("--stage", "assets", "--corpus", corpus.root, "--config", preset)
    run("--stage", "weigh", "--corpus", corpus.root, "--config", preset, "--weigh.box-grams", "7")
    run("--stage", "average", "--corpus", corpus.root)
    [size] = {row["bytes"] for row in corpus.read_rows("assets", 0)}
    assert [row["grams"] for row in corpus.read_rows("weights", 0)] == 3 * [7 + size / 2]
    assert corpus.read_json("done", "average.json")["figures"] == {"grams": 7 + size / 2}
    status = json.loads(run("--corpus", corpus.root, "--status", "--json"))
    assert status["stages"]["weigh"]["done"] == 3 and status["corpus_stages"]["average"] == {"due": False}


def test_the_help_tells_of_its_stages_and_sections(run):
    text = run("--help")
    assert re.search(r"--stage {[^}]*\bweigh\b", text) and re.search(r"weigh +How assets are weighed", text)
    text = run("--help", "weigh")
    assert "--weigh.grams-per-byte" in text and "Weight of one byte" in text


def test_its_captioner_and_encoder_are_loaded_by_name(installed):
    done = python(installed, "-c", NAMES)
    assert done.stdout.splitlines() == ["one of 2", "[[0.0, 1.0], [1.0, 0.0]] [[0.0, 1.0]]", "2"], done.stderr


def test_an_unknown_name_is_refused_with_the_names_of_packages_which_are_not_loaded(tmp_path):
    make_installed(tmp_path, "loud", "[clip_gs.captioners]\nloud = loud\n[clip_gs.encoders]\nloud = loud\n")
    (tmp_path / "loud.py").write_text("raise RuntimeError('loaded')\n")
    for flag in ("--caption.captioner", "--embed.encoder"):
        done = python(tmp_path, "-m", "pipeline.run", "--corpus", tmp_path / "corpus", flag, "lout")
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert line.startswith(f"error: {flag}: there is no ") and line.endswith(", loud")
    arguments = ["--corpus", tmp_path / "corpus", "--caption.captioner", "loud", "--help"]
    assert python(tmp_path, "-m", "pipeline.run", *arguments).returncode == 0


@pytest.mark.slow
def test_ray_workers_find_it(run, tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    run("--stage", "assets", "--corpus", corpus.root, "--assets.source", "squares", "--assets.path", "2")
    run("--stage", "weigh", "--corpus", corpus.root, "--executor", "ray")
    assert len(corpus.read_rows("weights", 0)) == 2


ENTRIES = """
import pyarrow as pa
from pipeline.base.settings import Section
from pipeline.stages.entries import ShardStageEntry
def entry(name, reads=("views",), writes="t", column="x", section=Section):
    schema = pa.schema([("uid", pa.string()), (column, pa.string())])
    return ShardStageEntry(name, "nowhere:Nothing", reads, writes, section=section, schema=schema)
class Required(Section):
    radius: int
good, missing, taken = entry("good"), entry("missing", reads=("nothing",)), entry("taken", writes="views")
column, bare = entry("column", column="images"), entry("bare", section=None)
required = entry("required", section=Required)
"""


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("broken = no_such_module:ENTRY", "broken (no_such_module:ENTRY) cannot be loaded: ModuleNotFoundError"),
        ("fit = entries:good", "fit (entries:good) has a name that is taken by package clip-gs-corpus"),
        ("other = entries:good", "is no ShardStageEntry or CorpusStageEntry of this name"),
        ("missing = entries:missing", "uses table nothing, which is not there"),
        ("taken = entries:taken", "writes table views, which another stage writes"),
        ("column = entries:column", "has columns that table views has: images"),
        ("bare = entries:bare", "has no section of the config whose fields all have defaults"),
        ("required = entries:required", "has no section of the config whose fields all have defaults"),
    ],
    ids=["import", "name", "type", "reads", "table", "column", "section", "default"],
)
def test_a_package_at_fault_is_named_in_one_line(tmp_path, points, message):
    make_installed(tmp_path, "faulty", f"[clip_gs.stages]\n{points}\n")
    (tmp_path / "entries.py").write_text(ENTRIES)
    done = python(tmp_path, "-m", "pipeline.run", "--corpus", tmp_path / "corpus", "--status")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: package faulty: stage ") and message in line
    assert python(tmp_path, "-c", "from pipeline import Corpus").returncode == 0


def test_two_packages_with_one_name_and_unknown_names(tmp_path, monkeypatch):
    from pipeline.base import plugins
    from pipeline.base.errors import ConfigError

    monkeypatch.syspath_prepend(tmp_path)
    make_installed(tmp_path, "first", "[clip_gs.encoders]\nsame = json\n")
    assert plugins.load("encoder", "same", {}) is json
    with pytest.raises(ConfigError, match="there is no encoder 'none'; there are: own, same"):
        plugins.load("encoder", "none", {"own": "json"})
    make_installed(tmp_path, "second", "[clip_gs.encoders]\nsame = os\n")
    with pytest.raises(ConfigError, match="package (first|second): encoder same .* is taken by package (first|second)"):
        plugins.load("encoder", "own", {"own": "json"})


def make_installed(site: Path, name: str, entry_points: str) -> None:
    """What pip leaves of a package, as far as it is looked at."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(entry_points)
