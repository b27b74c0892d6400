"""Records of older and newer versions are read; a damaged one is told of in one line that names file and cure."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fakes.corpus import fake_config, run_all
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.pack.manifest import check_folder
from pipeline.reading.triplets import Triplets
from pipeline.run import main
from pipeline.state.planning import ensure_planned, keep_config
from pipeline.state.records import find_done, find_manifest, read_manifest
from pipeline.store.packed import PackedFile, PackedManifest, read_packed_manifest
from pipeline.store.shard_record import ShardRecord
from pipeline.store.table_writer import METADATA_KEY

PRESET = """
assets: {source: fake, path: "ant,bee", shard_size: 2}
render: {views: 2, resolution: 4}
fit: {num_gaussians: 3}
"""
PACKED = PackedManifest(
    code="clip-gs-corpus 0",
    generation="abc",
    config={},
    objects=1,
    triplets=1,
    left_out={},
    files=(PackedFile(path="train/a.parquet", rows=1, bytes=1, sha256=""),),
)
Damage = Callable[[bytes], bytes]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without(key: str) -> Damage:
    def damage(content: bytes) -> bytes:
        values = json.loads(content)
        del values[key]
        return json.dumps(values).encode()

    return damage


def with_wrong(key: str) -> Damage:
    return lambda content: json.dumps(json.loads(content) | {key: [1]}).encode()


@pytest.fixture
def finished(fakes, tmp_path, capsys) -> Corpus:
    """A corpus of which everything is done; config.yaml beside it is its preset."""
    (tmp_path / "config.yaml").write_text(PRESET)
    corpus = Corpus(tmp_path / "corpus")
    arguments = ["--corpus", corpus.uri, "--workers", "1", "--config", str(tmp_path / "config.yaml")]
    assert main(arguments) == 0
    capsys.readouterr()
    return corpus


def damage_record(path: str, damage: Damage) -> None:
    """Damage the record in a shard's footer; the table stays."""
    table = pq.read_table(path)
    record = pq.read_metadata(path).metadata[METADATA_KEY]
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: damage(record)}), path)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (cut, "EOF while parsing"),
        (without("shards"), "shards: Field required"),
        (with_wrong("objects"), "objects: Input"),
    ],
)
def test_a_damaged_corpus_json(finished, capsys, tmp_path, damage, what):
    file = Path(finished.path("corpus.json"))
    file.write_bytes(damage(file.read_bytes()))
    for arguments in (["--status"], ["--verify"], ["--plan"], []):
        assert main(["--corpus", finished.uri, "--workers", "1", *arguments]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"error: {file} is damaged (") and what in told and "remove corpus.json" in told
    # the cure
    file.unlink()
    assert main(["--corpus", finished.uri, "--workers", "1", "--config", str(tmp_path / "config.yaml")]) == 0
    assert "Nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"PAR1 no more")])
