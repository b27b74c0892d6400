"""Objaverse-XL from a server on loopback that is laid out as the hub, GitHub and the Smithsonian are."""

import hashlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse_xl import REVISION
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.asset_makers import Store, box_glb, obj
from tests.pipeline.assets.asset_server import broken_off
from tests.pipeline.assets.test_objaverse_source import FAST, Hub, uid_of

XL = f"/datasets/allenai/objaverse-xl/resolve/{REVISION}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TABLES = {
    "github": f"{XL}/github/github.parquet",
    "sketchfab": f"{XL}/sketchfab/sketchfab.parquet",
    "smithsonian": f"{XL}/smithsonian/smithsonian.parquet",
}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(*rows: tuple[str, str, str | None, str, str]) -> bytes:
    """A Parquet file of annotations with the columns that the dataset has, in its order."""
    names = ("fileIdentifier", "source", "license", "fileType", "sha256")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    file = io.BytesIO()
    pq.write_table(pa.table({**columns, "metadata": ["{}"] * len(rows)}), file)
    return file.getvalue()


def blob(path: str) -> str:
    return f"https://github.com/maker/models/blob/{COMMIT}/{path}"


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    with Hub() as hub:
        git = f"/git/maker/models/{COMMIT}"
        hub.files |= {
            f"{git}/a/oak%20chair_2.glb": box_glb(),
            f"{git}/changed.glb": box_glb(),
            f"{git}/large.obj": pointer,
            f"/lfs/maker/models/{COMMIT}/large.obj": obj(),
            "/si/vase.glb": box_glb(),
        }
        good, none = digest(box_glb()), "0" * 64
        hub.files[TABLES["github"]] = table(
            (blob("a/oak%20chair_2.glb"), "github", "MIT License", "glb", good),
            (blob("changed.glb"), "github", None, "glb", none),
            (blob("gone.stl"), "github", None, "stl", none),
            (blob("large.obj"), "github", "Apache License 2.0", "obj", digest(obj())),
            (blob("scene.blend"), "github", None, "blend", none),
            (blob("scene.abc"), "github", None, "abc", none),
        )
        page = "https://sketchfab.com/3d-models"
        hub.files[TABLES["sketchfab"]] = table(
            (f"{page}/{uid_of(0)}", "sketchfab", "Creative Commons - Attribution", "glb", good),
            (f"{page}/{uid_of(1)}", "sketchfab", "CC0 Public Domain", "glb", good),
            (f"{page}/{uid_of(2)}", "sketchfab", "CC0 Public Domain", "glb", none),
            (f"{page}/{uid_of(77)}", "sketchfab", "CC0 Public Domain", "glb", good),
        )
        hub.files[TABLES["smithsonian"]] = table((f"{hub.url}/si/vase.glb", "smithsonian", "CC0", "glb", good))
        yield hub


@pytest.fixture
def config(hub, tmp_path):
    def make(**fields) -> dict:
        places = {"endpoint": hub.url, "github": f"{hub.url}/git", "github_lfs": f"{hub.url}/lfs"}
        return {"source": "objaverse-xl", "cache": str(tmp_path / "cache")} | places | FAST | fields

    return make


def plan(config: dict) -> list[dict]:
    return list(make_source(AssetsConfig(**config)).plan())


def test_annotations_become_index_rows(config, caplog):
    rows = plan(config())
    assert [row["origin_uri"].rpartition("/")[2] for row in rows][:4] == [
        "oak%20chair_2.glb",
        "changed.glb",
        "gone.stl",
        "large.obj",
    ]
    assert "left out, as their formats are not supported: 1 blend, 1 abc" in caplog.text
    first = rows[0]
    assert first["uid"].startswith("github-")
    assert (first["name"], first["creator"], first["license"]) == ("oak chair 2", "maker", "MIT")
    assert first["sha256"] == digest(box_glb())
    sketchfab = {row["uid"]: row for row in rows if "sketchfab.com" in row["origin_uri"]}
    assert sketchfab[uid_of(1)]["lvis_category"] == "stair"
    assert {uid: row["split"] for uid, row in sketchfab.items()} == {
        uid_of(n): "heldout" if n == 1 else "" for n in (0, 1, 2, 77)
    }
    assert len({row["uid"] for row in rows}) == len(rows) == 9


def test_the_ledger_tells_found_modified_and_missing_apart(config, tmp_path):
    run = Store(tmp_path, **config())
    names = {row["uid"]: row["origin_uri"].rpartition("/")[2] for row in run.plan}
    assert {names[row["uid"]] for row in run.rows} == {
        "oak%20chair_2.glb",
        "large.obj",
        "vase.glb",
        uid_of(0),
        uid_of(1),
    }
    assert {names[failure.uid]: failure.error_class for failure in run.failures} == {
        "changed.glb": "Modified",
        "gone.stl": "Missing",
        uid_of(2): "Modified",
        uid_of(77): "Missing",
    }
    assert not any(failure.retryable for failure in run.failures)
    assert not list(run.scratch.iterdir())
    large = next(row for row in run.rows if names[row["uid"]] == "large.obj")
    assert large["missing_textures"] == ["paint.mtl"]  # files beside it are not fetched
    assert large["format"] == "obj"


@pytest.mark.parametrize(("part", "count"), [("smithsonian", 1), ("sketchfab, smithsonian", 5)])
def test_parts_are_chosen(config, hub, part, count):
    assert len(plan(config(path=part))) == count
    assert not hub.asked(TABLES["github"])


def test_an_unknown_part_is_named(config):
    with pytest.raises(ConfigError, match="no part 'thingiverse'; there are: github, "):
        plan(config(path="thingiverse"))


def test_annotations_are_kept_once_whole(config, hub):
    hub.answers[TABLES["smithsonian"]] = [broken_off(100), broken_off(100)]
    with pytest.raises(ConfigError, match=r"smithsonian\.parquet.*run the same command again"):
        plan(config(path="smithsonian"))
    assert len(plan(config(path="smithsonian"))) == 1
    asked = len(hub.asked(TABLES["smithsonian"]))
    assert len(plan(config(path="smithsonian"))) == 1
    assert len(hub.asked(TABLES["smithsonian"])) == asked


@pytest.mark.parametrize("content", [b"no table", table()[:-5]])
def test_annotations_of_another_form_are_refused(config, hub, content):
    hub.files[TABLES["smithsonian"]] = content
    with pytest.raises(ConfigError, match="not a file of the dataset objaverse-xl: it is not a Parquet file"):
        plan(config(path="smithsonian"))


def test_a_table_without_checksums_is_refused(config, hub):
    file = io.BytesIO()
    pq.write_table(pa.table({"fileIdentifier": ["a"], "license": ["b"], "fileType": ["glb"]}), file)
    hub.files[TABLES["smithsonian"]] = file.getvalue()
    with pytest.raises(ConfigError, match="it has no column sha256, only fileIdentifier, license, fileType"):
        plan(config(path="smithsonian"))
