"""docs/dataset.md: its snippets run, as they stand, and it describes every column."""

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from fakes.synthetic_corpus import write_corpus
from pipeline.pack.config import PackConfig
from pipeline.pack.stage import PackStage
from pipeline.store.schema import ERRORS, TABLES

PAGE = (Path(__file__).parents[3] / "docs" / "dataset.md").read_text(encoding="utf-8")


def snippets(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run_python(script: str, folder: Path) -> str:
    """Run a script in `folder` as a reader would, with no cache but one of its own and no network."""
    environment = {**os.environ, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which corpora/demo/triplets is what the page says."""
    folder = tmp_path_factory.mktemp("page")
    PackStage(PackConfig()).run(write_corpus(folder / "corpora/demo"))
    return folder


@pytest.mark.slow
def test_python_snippets_run_one_after_another(folder):
    there_and_back = (
        'assert np.allclose((in_asset_frame @ (upright @ rotation).T - row["center"]) * row["scale"], splat["means"],'
        " atol=1e-5)"
    )
    alone = [snippet for snippet in snippets("python") if "import ray" not in snippet]
    printed = run_python("\n".join([*alone, there_and_back]), folder)
    assert "A round ball, number 0. (32, 32) RGBA" in printed
    assert "List(Image(" in printed


def run_on_ray(script: str) -> None:
    """As `__main__`, whose functions travel to the workers by value, in this process, which Ray knows."""
    exec(compile(script, "a snippet", "exec"), {"__name__": "__main__"})


@pytest.mark.slow
def test_snippets_for_ray_data_run(folder, monkeypatch, capsys, ray_cluster):
    monkeypatch.chdir(folder)
    of_the_page, of_the_card = (
        next(snippet for snippet in snippets("python", text) if "import ray" in snippet)
        for text in (PAGE, card(folder))
    )
    run_on_ray(of_the_page)
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line for line in lines if line.startswith("ball")) == [
        f"ball-{i:03d} (60, 3) (32, 32, 4)" for i in range(4)
    ]
    run_on_ray(of_the_card)
    assert "A round ball, number" in capsys.readouterr().out


def test_sql_snippets_run(folder, monkeypatch):
    monkeypatch.chdir(folder)
    by_license, annotated, neighbours = [duckdb.sql(snippet).fetchall() for snippet in snippets("sql")]
    assert {row[0]: row[1] for row in by_license} == {"CC0": 3, "CC-BY 3.0": 3}
    assert annotated == []
    assert len(neighbours) == 5 and neighbours[0][2] == pytest.approx(1, abs=1e-5)


def card(folder: Path) -> str:
    """The card of the packed corpus, its paths as they are from `folder`."""
    text = (folder / "corpora/demo/triplets/README.md").read_text()
    return text.replace("path/to/this/folder", str(folder / "corpora/demo/triplets"))


@pytest.mark.slow
def test_snippets_of_the_card_run(folder):
    python = "\n".join(snippet for snippet in snippets("python", card(folder)) if "import ray" not in snippet)
    assert "A round ball" in run_python(python.replace('row["caption"]', 'print(row["caption"])'), folder)
    (query,) = snippets("sql", card(folder))
    assert duckdb.sql(query).fetchall() == []  # no object is above 35 dB


def test_every_column_is_described():
    described = set(re.findall(r"`(\w+)`", PAGE))
    columns = {name for schema in (*TABLES.values(), ERRORS) for name in schema.names}
    assert columns <= described, f"not in docs/dataset.md: {sorted(columns - described)}"


def test_every_column_of_the_column_tables_exists():
    cells = re.findall(r"^\| (`[^|]*`) \|", PAGE[PAGE.index("## Columns") :], re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named <= {name for schema in TABLES.values() for name in schema.names}
