"""Help that can be read: two screens, one section, or everything; and the version."""

import re

import pytest

from pipeline.base.version import code_version
from pipeline.run import main
from pipeline.stages.config import Config

SCREEN_LINES, COLUMNS = 40, 100


@pytest.fixture
def printed(capfd, monkeypatch):
    """Runs a command that prints and exits; gives what it prints."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    def printed(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        out, err = capfd.readouterr()
        assert (stop.value.code, err) == (0, "")
        return out

    return printed


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_two_screens_and_names_every_section(printed, flag):
    lines = printed(flag).splitlines()
    assert len(lines) <= 2 * SCREEN_LINES and max(map(len, lines)) <= COLUMNS
    text = "\n".join(lines)
    assert "--help-all" in text and "--help SECTION" in text and "--stage" in text
    assert set(re.findall(r"^  ([a-z]+) {3,}\S", text, re.M)) == set(Config.model_fields)


@pytest.mark.parametrize("arguments", [["--help", "train"], ["--help=train"], ["--corpus", "c", "-h", "train"]])
def test_help_on_a_section_shows_its_flags_alone(printed, arguments):
    assert {flag.partition(".")[0] for flag in re.findall(r"--([a-z.-]+\.[a-z0-9-]+)", printed(*arguments))} == {
        "train"
    }


def test_help_all_shows_every_flag(printed):
    text = printed("--help-all")
    sections = {name: field.annotation.model_fields for name, field in Config.model_fields.items()}
    for name, fields in sections.items():
        for field in fields:
            assert re.search(rf"--{name}\.(no-)?{field.replace('_', '-')}", text), f"{name}.{field}"
    assert "--retry-failed" in text


def test_help_shows_the_defaults_of_a_preset(printed, tmp_path):
    preset = tmp_path / "preset.yaml"
    preset.write_text("report: {threads: 17}\n")
    assert "(default: 17)" in printed("--config", str(preset), "--help", "report")


def test_version_is_the_one_that_tables_record(printed):
    assert printed("--version") == f"clip-gs-corpus {code_version()}\n"
