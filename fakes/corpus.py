"""Making corpora of the fake stages, and looking into them."""

from pipeline import Corpus
from pipeline.executors import local
from pipeline.stages.config import Config
from pipeline.work.job import Job, ShardReport

UIDS = "ant,bee,broken,cat,dog,failure,gnu"


def fake_config(uids: str = UIDS, **sections: dict) -> Config:
    """A small config of the fake source; keyword arguments are fields by section."""
    assets = {"source": "fake", "path": uids, "shard_size": 3} | sections.pop("assets", {})
    render = {"views": 2, "resolution": 4} | sections.pop("render", {})
    return Config.model_validate({"assets": assets, "render": render, "fit": {"num_gaussians": 3}} | sections)


def run_all(corpus: Corpus, config: Config, stages: tuple[str, ...] = ("assets", "render", "fit"), **options) -> list:
    """Run stages over all shards in this process; returns the reports."""
    reports: list[ShardReport] = []
    shards = range(corpus.read_json("corpus.json")["shards"])
    local.run(Job(corpus, config, **options), {shard: list(stages) for shard in shards}, 1, reports.append)
    return reports


def uids_of(corpus: Corpus, table: str) -> list[str]:
    return [row["uid"] for shard in corpus.shards(table) for row in corpus.read_rows(table, shard, ["uid"])]


def errors_of(corpus: Corpus, stage: str) -> dict[str, dict]:
    shards = corpus.shards(f"errors/{stage}")
    return {row["uid"]: row for shard in shards for row in corpus.read_errors(stage, shard)}
