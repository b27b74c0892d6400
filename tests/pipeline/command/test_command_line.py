"""Wrong command lines get one clear line; --help, --status and --plan import nothing heavy."""

import subprocess
import sys

import pytest

from fakes.corpus import fake_config
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.command.command_line import parse, parse_shards
from pipeline.run import main
from pipeline.state.planning import ensure_planned

HEAVY = {"torch", "ray", "numba", "scipy", "transformers", "pandas", "bpy"}
NO_CAPTIONER = "there is no captioner 'vlm'; there are: metadata, transformers, server"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--corpus c --bogus 3", "Unrecognized options: --bogus"),
        ("--corpus c --fit.iteration 3", "Perhaps you meant: --fit.iterations"),
        ("--corpus c --fit.iterations many", "--fit.iterations: invalid literal"),
        ("--corpus c --stage nope", "invalid choice 'nope' for argument '--stage'"),
        ("--corpus c --workers -1", "--workers: it must be at least 0, not -1"),
        ("--corpus", "Missing value for argument '--corpus'"),
        ("--corpus c --assets.read-timeout-s 0", "error: --assets.read-timeout-s: it must be more than 0, not 0.0"),
        ("--corpus c --render.samples 15", "error: --render: engine auto needs a square number of samples per pixel"),
        ("--stage fit", "--corpus is missing"),
        ("--corpus c --config nowhere.yaml", "cannot read config nowhere.yaml: No such file"),
        (
            "--corpus c --config wrong.yaml",
            "wrong.yaml: fit.iteration: there is no such setting; perhaps you meant fit.iterations",
        ),
        ("--corpus c --config list.yaml", "list.yaml: it must be a section with settings of its own, not ["),
        ("--corpus c --config broken.yaml", "broken.yaml is not YAML"),
        ("--corpus c --caption.captioner vlm", f"error: --caption.captioner: {NO_CAPTIONER}"),
        ("--corpus c --embed.encoder clip", "error: --embed.encoder: there is no encoder 'clip'; there are: open_"),
        ("--corpus c --caption.scorer.encoder clip", "error: --caption.scorer.encoder: there is no encoder 'clip'"),
        ("--corpus c --config captioner.yaml", f"captioner.yaml: caption.captioner: {NO_CAPTIONER}"),
        ("--corpus c --config encoder.yaml", "encoder.yaml: caption.scorer.encoder: there is no encoder 'clip'"),
        ("--corpus c --assets.source web", "assets.source: there is no asset source 'web'; there are: folder,"),
        ("--corpus c --status", "there is no corpus at c"),
        ("--corpus c --stage pack --shards 0-3", "error: "),
        ("--help fitt", "--help fitt: there is no such section; there are assets, render, fit"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments, message, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text("fit: {iteration: 3}\n")
    (tmp_path / "captioner.yaml").write_text("caption: {captioner: vlm}\n")
    (tmp_path / "encoder.yaml").write_text("caption: {scorer: {encoder: clip}}\n")
    (tmp_path / "list.yaml").write_text("[1, 2]\n")
    (tmp_path / "broken.yaml").write_text("fit: {iterations: [\n")
    assert main(arguments.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("error: ") and message in err


def test_flags_go_over_the_preset_and_the_preset_over_the_stored_config(fakes, tmp_path):
    preset = tmp_path / "preset.yaml"
    preset.write_text("fit: {iterations: 7, num_gaussians: 100}\n")
    corpus = tmp_path / "corpus"
    ensure_planned(Corpus(corpus), fake_config(fit={"iterations": 5}, pack={"allow_missing_textures": True}))

    config = parse(["--corpus", str(corpus)]).config
    assert config.fit.iterations == 5
    assert config.pack.allow_missing_textures  # what was a default once stays that of its corpora
    fit = parse([f"--corpus={corpus}", f"--config={preset}", "--fit.iterations", "9"]).config.fit
    assert (fit.iterations, fit.num_gaussians) == (9, 100)


def test_shards():
    assert parse_shards("", 3) == [0, 1, 2]
    assert parse_shards("2-4, 0,3", 10) == [0, 2, 3, 4]
    for wrong in ("a", "3-1", "0-10", "1-", "-2"):
        with pytest.raises(ConfigError, match="--shards"):
            parse_shards(wrong, 10)


def imported_by(*arguments: str) -> set[str]:
    """Top-level modules that a command imports."""
    code = (
        "import sys, contextlib, io\n"
        "from pipeline.run import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(sys.argv[1:])\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_looking_imports_nothing_heavy(new_corpus, tmp_path):
    corpus = new_corpus(fake_config()).root
    for flags in (
        ["--help"],
        ["--help", "fit"],
        ["--help-all"],
        ["--version"],
        ["--corpus", corpus, "--status"],
        ["--corpus", corpus, "--plan"],
    ):
        assert imported_by(*flags) & HEAVY == set()
