"""One stage over one shard: nothing is lost, faults are isolated, finished work is kept."""

import os
import re
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from fakes import stages as fake_stages
from fakes.corpus import errors_of, fake_config, run_all, uids_of
from pipeline.base.errors import ConfigError, WorkerCrash
from pipeline.stages.stage import Failure
from pipeline.state.ledger import Redo
from pipeline.work.job import Job, Step
from pipeline.work.policy import Policy
from pipeline.work.runner import fail_shard, run_shard
from pipeline.work.stage_objects import StageObjects


def test_every_object_ends_as_a_row_or_as_an_error(new_corpus):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    assert uids_of(corpus, "assets") == ["ant", "bee", "cat", "dog", "failure", "gnu"]
    assert uids_of(corpus, "views") == uids_of(corpus, "gaussians") == ["ant", "bee", "cat", "dog", "gnu"]
    broken = errors_of(corpus, "assets")["broken"]
    assert (broken["error_class"], broken["attempt"], broken["retryable"]) == ("AssetError", 1, False)
    assert "AssetError" in broken["log_tail"]  # the traceback
    assert errors_of(corpus, "render")["failure"]["log_tail"] == "last words"
    assert errors_of(corpus, "fit") == {}


def test_the_record_tells_how_the_shard_was_made(new_corpus):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config, code_version="1.2.3")
    record = corpus.shard_record("gaussians", 0)
    assert (record.stage, record.uids_in, record.rows, record.failed) == ("fit", 2, 2, 0)
    assert record.content.keys() == {"assets", "render", "fit"}
    assert "batch_size" not in record.content["assets"]
    assert record.code_version == "1.2.3"
    assert record.seconds >= 0 and record.cpu_seconds >= 0
    assert list(record.inputs) == list(record.outputs) == ["ant", "bee"]


def test_a_batch_that_raises_is_halved_until_the_bad_object_is_alone(new_corpus, fakes):
    config = fake_config("a,b,broken,c,d,e,f,g", assets={"shard_size": 8})
    corpus = new_corpus(config)
    run_all(corpus, config, ("assets",))
    assert list(errors_of(corpus, "assets")) == ["broken"]
    assert uids_of(corpus, "assets") == ["a", "b", "c", "d", "e", "f", "g"]
    events = fakes.read_text().splitlines()
    assert events.count("assets d") == 1  # its batch had no bad object


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda row: [], "returned 0 rows for object ant"),
        (lambda row: [row, row], "returned 2 rows for object ant"),
        (lambda row: [row | {"uid": "someone"}], "returned a row for 'someone'"),
        (lambda row: [row | {"extra": 1}], r"unknown columns \['extra'\]"),
        (lambda row: [row | {"bytes": "many"}], "returned an invalid row for object ant"),
        (lambda row: [row | {"rotation": ["left"]}], "returned an invalid row for object ant"),
        (lambda row: None, "not iterable"),
    ],
)
def test_a_stage_that_breaks_its_contract_fails_the_object_not_the_run(new_corpus, monkeypatch, given, message):
    process = fake_stages.FakeAssets.process
    monkeypatch.setattr(fake_stages.FakeAssets, "process", lambda self, batch: given(process(self, batch)[0]))
    monkeypatch.setattr(fake_stages.FakeAssets, "batch_size", 1)
    config = fake_config("ant")
    corpus = new_corpus(config)
    run_all(corpus, config, ("assets",))
    error = errors_of(corpus, "assets")["ant"]
    assert error["error_class"] in ("ContractError", "TypeError")
    assert re.search(message, error["message"])


def test_a_failure_that_may_pass_is_tried_again(new_corpus):
    config = fake_config("ant,flaky")
    corpus = new_corpus(config)
    run_all(corpus, config)
    assert uids_of(corpus, "views") == ["ant", "flaky"]
    assert errors_of(corpus, "render") == {}


def test_attempts_are_counted_over_runs(new_corpus, monkeypatch):
    monkeypatch.setattr(
        fake_stages.FakeRender, "row", lambda self, row: Failure(row["uid"], "Timeout", "slow", retryable=True)
    )
    config = fake_config("ant")
    corpus = new_corpus(config)
    run_all(corpus, config, ("assets", "render"))
    assert errors_of(corpus, "render")["ant"]["attempt"] == 2
    run_all(corpus, config, ("render",), retry_failed=True)
    assert errors_of(corpus, "render")["ant"]["attempt"] == 4


