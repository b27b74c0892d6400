"""The real Objaverse's size, names and rules, on a hub of the true layout on loopback.

    python -m benchmarks.objaverse [PART …] [--cache FOLDER] [--repositories FOLDER]

plan: all 798,759 objects of 1.0 with their annotations, and 10.2 million rows of XL, planned from files of the true
form and size that a script makes (kept in --cache, 1.5 GB). fetch: 600 objects through a hub that closes its window,
breaks off and stalls, with two worker processes, while a neighbour uses the window too; the same from a copy on the
disk; and multi-file objects of GitHub through servers of raw files, large files and git. With --repositories the models
of real repositories, too: bare ones, in folders named OWNER+NAME. Both tokens are set in all of these, and searched for
afterwards. Each part takes some ten minutes of two cores. Writes objaverse.json.
"""

import argparse
import secrets
import shutil
import tempfile
from pathlib import Path

from benchmarks.objaverse.campaign import (
    Run,
    asset_rows,
    ledger_right_share,
    limit_figures,
    multi_file_figures,
    servers,
    write_objects,
)
from benchmarks.objaverse.dataset import HUB_FOLDER
from benchmarks.objaverse.hub import NEIGHBOUR
from benchmarks.objaverse.leaks import search
from benchmarks.objaverse.plans import plan_figures, write_files
from benchmarks.objaverse.repositories import Listed, names_and_commits, take_repositories, write_repositories
from benchmarks.record import ROOT, record

OBJECTS = 600
WINDOW_REQUESTS, WINDOW_S, NO_LIMIT = 160, 5.0, 10**9
DAMAGED = 3  # objects of the copy that are cut short
PLAN_NOTES = (
    "Files of the true form and size, made by benchmarks/objaverse/dataset.py, over loopback and without limits. mb: "
    "the largest resident memory of the process. ask_plan and ask_status: the commands --plan and --status afterwards."
)
FETCH_NOTES = (
    f"{OBJECTS} objects, two worker processes. The window of the hub and of GitHub's raw files has {WINDOW_REQUESTS} "
    f"requests in {WINDOW_S:g} s, of which a neighbour takes {NEIGHBOUR} for each of ours; some first requests end in "
    "503, some bodies break off or stall. multi_file_whole: objects that came with every file they name, of those "
    "whose files are all there; ledger_right_share: objects that ended as a row or as the error that they should be. "
    "reused_local: of the objects that are whole in a copy, those that no request was made for. secrets_found: tokens "
    "and signatures in corpora, caches and output, and in requests to others than their own host."
)


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objaverse", description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="plan, fetch; all without one")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "objaverse", help="for the plan's files")
    parser.add_argument("--repositories", type=Path, help="folder of real repositories")
    arguments = parser.parse_args()
    for part in arguments.parts or ["plan", "fetch"]:
        with tempfile.TemporaryDirectory() as folder:
            if part == "plan":
                path = record("objaverse", plan(arguments.cache, Path(folder)), PLAN_NOTES, part="plan")
            else:
                figures = fetch(Path(folder), arguments.repositories)
                path = record("objaverse", figures, FETCH_NOTES + sources_of(arguments.repositories), part="fetch")
    print(path.read_text(encoding="utf-8"))


def sources_of(real: Path | None) -> str:
    """Which real repositories were taken, for the notes."""
    return f" real_: {', '.join(names_and_commits(real))}." if real else ""


def plan(cache: Path, scratch: Path) -> dict[str, float]:
    cache.mkdir(parents=True, exist_ok=True)
    write_files(cache / "hub")
    with servers(cache, NO_LIMIT, WINDOW_S) as sites:
        return plan_figures("objaverse", "1_0", sites, scratch) | plan_figures("objaverse-xl", "xl", sites, scratch)


def fetch(scratch: Path, real: Path | None) -> dict[str, float]:
    tokens = {name: f"{name[:2].lower()}_{secrets.token_hex(16)}" for name in ("HF_TOKEN", "GITHUB_TOKEN")}
    served = scratch / "served"
    write_objects(served / "hub", OBJECTS)
    listed = write_repositories(served)
    listed.write(served / "hub")
    with servers(served, WINDOW_REQUESTS, WINDOW_S) as sites:
        run = Run(scratch / "limits", sites, tokens)
        figures = limit_figures(run, run.assets(source="objaverse"))
        figures |= reused(run, Run(scratch / "local", sites, tokens))
        figures |= multi_file(Run(scratch / "parts", sites, tokens), listed)
    if real:
        figures |= real_repositories(scratch, real, tokens)
    folders = [folder for folder in scratch.iterdir() if folder.name not in ("served", "served-real", "copy")]
    logs = list(scratch.glob("served*/requests.jsonl"))
    searches = [search(tokens, folders if number == 0 else [], log) for number, log in enumerate(logs)]
    figures["secrets_found"] = sum(each.found for each in searches)
    figures["tokens_arrived"] = sum(each.arrived for each in searches)
    return figures


def reused(before: Run, run: Run) -> dict[str, float]:
    """The same objects from a copy laid out as the package `objaverse` does; some of its files are cut short."""
    copy = run.folder.parent / "copy" / "hf-objaverse-v1"
    shutil.copytree(before.folder.parent / "served" / "hub" / HUB_FOLDER, copy)
    glbs = sorted(copy.rglob("*.glb"))
    for file in glbs[:DAMAGED]:
        file.write_bytes(file.read_bytes()[:-20])
    known = len(run.servers.requests())
    run.assets(source="objaverse", local=copy)
    asked = {Path(str(request["path"])).stem for request in run.servers.requests()[known:] if request["site"] == "hub"}
    whole = {file.stem for file in glbs[DAMAGED:]}
    same = {row["uid"]: row for row in asset_rows(before.corpus, ["uid", "name", "license", "sha256"])}
    equal = sum(same.get(row["uid"]) == row for row in asset_rows(run.corpus, ["uid", "name", "license", "sha256"]))
    return {
        "local_objects": len(whole),
        "reused_local": len(whole - asked),
        "reused_local_share": round(len(whole - asked) / len(whole), 4),
        "damaged_local_fetched": len({file.stem for file in glbs[:DAMAGED]} & asked),
        "local_rows_equal": equal,
    }


def multi_file(run: Run, listed: Listed) -> dict[str, float]:
    known = len(run.servers.requests())
    run.assets(source="objaverse-xl", path="github")
    asked = [str(request["site"]) for request in run.servers.requests()[known:]]
    return {
        **multi_file_figures(run.corpus, listed),
        "ledger_right_share": ledger_right_share(run.corpus, listed),
        "raw_requests": asked.count("raw"),
        "git_requests": asked.count("git"),
    }


def real_repositories(scratch: Path, copies: Path, tokens: dict[str, str]) -> dict[str, float]:
    served = scratch / "served-real"
    served.mkdir()
    listed = take_repositories(served, copies)
    listed.write(served / "hub")
    with servers(served, WINDOW_REQUESTS, WINDOW_S) as sites:
        run = Run(scratch / "real", sites, tokens)
        run.assets(source="objaverse-xl", path="github")
        return multi_file_figures(run.corpus, listed, prefix="real_")


if __name__ == "__main__":
    main()
