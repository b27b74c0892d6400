"""What `ray job submit` sends along, and what a job refuses."""

import zipfile
from pathlib import Path

import pytest
import yaml

from pipeline.base.errors import ConfigError
from pipeline.command.command_line import parse

ROOT = Path(__file__).resolve().parents[2]


def test_a_job_refuses_a_corpus_in_its_own_folder(monkeypatch):
    parse(["--corpus", "corpora/demo"])
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    for corpus in ("/shared/corpus", "memory://bucket/corpus"):
        assert parse(["--corpus", corpus]).options.corpus == corpus
    with pytest.raises(ConfigError, match="an absolute path or a URI"):
        parse(["--corpus", "corpora/demo"])


def test_what_is_sent_is_the_code_alone(monkeypatch, tmp_path):
    from ray._private.runtime_env.packaging import create_package
    from ray.runtime_env import RuntimeEnv

    environment = yaml.safe_load((ROOT / "workflows" / "clusters" / "runtime_env.yaml").read_text())
    monkeypatch.chdir(ROOT)
    RuntimeEnv(**environment)  # raises where a field is unknown or of a wrong type
    create_package(environment["working_dir"], tmp_path / "sent.zip", True, excludes=environment["excludes"])
    with zipfile.ZipFile(tmp_path / "sent.zip") as sent:
        names = set(sent.namelist())
        size = sum(info.file_size for info in sent.infolist())
    assert {"pipeline/run.py", "workflows/demo.yaml", "model/configs/tiny.json"} <= names
    assert not {name.split("/")[0] for name in names} & {".git", ".venv", ".cache", "benchmarks", "corpora", "tests"}
    assert size < 20_000_000