@pytest.mark.parametrize("error", [ConfigError("no Blender"), MemoryError(), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_not_the_objects_fault_stops_the_run(new_corpus, monkeypatch, error):
    def process(self, batch):
        raise error

    monkeypatch.setattr(fake_stages.FakeAssets, "process", process)
    config = fake_config()
    corpus = new_corpus(config)
    with pytest.raises(type(error)):
        run_all(corpus, config)
    assert corpus.shards("assets") == [] and corpus.shards("errors/assets") == []
    assert list(corpus.filesystem.glob(corpus.path(".tmp", "*"))) == []


def test_stages_are_set_up_once_and_closed(new_corpus, fakes):
    config = fake_config()
    run_all(new_corpus(config), config)
    events = fakes.read_text().splitlines()
    assert [events.count(f"{what} render") for what in ("setup", "close")] == [1, 1]


def test_a_second_run_does_nothing(new_corpus, fakes):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    fakes.write_text("")
    before = {path: corpus.filesystem.modified(path) for path in corpus.filesystem.find(corpus.root)}
    assert all(report.processed == 0 for report in run_all(corpus, config))
    assert fakes.read_text() == ""
    assert before == {path: corpus.filesystem.modified(path) for path in corpus.filesystem.find(corpus.root)}


def test_another_config_is_refused_with_what_differs(new_corpus):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    changed = fake_config(render={"samples": 25})
    with pytest.raises(ConfigError, match=r"render.samples: 16 there, 25 now.*--force"):
        run_all(corpus, changed, ("render",))
    with pytest.raises(ConfigError, match=r"stage fit.*render.samples"):  # downstream of the change
        run_all(corpus, changed, ("fit",))
    run_all(corpus, fake_config(assets={"batch_size": 1}))  # changes speed only


def test_force_makes_outdated_shards_again_and_leaves_the_others(new_corpus, fakes):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    fakes.write_text("")
    run_all(corpus, fake_config(fit={"num_gaussians": 7}), redo=Redo.OUTDATED)
    assert {event.split()[0] for event in fakes.read_text().splitlines()} == {"setup", "fit", "close"}
    assert {row["num_gaussians"] for row in corpus.read_rows("gaussians", 0)} == {7}


def test_retry_failed_works_on_failed_objects_only_and_merges_them_in_order(new_corpus, fakes, monkeypatch):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    untouched = corpus.read_rows("views", 0)[0]
    monkeypatch.setattr(fake_stages.FakeAssets, "row", healed(fake_stages.FakeAssets.row, "broken"))
    fakes.write_text("")
    run_all(corpus, config, retry_failed=True)
    events = fakes.read_text().splitlines()
    worked_on = {tuple(event.split()) for event in events if not event.startswith(("setup", "close"))}
    assert worked_on == {("assets", "broken"), ("render", "broken"), ("render", "failure"), ("fit", "broken")}
    assert uids_of(corpus, "gaussians") == ["ant", "bee", "broken", "cat", "dog", "gnu"]
    assert errors_of(corpus, "assets") == {}
    assert errors_of(corpus, "render")["failure"]["attempt"] == 2
    kept = corpus.read_rows("views", 0)[0]
    assert kept["images"] == untouched["images"] and kept["render_seconds"] == untouched["render_seconds"]


def healed(row_method, uid):
    """The stage's method, which sees another name for an object that used to fail."""

    def row(self, row):
        return (
            row_method(self, row | {"uid": "healed"}) | {"uid": row["uid"]}
            if row["uid"] == uid
            else row_method(self, row)
        )

    return row


def test_a_kill_between_errors_and_table_is_repaired(new_corpus, monkeypatch):
    config = fake_config()
    corpus = new_corpus(config)
    run_all(corpus, config)
    errors, untouched = corpus.read_errors("render", 1), corpus.shard_record("views", 0)
    corpus.write_errors("render", 1, [])  # a retry that was killed before its table was renamed
    corpus.write_errors("render", 0, [errors[0] | {"uid": "ant"}])
    run_all(corpus, config)
    assert [row["uid"] for row in corpus.read_errors("render", 1)] == ["failure"]
    assert corpus.read_errors("render", 0) == []
    assert corpus.shard_record("views", 0).fingerprint == untouched.fingerprint


def test_a_worker_that_dies_leaves_no_object_behind(new_corpus):
    config = fake_config("ant,bee")
    corpus = new_corpus(config)
    run_all(corpus, config, ("assets",))
    report = fail_shard(Job(corpus, config), Step("render", 0), WorkerCrash("killed by signal 9"))
    assert (report.done, report.failed) == (0, 2)
    errors = errors_of(corpus, "render")
    assert {uid: (row["error_class"], row["retryable"]) for uid, row in errors.items()} == {
        "ant": ("WorkerCrash", True),
        "bee": ("WorkerCrash", True),
    }


def test_rows_are_grouped_by_size_and_read_back_one_group_at_a_time(new_corpus):
    config = fake_config("a,b,c,d,e,f", assets={"shard_size": 6}, render={"resolution": 16})
    corpus = new_corpus(config)
    run_all(corpus, config, policy=Policy(group_bytes=6000))
    with corpus.filesystem.open(corpus.shard_path("views", 0), "rb") as file:
        assert 1 < pq.ParquetFile(file).num_row_groups < 6
    assert uids_of(corpus, "gaussians") == list("abcdef")


def test_a_table_that_is_read_must_be_there(new_corpus):
    config = fake_config()
    corpus = new_corpus(config)
    job = Job(corpus, config)
    with StageObjects(job, 1) as objects, pytest.raises(ConfigError, match="fit, shard 0.*views"):
        run_shard(job, Step("fit", 0), objects)


def test_scratch_of_a_killed_process_is_removed_by_the_next(new_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    config = fake_config()
    corpus = new_corpus(config)
    child = os.fork()
    if child == 0:
        StageObjects(Job(corpus, config), 1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(tmp_path.glob("clip-gs-scratch-*"))) == 1
    with StageObjects(Job(corpus, config), 1):
        pass
    assert list(tmp_path.glob("clip-gs-scratch-*")) == []


def test_arrays_come_back_with_the_shape_of_their_column(new_corpus):
    config = fake_config("ant")
    corpus = new_corpus(config)
    run_all(corpus, config)
    [row] = corpus.read_rows("gaussians", 0)
    assert row["means"].shape == (3, 3) and row["quats"].shape == (3, 4) and row["opacities"].shape == (3,)
    assert row["means"].dtype == np.float32
