"""Answers and log lines for machines: --json."""

import json
from pathlib import Path

import pytest

from pipeline import Corpus
from pipeline.run import main

CONFIG = """
assets: {source: fake, path: "ant,bee,broken,cat,dog,failure,flaky", shard_size: 2}
render: {views: 2, resolution: 4}
fit: {num_gaussians: 3}
"""


@pytest.fixture
def corpus(fakes, tmp_path) -> Corpus:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return Corpus(tmp_path / "corpus")


@pytest.fixture
def answer(corpus, tmp_path, capfd):
    """Runs a command; gives what it prints, as JSON."""

    def answer(*arguments: str, expect: int = 0) -> dict:
        config = str(tmp_path / "config.yaml")
        assert main(["--corpus", corpus.root, "--config", config, "--json", "--workers", "2", *arguments]) == expect
        return json.loads(capfd.readouterr().out)

    return answer


def test_status_plan_and_verdict(corpus, answer, tmp_path, capfd):
    plan = answer("--plan")
    assert plan["stages"]["render"] == {"shards": 4, "objects": 7, "seconds": None, "worker_hours": None}
    assert plan["seconds"] is None and not Path(corpus.root).exists()

    assert main(["--corpus", corpus.root, "--config", str(tmp_path / "config.yaml"), "--workers", "1"]) == 0
    capfd.readouterr()
    status = answer("--status")
    render = status["stages"]["render"]
    assert (render["done"], render["failed"], render["pending"], render["seconds_left"]) == (5, 1, 0, 0)
    assert render["objects_per_hour"] > 0 and status["corpus_stages"]["pack"] == {"due": False}

    Path(corpus.shard_path("gaussians", 1)).unlink()
    plan = answer("--plan")
    assert plan["stages"]["fit"]["objects"] == 1 and plan["stages"]["render"]["objects"] == 0
    assert plan["seconds"] >= plan["stages"]["fit"]["seconds"] > 0
    assert plan["stages"]["fit"]["worker_hours"] == pytest.approx(plan["stages"]["fit"]["seconds"] * 2 / 3600)

    (lost,) = answer("--verify", expect=1)["problems"]
    assert (lost["where"], lost["what"]) == ("gaussians", "has 3 shards; --stage pack has read 4")
    Path(corpus.path(corpus.read_rows("assets", 0)[0]["file"])).write_bytes(b"something else")
    Path(corpus.shard_path("views", 2)).write_bytes(b"PAR1")
    verdict = answer("--verify", expect=1)
    assert not verdict["ok"] and {problem["where"] for problem in verdict["problems"]} == {
        "assets/00000.parquet, ant",
        "views/00002.parquet",
        "gaussians/00002.parquet",  # made from it
        "gaussians",
    }
    quick = answer("--verify", "--quick", expect=1)
    wrong = [problem["where"] for problem in quick["problems"]]
    assert wrong == ["views/00002.parquet", "gaussians/00002.parquet", "gaussians"]
    assert (quick["tables"], quick["rows"], quick["files"]) == (11, 0, 0)
    assert "views/00002.parquet" in answer("--repair", "--quick")["removed"]


def test_what_is_planned_and_what_is_not(corpus, answer, tmp_path, capfd):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("ant,", "ant,odd:x,../y,ant,"))
    made_of = {
        "objects": 7,
        "shards": 4,
        "splits": {"heldout": 1, "train": 5, "val": 1},
        "left_out_licenses": {},
        "left_out_where": 0,
        "joined_tables": [],
        "unplanned": 3,
    }
    assert answer("--plan")["planned"] == made_of
    answer("--plan", "--assets.limit", "2")
    assert not Path(corpus.root).exists()
    assert main(["--corpus", corpus.root, "--config", str(tmp_path / "config.yaml"), "--stage", "assets"]) == 0
    capfd.readouterr()
    assert answer("--plan")["planned"] == answer("--status")["planned"] == made_of
    for command in ("--plan", "--status"):
        assert main(["--corpus", corpus.root, command]) == 0
        shown = " ".join(capfd.readouterr().out.split())
        assert "7 objects (1 heldout, 5 train, 1 val); 3 entries cannot be planned" in shown


def test_what_joined_tables_know(corpus, answer, tmp_path, capfd):
    (tmp_path / "t.csv").write_text("uid,score\nant,3\nbee,1\nnobody,2\n")
    flags = ["--assets.annotations", str(tmp_path / "t.csv"), "--assets.where", "score is null or score > 2"]
    planned = answer("--plan", *flags)["planned"]
    assert (planned["objects"], planned["left_out_where"]) == (6, 1)
    [table] = planned["joined_tables"]
    assert table["name"] == "t" and table["columns"] == ["score"]
    assert [table[key] for key in ("rows", "keys", "listed", "matched")] == [3, 3, 7, 2]
    config = ["--corpus", corpus.root, "--config", str(tmp_path / "config.yaml"), *flags]
    assert main([*config, "--stage", "assets"]) == 0
    capfd.readouterr()
    assert answer("--plan", *flags)["planned"] == planned
    assert main([*config, "--plan"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "1 left out by assets.where t: 3 rows, 2 of 7 listed objects matched (28.6%)" in shown
    assert main([*config[:-1], "scor > 2", "--plan"]) == 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_log_lines_of_workers_name_stage_shard_and_object(corpus, tmp_path, capfd, workers):
    config = str(tmp_path / "config.yaml")
    assert main(["--corpus", corpus.root, "--config", config, "--json", "--workers", workers]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    [line] = [line for line in lines if "Blender died" in line["message"]]
    assert (line["stage"], line["shard"], line["uids"]) == ("render", 3, ["flaky"])
    assert (line["level"], line["logger"]) == ("WARNING", "pipeline.work.runner")
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("verbose", [True, False])
def test_verbose_shows_info_lines(corpus, tmp_path, capfd, workers, verbose):
    flags = ["--config", str(tmp_path / "config.yaml"), "--workers", workers, *(["--verbose"] if verbose else [])]
    assert main(["--corpus", corpus.root, *flags]) == 0
    assert ("INFO fit_gaussians.fake: fit: set up" in capfd.readouterr().err) == verbose
