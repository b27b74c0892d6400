"""The answers of `--status` and `--plan` for people to read."""

from typing import Any

from rich.table import Table

UNKNOWN = "not measured yet"


def status_table(status: dict[str, Any]) -> Table:
    """The table of `--status` (pipeline.command.status.corpus_status)."""
    title = f"{status['corpus']}: {status['shards']} shards; time left with {_workers(status['workers'])}"
    table = _new_table(title, _planned(status["planned"]), "done", "failed", "pending", "objects/h", "time left")
    for name, stage in status["stages"].items():
        rate = stage["objects_per_hour"]
        counts = (str(stage[key]) for key in ("done", "failed", "pending"))
        table.add_row(name, *counts, f"{rate:,.0f}" if rate else "", _time(stage["seconds_left"]))
    for name, stage in status["corpus_stages"].items():
        table.add_row(name, "" if stage["due"] else "done", "", "due" if stage["due"] else "", "", "")
    return table


def plan_table(plan: dict[str, Any]) -> Table:
    """The table of `--plan` (pipeline.command.status.corpus_plan)."""
    title = f"{plan['corpus']}: what would run with {_workers(plan['workers'])}"
    table = _new_table(title, _planned(plan["planned"]), "shards", "objects", "time", "worker-hours")
    for name, stage in plan["stages"].items():
        hours = "" if stage["worker_hours"] is None else f"{stage['worker_hours']:.2f}"
        table.add_row(name, str(stage["shards"]), str(stage["objects"]), _time(stage["seconds"]), hours)
    for name, stage in plan["corpus_stages"].items():
        table.add_row(name, "", "", _time(stage["seconds"]) if stage["due"] else "nothing to do", "")
    if plan["seconds"] is not None:
        table.add_section()
        table.add_row("all", "", "", _time(plan["seconds"]), "")
    return table


def duration(seconds: float) -> str:
    """A duration formatted for people."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else duration(seconds)


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count > 1 else ''}"


def _planned(planned: dict[str, Any]) -> str:
    """What the corpus is made of, and what is not in it."""
    splits = ", ".join(f"{count:,} {split}" for split, count in planned["splits"].items())
    parts = [f"{planned['objects']:,} objects" + (f" ({splits})" if splits else "")]
    if left_out := sum(planned["left_out_licenses"].values()):
        parts.append(f"{left_out:,} left out by their licences")
    if planned["left_out_where"]:
        parts.append(f"{planned['left_out_where']:,} left out by assets.where")
    if planned["unplanned"]:
        parts.append(f"{planned['unplanned']:,} entries cannot be planned, kept in unplanned.parquet")
    return "\n".join(["; ".join(parts), *map(_joined, planned["joined_tables"])])


def _joined(table: dict[str, Any]) -> str:
    """What a joined table knows."""
    share = table["matched"] / max(table["listed"], 1)
    matched = f"{table['matched']:,} of {table['listed']:,} listed objects matched ({share:.1%})"
    return f"{table['name']}: {table['rows']:,} rows, {matched}"


def _new_table(title: str, caption: str, *columns: str) -> Table:
    table = Table(title=title, caption=caption)
    table.add_column("stage")
    for name in columns:
        table.add_column(name, justify="right")
    return table
