"""The command line with fake stages, in processes of its own: signals, exit codes, what it prints and writes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes import stages as fake_stages
from fakes.corpus import UIDS, errors_of, uids_of
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.run import main

CONFIG = """
assets: {source: fake, path: "%s", shard_size: 2}
render: {views: 2, resolution: 4}
fit: {num_gaussians: 3}
"""


@pytest.fixture
def config_file(tmp_path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(CONFIG % UIDS)
    return file


@pytest.fixture
def run(fakes, capfd):
    """Runs a command in this process; gives its standard output and standard error."""

    def run(*arguments: object, expect: int = 0) -> tuple[str, str]:
        code = main(["--workers", "1", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert code == expect, out + err
        return out, err

    return run


def start(*arguments: object, **environment: str) -> subprocess.Popen:
    """Starts a command in a process of its own."""
    command = [sys.executable, "-m", "fakes.run", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def test_the_whole_way(run, tmp_path, config_file):
    corpus = Corpus(tmp_path / "corpus")
    out, _ = run("--corpus", corpus.root, "--config", config_file)
    assert "AssetError: fake:broken is broken" in out
    assert f"Report: {corpus.root}/report/index.html" in out.replace("\n", "")
    summary = corpus.read_json("summary.json")
    assert (summary["objects"], summary["errors"], summary["triplets"], summary["psnr_median"]) == (7, 2, 0, 32.0)
    assert summary["stages"]["render"]["done"] == 5 and summary["stages"]["render"]["failed"] == 1
    assert summary["stages"]["pack"]["done"] == 1
    assert corpus.read_json("done", "pack.json")["figures"] == {"shards": 4}

    out, err = run("--corpus", corpus.root)  # the stored config is the default
    assert re.fullmatch(r"Nothing to do: .*2 failures.*\n", out) and err == ""

    out, _ = run("--corpus", corpus.root, "--status")
    assert re.search(r"render .* 5 .* 1 .* 0 ", out)
    out, _ = run("--corpus", corpus.root, "--verify")
    assert out.startswith("OK: 12 tables, 16 rows, 10 images, 6 asset files")
    out, _ = run("--corpus", corpus.root, "--plan", "--fit.num-gaussians", "5", "--stage", "fit", "--force")
    assert re.search(r"fit .* 4 .* 5 .* s ", out)

    _, err = run("--corpus", corpus.root, "--fit.num-gaussians", "5", expect=2)
    assert re.fullmatch(r"error: stage fit, shard 0 .*fit.num_gaussians: 3 there, 5 now.*--force.*\n", err)
    _, err = run("--corpus", corpus.root, "--assets.limit", "3", expect=2)
    assert re.fullmatch(r"error: corpus .* planned with other settings \(assets.limit: 0 there, 3 now\).*\n", err)

    run("--corpus", corpus.root, "--fit.num-gaussians", "5", "--force")
    assert {row["num_gaussians"] for row in corpus.read_rows("gaussians", 0)} == {5}
    assert fake_stages.log_of(corpus).read_text().splitlines().count("pack") == 2  # its input had changed
    out, _ = run("--corpus", corpus.root)  # the config that was accepted is the stored one now
    assert "Nothing to do" in out


def test_settings_that_a_stage_refuses_are_not_kept(run, tmp_path, config_file, monkeypatch):
    corpus = Corpus(tmp_path / "corpus")
    run("--corpus", corpus.root, "--config", config_file)

    def refuse(self: object, *_: object) -> None:
        raise ConfigError("there is no such model")

    with monkeypatch.context() as patch:
        patch.setattr(fake_stages.FakeFit, "setup", refuse)
        patch.setattr(fake_stages.FakePack, "run", refuse)
        _, err = run("--corpus", corpus.root, "--fit.num-gaussians", "5", "--force", expect=2)
        assert "there is no such model" in err
        run("--corpus", corpus.root, "--stage", "pack", "--pack.min-psnr", "5", expect=2)
    out, _ = run("--corpus", corpus.root)
    assert "Nothing to do" in out
    stored = corpus.read_json("corpus.json")["config"]
    assert stored["fit"]["num_gaussians"] == 3 and stored["pack"]["min_psnr"] == 0


def test_stages_alone_end_in_the_same_corpus(run, tmp_path, config_file):
    at_once, by_hand = Corpus(tmp_path / "at_once"), Corpus(tmp_path / "by_hand")
    run("--corpus", at_once.root, "--config", config_file)
    run("--corpus", by_hand.root, "--config", config_file, "--stage", "fit", expect=2)  # nothing to read yet
    run("--corpus", by_hand.root, "--config", config_file, "--stage", "assets")
    out, _ = run("--corpus", by_hand.root, "--stage", "render", "--shards", "1-2")
    out, _ = run("--corpus", by_hand.root, "--stage", "fit")
    assert "fit: 2 of 4 shards are waiting for views" in out
    run("--corpus", by_hand.root, "--stage", "all", "--workers", "2")
    for table in ("assets", "views", "gaussians"):
        fingerprints = [
            [corpus.shard_record(table, shard).fingerprint for shard in range(4)] for corpus in (at_once, by_hand)
        ]
        assert fingerprints[0] == fingerprints[1]


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGTERM, 2)],
)
def test_a_run_that_is_stopped_goes_on_with_the_same_command(run, tmp_path, config_file, number, workers):
    more = [f"more-{i:02d}" for i in range(20)]
    config_file.write_text(CONFIG % ",".join([UIDS, *more]))
    corpus = Corpus(tmp_path / "corpus")
    command = ("--corpus", corpus.root, "--config", config_file, "--workers", workers)
    process = start(*command, FAKE_STAGES_SECONDS="0.3")
    log = fake_stages.log_of(corpus)
    wait_until(lambda: corpus.exists("views", "00000.parquet") and log.read_text().count("\nrender ") > 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert re.search(r"^Stopped\. To resume: python -m pipeline\.run --corpus .*$", err, re.M)
        assert "Traceback" not in err
    elif number == signal.SIGTERM:
        assert process.returncode == 143
    if number != signal.SIGKILL:
        events = log.read_text().splitlines()
        assert events.count("setup render") == events.count("close render")

    finished = {
        shard: corpus.filesystem.modified(corpus.shard_path("views", shard)) for shard in corpus.shards("views")
    }
    assert len(finished) < corpus.read_json("corpus.json")["shards"]
    run(*command)
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "dog", "gnu", *more]
    assert set(errors_of(corpus, "assets")) | set(errors_of(corpus, "render")) == {"broken", "failure"}
    assert finished == {shard: modified(corpus, shard) for shard in finished}
    assert list(Path(corpus.root, ".tmp").iterdir()) == []


def modified(corpus: Corpus, shard: int):
    return corpus.filesystem.modified(corpus.shard_path("views", shard))


def wait_until(condition, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_verify_names_what_is_wrong(run, tmp_path, config_file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    corpus = Corpus(tmp_path / "corpus")
    run("--corpus", corpus.root, "--config", config_file)
    asset = corpus.read_rows("assets", 0)[0]
    Path(corpus.path(asset["file"])).write_bytes(b"something else")
    Path(corpus.shard_path("gaussians", 1)).write_bytes(b"PAR1")
    corpus.write_errors("assets", 1, [])
    out, _ = run("--corpus", corpus.root, "--verify", expect=1)
    assert re.search(r"assets/00000.parquet, ant .*the checksum of .* differs", out)
    assert re.search(r"gaussians/00001.parquet .*cannot be read", out)
    assert re.search(r"assets/00001.parquet, broken .*is lost", out)
    assert "3 problems" in out and "--repair removes what is damaged" in out

    out, _ = run("--corpus", corpus.root, "--repair")
    repaired = "Repaired: 4 damaged files removed; to make the missing tables again: "
    assert re.search(rf"^{repaired}python -m pipeline.run --corpus ", out, re.M)
    run("--corpus", corpus.root)
    out, _ = run("--corpus", corpus.root, "--repair")
    assert out.startswith("OK: 12 tables")


def test_plan_of_a_new_corpus_writes_nothing(run, tmp_path, config_file):
    out, _ = run("--corpus", tmp_path / "corpus", "--config", config_file, "--plan")
    assert re.search(r"render .* 4 .* 7 .*not measured yet", out)
    assert not (tmp_path / "corpus").exists()


def test_retry_failed_and_summary_json_are_for_machines_too(run, tmp_path, config_file):
    corpus = Corpus(tmp_path / "corpus")
    run("--corpus", corpus.root, "--config", config_file)
    run("--corpus", corpus.root, "--retry-failed")
    assert errors_of(corpus, "render")["failure"]["attempt"] == 2
    assert json.loads(Path(corpus.root, "summary.json").read_text())["errors"] == 2


def process_of(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("executor", [("local", "--workers", "2"), ("ray",)])
def test_a_stage_over_the_corpus_is_lent_the_executors_processes(
    run, tmp_path, config_file, monkeypatch, executor, ray_cluster
):
    def spreading(self, corpus) -> dict:
        return {"processes": self.spread(process_of, range(3), at_once=2, memory_gb=0.1)}

    monkeypatch.setattr(fake_stages.FakePack, "run", spreading)
    corpus = Corpus(tmp_path / "corpus")
    run("--corpus", corpus.root, "--config", config_file, "--stage", "assets")
    run("--corpus", corpus.root, "--stage", "pack", "--executor", *executor)
    processes = corpus.read_json("done", "pack.json")["figures"]["processes"]
    assert len(processes) == 3 and os.getpid() not in processes
