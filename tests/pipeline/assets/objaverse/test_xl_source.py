"""Objaverse-XL from a server on loopback that is laid out as the hub, GitHub and the Smithsonian are."""

import io
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.objaverse import xl_table
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.asset_makers import Store, box_glb, obj
from tests.pipeline.assets.asset_server import broken_off
from tests.pipeline.assets.github.git_server import lfs_pointer
from tests.pipeline.assets.objaverse_hub import FAST, ROOT, Hub, annotation, packed, uid_of
from tests.pipeline.assets.xl_hub import COMMIT, TABLES, blob, digest, listed, table


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as hub:
        git = f"/git/maker/models/{COMMIT}"
        hub.files |= {
            f"{git}/a/oak%20chair_2.glb": box_glb(),
            f"{git}/changed.glb": box_glb(),
            f"{git}/large.obj": lfs_pointer(obj()),
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
    assert sketchfab[uid_of(0)] | {"split": ""} == {
        "uid": uid_of(0),
        "source": "objaverse-xl",
        "origin_uri": f"https://sketchfab.com/3d-models/{uid_of(0)}",
        "name": "Object 0",
        "tags": ["stair", "case"],
        "category": "Architecture",
        "lvis_category": "",
        "license": "CC-BY-4.0",
        "creator": "The Maker",
        "split": "",
        "sha256": digest(box_glb()),
        "details": '{"folder": "000-000"}',
    }
    # 1.0 does not have it: at the end, with what XL's own table says
    assert list(sketchfab)[-1] == uid_of(77)
    last = sketchfab[uid_of(77)]
    assert (last["name"], last["tags"], last["license"], last["creator"]) == ("", [], "CC0-1.0", "")
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


def test_objects_of_one_repository_lie_together(config, hub):
    hub.files[TABLES["github"]] = table(
        *[listed(f"{n}.glb", b"", f"maker/m{n % 7}") for n in range(70)],
        listed("0.glb", b"", "maker/m0", "f" * 40),
    )
    uids = {row["uid"]: row["origin_uri"].rpartition("/")[0] for row in plan(config(path="github"))}
    order = [uids[uid] for uid in sorted(uids)]
    assert len(order) == 71
    assert sum(one != other for one, other in pairwise(order)) == 7  # eight snapshots


def test_names_come_from_the_annotations_where_these_have_them(config, hub):
    bare = {"uid": uid_of(0), "name": None, "tags": [], "license": None}
    hub.files[f"{ROOT}/metadata/000-000.json.gz"] = packed({uid_of(0): bare, uid_of(1): annotation(1, "by-sa")})
    rows = {row["uid"]: row for row in plan(config(path="sketchfab"))}
    assert (rows[uid_of(0)]["name"], rows[uid_of(0)]["license"]) == ("", "CC-BY-4.0")  # XL's
    assert rows[uid_of(1)]["license"] == "CC-BY-SA-4.0"
    assert rows[uid_of(2)]["name"] == ""


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ((None, "github", None, "glb", None), "it has no fileIdentifier"),
        (
            (blob("a.glb").replace("/blob/", "/tree/"), "github", None, "glb", None),
            "not of the form https://github.com/",
        ),
        ((blob("a.glb").replace(COMMIT, "main"), "github", None, "glb", None), "not of the form https://github.com/"),
        (("https://github.com.evil.example/a/b/blob/x/a.glb", "github", None, "glb", None), "not of the form"),
        (("file:///etc/passwd.glb", "github", None, "glb", None), "not of the form"),
        ((blob("a/../../b.glb"), "github", None, "glb", None), "its path cannot be one in a repository"),
        ((blob("a//b.glb"), "github", None, "glb", None), "its path cannot be one in a repository"),
        ((blob("a\nb.glb"), "github", None, "glb", None), "its path cannot be one in a repository"),
        ((blob("a.glb", "maker/.."), "github", None, "glb", None), "not of the form"),
        ((blob("a.glb", "--upload-pack=x/y"), "github", None, "glb", None), "not of the form"),
        ((blob("a.glb"), "github", None, "glb", "123"), "its sha256 is not 64 hex digits"),
    ],
)
def test_an_entry_that_cannot_be_planned_is_noted_and_ends_nothing(config, hub, entry, reason):
    hub.files[TABLES["github"]] = table(entry, listed("good.glb", b""))
    source = make_source(AssetsConfig(**config(path="github")))
    assert [row["name"] for row in source.plan()] == ["good"]
    assert source.unplanned.entries == [entry[0] or "(none)"]
    assert reason in source.unplanned.reasons[0]