def test_a_damaged_index(finished, capsys, tmp_path, damage):
    file = Path(finished.path("index.parquet"))
    damage(file)
    assert main(["--corpus", finished.uri, "--workers", "1"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {file} cannot be read (") and "remove corpus.json" in told
    assert main(["--corpus", finished.uri, "--verify"]) == 1
    assert "index.parquet" in capsys.readouterr().out
    Path(finished.path("corpus.json")).unlink()
    assert main(["--corpus", finished.uri, "--workers", "1", "--config", str(tmp_path / "config.yaml")]) == 0
    assert "Nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [cut, without("outputs"), with_wrong("seconds")])
def test_a_damaged_record_of_a_shard(finished, capsys, damage):
    before = finished.shard_record("views", 0).fingerprint
    path = finished.shard_path("views", 0)
    damage_record(path, damage)
    for arguments in (["--status"], []):
        assert main(["--corpus", finished.uri, "--workers", "1", *arguments]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"error: {path} has a damaged record (") and "--repair removes it" in told
    assert main(["--corpus", finished.uri, "--verify"]) == 1
    assert main(["--corpus", finished.uri, "--repair"]) == 0
    assert main(["--corpus", finished.uri, "--workers", "1"]) == 0
    assert finished.shard_record("views", 0).fingerprint == before


def test_a_shard_without_a_record(finished):
    path = finished.shard_path("views", 0)
    pq.write_table(pq.read_table(path).replace_schema_metadata(), path)
    with pytest.raises(ConfigError, match="views/00000.parquet has no record of how it was made: --repair removes it"):
        finished.shard_record("views", 0)


@pytest.mark.parametrize("damage", [cut, without("fingerprint"), with_wrong("inputs")])
def test_a_damaged_note_of_a_stage(finished, capsys, damage):
    file = Path(finished.path("done", "pack.json"))
    file.write_bytes(damage(file.read_bytes()))
    for arguments in (["--status"], []):
        assert main(["--corpus", finished.uri, "--workers", "1", *arguments]) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"error: {file} is damaged (") and "--repair removes it" in told
    assert main(["--corpus", finished.uri, "--verify", "--quick"]) == 1
    assert f"done/{file.name}" in capsys.readouterr().out
    assert main(["--corpus", finished.uri, "--repair"]) == 0
    assert main(["--corpus", finished.uri, "--workers", "1"]) == 0
    assert find_done(finished, file.stem) is not None


@pytest.mark.parametrize("damage", [cut, without("files"), with_wrong("files")])
def test_a_damaged_manifest_of_what_is_packed(finished, capsys, damage):
    finished.write_record(PACKED, "triplets", "manifest.json")
    file = Path(finished.path("triplets", "manifest.json"))
    file.write_bytes(damage(file.read_bytes()))
    for read in (lambda: Triplets(finished, "train"), lambda: check_folder(Corpus(finished.path("triplets")))):
        with pytest.raises(ConfigError, match="triplets/manifest.json is damaged .*: run --stage pack --force"):
            read()
    assert main(["--corpus", finished.uri, "--verify"]) == 1
    assert "triplets" in capsys.readouterr().out


def test_what_came_later_has_a_default(finished):
    planned = finished.read_json("corpus.json")
    del planned["left_out_licenses"]
    finished.write_json(planned, "corpus.json")
    assert read_manifest(finished).left_out_licenses == {}
    packed = PACKED.as_json()
    del packed["generation"]
    finished.write_json(packed, "triplets", "manifest.json")
    assert read_packed_manifest(finished, "triplets").files == PACKED.files


def test_keys_of_a_newer_version_are_kept_and_ours_stay_in_their_order(fakes, tmp_path):
    corpus, config = Corpus(tmp_path / "corpus"), fake_config("ant")
    ensure_planned(corpus, config)
    planned = corpus.read_json("corpus.json")
    assert list(planned) == [
        "config",
        "config_hash",
        "planning",
        "planning_hash",
        "code_version",
        "objects",
        "splits",
        "left_out_licenses",
        "joined_tables",
        "left_out_where",
        "unplanned",
        "shards",
    ]
    corpus.write_json(planned | {"newer": {"a": 1}}, "corpus.json")
    keep_config(corpus, fake_config("ant", fit={"iterations": 7}), ["fit"])
    kept = corpus.read_json("corpus.json")
    assert list(kept) == [*planned, "newer"] and kept["newer"] == {"a": 1}
    assert kept["config"]["fit"]["iterations"] == 7


def test_a_record_in_a_footer_is_what_it_was(fakes, tmp_path):
    corpus, config = Corpus(tmp_path / "corpus"), fake_config("ant,broken")
    ensure_planned(corpus, config)
    run_all(corpus, config)
    stored = pq.read_metadata(corpus.shard_path("assets", 0)).metadata[METADATA_KEY]
    values = json.loads(stored)
    assert stored == json.dumps(values, sort_keys=True).encode()
    assert (values["uids_in"], values["rows"], values["failed"], list(values["outputs"])) == (2, 1, 1, ["ant"])
    assert ShardRecord.parse(stored).agrees_with_itself
    assert ShardRecord.parse(json.dumps(values | {"newer": 1}).encode()).as_json() == values | {"newer": 1}
    assert not ShardRecord.parse(json.dumps(values | {"outputs": {}}).encode()).agrees_with_itself


def test_where_nothing_is_planned(tmp_path):
    corpus = Corpus(tmp_path)
    assert find_manifest(corpus) is None
    with pytest.raises(ConfigError, match="there is no corpus at .*: --stage all or --stage assets makes one"):
        read_manifest(corpus)
