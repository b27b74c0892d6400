"""Runs of the assets stage against the servers of `benchmarks.objaverse.hub`, and what came of them."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trimesh

from benchmarks.objaverse.dataset import HUB_FOLDER, Objaverse, make_uids, write_objaverse
from benchmarks.objaverse.repositories import Listed
from pipeline import Corpus
from pipeline.state.records import read_manifest
from pipeline.store.rows import Row

RUN_TIMEOUT_S = 1500
WORKERS = 2
# Of a test's size: a server's silence costs seconds, not half a minute.
FAST = {"assets.backoff_s": 0.2, "assets.read_timeout_s": 2, "assets.requests_per_second": 0, "assets.shard_size": 16}


@dataclass(frozen=True)
class Servers:
    urls: dict[str, str]
    log: Path

    def requests(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def servers(folder: Path, limit: int, window_s: float) -> Iterator[Servers]:
    """The servers over `folder`, in a process of their own; the log of requests is FOLDER/requests.jsonl."""
    log = folder / "requests.jsonl"
    command = [sys.executable, "-m", "benchmarks.objaverse.hub", str(folder), str(log)]
    limits = ["--limit", str(limit), "--window", str(window_s)]
    with subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield Servers(json.loads(process.stdout.readline()), log)
        finally:
            process.kill()


class Run:
    """A corpus below `folder`; its temporary folder and its output lie there, too."""

    def __init__(self, folder: Path, servers: Servers, tokens: dict[str, str]):
        self.folder, self.servers = folder, servers
        for name in ("tmp", "home"):
            (folder / name).mkdir(parents=True)
        paths = {"TMPDIR": folder / "tmp", "HOME": folder / "home", "XDG_CACHE_HOME": folder / "cache"}
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in ("HF_HOME", "HF_TOKEN_PATH")},
            **{name: str(path) for name, path in paths.items()},
            **tokens,
            "HF_ENDPOINT": servers.urls["hub"],
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def corpus(self) -> Corpus:
        return Corpus(self.folder / "corpus")

    def assets(self, **settings: object) -> float:
        """Run the stage; returns its seconds."""
        urls = self.servers.urls
        places = {"assets.github": urls["raw"], "assets.github_lfs": urls["lfs"], "assets.github_git": urls["git"]}
        every = FAST | places | {f"assets.{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "pipeline.run", "--stage", "assets", "--corpus", str(self.folder / "corpus")]
        flags = ["--workers", str(WORKERS), *(f"--{name}={value}" for name, value in every.items())]
        start = time.monotonic()
        with (self.folder / "output.txt").open("ab") as output:
            subprocess.run(
                [*command, *flags],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=RUN_TIMEOUT_S,
                check=True,
            )
        return time.monotonic() - start


def write_objects(root: Path, count: int) -> Objaverse:
    """A small Objaverse with its GLB files, below the hub's root."""
    dataset = make_uids(count, odd=count // 20, folders=4, seed=7)
    write_objaverse(root, dataset, lvis_objects=count // 10)
    for number, (folder, uid) in enumerate((folder, uid) for folder, uids in dataset.folders.items() for uid in uids):
        path = root / HUB_FOLDER / "glbs" / folder / f"{uid}.glb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(trimesh.creation.box((1, 2, 1 + number)).export(file_type="glb"))
    return dataset


def limit_figures(run: Run, seconds: float) -> dict[str, float]:
    """How the run kept to the window of the hub."""
    hub = [request for request in run.servers.requests() if request["site"] == "hub"]
    refused = sum(request["status"] == 429 for request in hub)
    return {
        "objects": len(asset_rows(run.corpus, ["uid"])),
        "objects_lost_to_429": sum(errors(run.corpus).values()),
        "hub_requests": len(hub),
        "requests_into_a_closed_window": refused,
        "requests_into_a_closed_window_share": round(refused / len(hub), 4),
        "limits_seconds": round(seconds, 1),
    }


def errors(corpus: Corpus) -> Counter[str]:
    """Errors of the assets stage by class."""
    return Counter(row["error_class"] for row in error_rows(corpus))


def error_rows(corpus: Corpus) -> Iterator[dict[str, object]]:
    for shard in range(read_manifest(corpus).shards):
        yield from corpus.read_errors("assets", shard)


def asset_rows(corpus: Corpus, columns: list[str]) -> list[Row]:
    return [row for shard in range(read_manifest(corpus).shards) for row in corpus.read_rows("assets", shard, columns)]


def multi_file_figures(corpus: Corpus, listed: Listed, prefix: str = "") -> dict[str, float]:
    """How many of the objects whose parts exist came with all of them, and whether each error is the right one."""
    columns = ["uid", "origin_uri", "parts_fetched", "parts_missing"]
    rows = {row["origin_uri"]: row for row in asset_rows(corpus, columns)}
    whole = sum(
        address in rows and rows[address]["parts_missing"] == 0 and rows[address]["parts_fetched"] == parts
        for address, parts in listed.parts.items()
    )
    return {
        f"{prefix}multi_file_objects": len(listed.parts),
        f"{prefix}multi_file_whole": whole,
        f"{prefix}multi_file_whole_share": round(whole / len(listed.parts), 4),
        f"{prefix}rows": len(rows),
        **{f"{prefix}errors_{name}": count for name, count in sorted(errors(corpus).items())},
    }


def ledger_right_share(corpus: Corpus, listed: Listed) -> float:
    """Share of the listed objects that ended as they should: as a row, or as an error of the right class."""
    addresses = {row["uid"]: row["origin_uri"] for row in corpus.read_index(["uid", "origin_uri"])}
    ended = {str(addresses[str(row["uid"])]): str(row["error_class"]) for row in error_rows(corpus)}
    right = sum(ended.get(address, "") == listed.errors.get(address, "") for address, _, _ in listed.rows)
    return round(right / len(listed.rows), 4)