@pytest.mark.parametrize(
    ("part", "address", "reason"),
    [
        ("sketchfab", "https://sketchfab.com/3d-models/", "it does not end in a uid of Sketchfab"),
        ("sketchfab", "https://sketchfab.com/3d-models/..%2f", "it does not end in a uid of Sketchfab"),
        ("sketchfab", f"https://sketchfab.com/3d-models/{'x' * 65}", "it does not end in a uid of Sketchfab"),
        ("smithsonian", "file:///etc/passwd.glb", "is not an http(s) URL"),
        ("smithsonian", "https://[::1/x.glb", "is not an http(s) URL"),
        ("smithsonian", "javascript:alert(1).glb", "is not an http(s) URL"),
    ],
)
def test_hostile_addresses_of_the_other_parts_are_noted(config, hub, part, address, reason):
    good = {
        "sketchfab": "https://sketchfab.com/3d-models/kiDgUIcaC7c4YaIcLCJeq4kS7rK",
        "smithsonian": f"{hub.url}/si/vase.glb",
    }
    rows = [(url, part, "CC0", "glb", digest(b"")) for url in (address, good[part])]
    hub.files[TABLES[part]] = table(*rows)
    source = make_source(AssetsConfig(**config(path=part)))
    assert [row["origin_uri"] for row in source.plan()] == [good[part]]
    assert source.unplanned.entries == [address]
    assert reason in source.unplanned.reasons[0]


def test_a_type_that_is_not_told_follows_from_the_name(config, hub, caplog):
    rows = [(blob(name), "github", None, None, None) for name in ("a.GLB", "b", "c.blend")]
    hub.files[TABLES["github"]] = table(*rows)
    (row,) = plan(config(path="github"))
    assert (row["details"], row["sha256"]) == ('{"format": "glb"}', "")
    assert "1 without a type" in caplog.text
    assert "3 entries have no SHA-256" in caplog.text
    assert "1 blend" in caplog.text


def test_of_many_faults_of_one_kind_the_first_are_named(config, hub, monkeypatch):
    monkeypatch.setattr(xl_table, "MAX_NOTED", 3)
    wrong = [(f"https://example.org/{n}.glb", "github", None, "glb", None) for n in range(9)]
    hub.files[TABLES["github"]] = table(*wrong, listed("good.glb", b""))
    source = make_source(AssetsConfig(**config(path="github")))
    assert len(list(source.plan())) == 1
    assert source.unplanned.entries == [*[entry[0] for entry in wrong[:3]], "6 more entries"]
    assert len(source.unplanned) == 9


def test_objects_are_named_in_every_way(config, hub, tmp_path, caplog):
    wanted = tmp_path / "wanted.txt"
    names = [blob("gone.stl"), digest(obj()), uid_of(0), f"{hub.url}/si/vase.glb", "x" * 32]
    wanted.write_text("\n".join(names))
    source = make_source(AssetsConfig(**config(objects=str(wanted))))
    chosen = [row["origin_uri"].rpartition("/")[2] for row in source.plan()]
    assert chosen == ["gone.stl", "large.obj", uid_of(0), "vase.glb"]
    assert source.unplanned.entries == ["x" * 32]
    assert "1 of the 5 names in the list are not in Objaverse-XL" in caplog.text
    uid = next(row["uid"] for row in plan(config(path="github")))
    wanted.write_text(uid)
    assert [row["uid"] for row in plan(config(path="github", objects=str(wanted)))] == [uid]


def test_a_list_of_strangers_alone_is_a_config_error(config, tmp_path):
    (tmp_path / "wanted.txt").write_text("x" * 32)
    with pytest.raises(ConfigError, match=r"assets\.objects: Objaverse-XL .* has none of the 1 names"):
        plan(config(objects=str(tmp_path / "wanted.txt")))


def test_only_the_folders_of_named_objects_are_read(config, hub, tmp_path):
    (tmp_path / "wanted.txt").write_text(uid_of(0))
    assert len(plan(config(path="sketchfab", objects=str(tmp_path / "wanted.txt")))) == 1
    assert hub.asked(f"{ROOT}/metadata/000-000.json.gz")
    assert not hub.asked(f"{ROOT}/metadata/000-023.json.gz")


def test_a_table_that_is_damaged_inside_is_told(config, hub, tmp_path):
    hub.files[TABLES["github"]] = table(*[listed(f"{n}.glb", str(n).encode()) for n in range(2000)])
    assert len(plan(config(path="github"))) == 2000
    (kept,) = tmp_path.glob("cache/**/github.parquet")
    content = bytearray(kept.read_bytes())
    content[100:5000] = bytes(4900)
    kept.write_bytes(content)
    with pytest.raises(ConfigError, match=r"github\.parquet is damaged .*: remove it, and run the same command again"):
        plan(config(path="github"))


def test_text_that_is_no_utf8_is_an_address_that_nobody_has(config, hub):
    address = pa.array([blob("a-ä.glb").encode("latin-1")], pa.binary()).view(pa.string())
    columns = {"fileIdentifier": address, "license": [None], "fileType": ["glb"], "sha256": [""]}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    hub.files[TABLES["github"]] = file.getvalue()
    assert [row["name"] for row in plan(config(path="github"))] == ["a \N{REPLACEMENT CHARACTER}"]
