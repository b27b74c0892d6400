"""Objects of GitHub, file by file: whole, or told apart by what became of them."""

import json

import pytest

from pipeline.assets.github.repository_files import MAX_REQUESTS
from tests.pipeline.assets.asset_makers import TRIANGLE_BUFFER, box_glb, gltf_document, mtl, obj, png
from tests.pipeline.assets.asset_server import hung_up, status
from tests.pipeline.assets.fetch.test_refusals import OVER, saying
from tests.pipeline.assets.github.git_server import lfs_pointer
from tests.pipeline.assets.xl_hub import COMMIT, XLHub, listed

WINDOWS_OBJ = obj().replace(b"\n", b"\r\n")


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with XLHub() as hub:
        yield hub


def test_an_object_arrives_with_all_that_it_names(hub, tmp_path):
    texture = png()
    hub.put({"a/b/m.obj": obj("../mtl/paint.mtl"), "a/mtl/paint.mtl": mtl("../../tex/oak%20%231.png")})
    hub.put({"tex/oak%2520%25231.png": texture})  # names are as they stand in the repository
    row = hub.run(tmp_path, listed("a/b/m.obj", obj("../mtl/paint.mtl"))).only_row()
    assert (row["parts_fetched"], row["parts_missing"], row["missing_textures"]) == (2, 0, [])


def test_a_gltf_arrives_with_its_buffer(hub, tmp_path):
    document = json.dumps(gltf_document("mesh.bin", ("skin.png",))).encode()
    hub.put({"m/scene.gltf": document, "m/mesh.bin": TRIANGLE_BUFFER, "m/skin.png": png()})
    run = hub.run(tmp_path, listed("m/scene.gltf", document))
    assert run.only_row()["parts_fetched"] == 2
    assert run.stored_members(run.only_row())["mesh.bin"] == TRIANGLE_BUFFER


def test_a_part_that_is_gone_is_counted_and_one_that_is_needed_fails(hub, tmp_path):
    document = json.dumps(gltf_document("mesh.bin")).encode()
    hub.put({"m.obj": obj(), "paint.mtl": mtl("gone.png"), "scene.gltf": document})
    run = hub.run(tmp_path, listed("m.obj", obj()), listed("scene.gltf", document))
    (row,) = run.rows
    assert (row["parts_fetched"], row["parts_missing"], row["missing_textures"]) == (1, 1, ["gone.png"])
    (failure,) = run.failures
    assert (failure.error_class, failure.retryable) == ("AssetError", False)
    assert "the file 'mesh.bin', which it needs, is missing" in failure.message


@pytest.mark.parametrize("answer", [status(503), hung_up])
def test_a_part_out_of_reach_is_no_missing_texture(hub, tmp_path, answer):
    hub.put({"m.obj": obj(), "paint.mtl": mtl("skin.png"), "skin.png": png()})
    hub.answers[hub.raw("skin.png")] = [answer] * 9
    (failure,) = hub.run(tmp_path, listed("m.obj", obj())).failures
    assert (failure.error_class, failure.retryable) == ("Unreachable", True)
    assert "skin.png" in failure.message


def test_parts_count_against_the_limit_and_their_number_is_bounded(hub, tmp_path):
    many = [f"t{number}.png" for number in range(MAX_REQUESTS + 50)]
    hub.put({"m.obj": obj(), "paint.mtl": mtl("large.png"), "large.png": png() + bytes(100_000)})
    hub.put({"n.obj": obj("many.mtl"), "many.mtl": mtl(*many)})
    run = hub.run(tmp_path, listed("m.obj", obj()), listed("n.obj", obj("many.mtl")), max_bytes=60_000)
    by_name = {row["name"]: row for row in run.rows}
    assert by_name["m"]["missing_textures"] == ["large.png"]
    assert by_name["n"]["parts_missing"] == len(many)
    assert len([path for path, _ in hub.requests if "/t" in path]) <= MAX_REQUESTS


def test_nothing_outside_the_repository_is_asked_for(hub, tmp_path):
    named = ("../../../other/x.png", "https://elsewhere.example/x.png", "file:///etc/passwd", "C:\\x.png")
    hub.put({"a/m.obj": obj(), "a/paint.mtl": mtl(*named)})
    row = hub.run(tmp_path, listed("a/m.obj", obj())).only_row()
    assert (row["parts_fetched"], row["parts_missing"]) == (1, 4)
    assert {path for path, _ in hub.requests if path.startswith("/raw")} == {
        hub.raw("a/m.obj"),
        hub.raw("a/paint.mtl"),
    }


# How the ledger tells what became of an object


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("oak%20chair.glb", "oak%2520chair.glb"),  # three letters of a name
        ("oak%20chair.glb", "oak%20chair.glb"),  # an address that was encoded already
        ("oak chair.glb", "oak%20chair.glb"),
        ("a#b?c+d&e.glb", "a%23b%3Fc%2Bd%26e.glb"),
        ("größe/椅子.glb", "gr%C3%B6%C3%9Fe/%E6%A4%85%E5%AD%90.glb"),
        ("100%.glb", "100%25.glb"),
    ],
)
def test_paths_are_as_they_stand_in_the_repository(hub, tmp_path, path, at):
    hub.put({at: box_glb()})
    assert hub.run(tmp_path, listed(path, box_glb())).only_row()["format"] == "glb"


def test_a_path_in_its_plain_form_comes_before_the_decoded_one(hub, tmp_path):
    hub.put({"a%2520b.glb": box_glb(), "a%20b.glb": b"other"})
    assert hub.run(tmp_path, listed("a%20b.glb", box_glb())).only_row()
    assert not hub.asked(hub.raw("a%20b.glb"))


@pytest.mark.parametrize(("served", "recorded"), [(obj(), WINDOWS_OBJ), (WINDOWS_OBJ, obj())])
def test_line_ends_of_a_checkout_are_no_change(hub, tmp_path, served, recorded):
    hub.put({"m.obj": served})
    run = hub.run(tmp_path, listed("m.obj", recorded))
    assert run.only_row()["format"] == "obj"


@pytest.mark.parametrize("recorded", [box_glb(), b"../shared/box.glb"])
def test_a_link_is_followed_inside_the_repository(hub, tmp_path, recorded):
    hub.put({"a/m.glb": b"../shared/box.glb", "shared/box.glb": b"real.glb", "shared/real.glb": box_glb()})
    run = hub.run(tmp_path, listed("a/m.glb", recorded))
    assert run.stored(run.only_row()).read_bytes() == box_glb()


@pytest.mark.parametrize(("target", "parts"), [("shared/m.obj", 1), ("shared/model", 0)])
def test_what_the_target_of_a_link_names_lies_beside_the_target(hub, tmp_path, target, parts):
    hub.put({"m.obj": target.encode(), target: obj(), "shared/paint.mtl": mtl()})
    row = hub.run(tmp_path, listed("m.obj", obj())).only_row()
    assert (row["format"], row["parts_fetched"], row["parts_missing"]) == ("obj", parts, 1 - parts)


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        (b"gone.glb", "Missing", "it is a symbolic link to gone.glb, which is not there"),
        (b"../../outside.glb", "Modified", "its SHA-256 is"),
        (b"n.glb", "AssetError", "more than 8 symbolic links follow each other"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(hub, tmp_path, text, kind, part):
    hub.put({"m.glb": text, "n.glb": b"m.glb"})
    failure = hub.run(tmp_path, listed("m.glb", box_glb())).only_failure()
    assert failure.error_class == kind
    assert part in failure.message


@pytest.mark.parametrize("recorded", [obj(), lfs_pointer(obj()), lfs_pointer(obj()).replace(b"\n", b"\r\n")])
def test_a_pointer_leads_to_the_large_file(hub, tmp_path, recorded):
    hub.put({"m.obj": lfs_pointer(obj())})
    hub.put_large("m.obj", obj())
    assert hub.run(tmp_path, listed("m.obj", recorded)).only_row()["format"] == "obj"


def test_pointers_among_the_parts_are_followed(hub, tmp_path):
    hub.put({"m.obj": obj(), "paint.mtl": mtl("skin.png"), "skin.png": lfs_pointer(png())})
    hub.put_large("skin.png", png())
    run = hub.run(tmp_path, listed("m.obj", obj()))
    assert run.stored_members(run.only_row())["skin.png"] == png()


@pytest.mark.parametrize(
    ("large", "kind", "retryable", "part"),
    [
        (saying(403, OVER), "QuotaExceeded", True, "owner's quota is used up (HTTP 403 Forbidden)"),
        (saying(404, OVER), "QuotaExceeded", True, "owner's quota is used up (HTTP 404"),
        (status(404), "Missing", False, "there is no such file"),
        (saying(200, "another file"), "Modified", False, "the SHA-256 of what Git LFS has is"),
        (saying(200, lfs_pointer(obj()).decode()), "Unreachable", True, "sends the pointer in place of the file"),
    ],
)
def test_what_becomes_of_a_large_file_is_told_apart(hub, tmp_path, large, kind, retryable, part):
    hub.put({"m.obj": lfs_pointer(obj())})
    hub.answers[f"/lfs/maker/models/{COMMIT}/m.obj"] = [large] * 9
    (failure,) = hub.run(tmp_path, listed("m.obj", obj())).failures
    assert (failure.error_class, failure.retryable) == (kind, retryable)
    assert part in failure.message
    assert f"https://github.com/maker/models/blob/{COMMIT}/m.obj" in failure.message


def test_a_pointer_to_another_file_is_not_fetched_at_all(hub, tmp_path):
    hub.put({"m.obj": lfs_pointer(b"other")})
    failure = hub.run(tmp_path, listed("m.obj", obj())).only_failure()
    assert failure.error_class == "Modified"
    assert not [path for path, _ in hub.requests if path.startswith("/lfs")]


def test_a_takedown_is_missing_in_its_own_words(hub, tmp_path):
    hub.answers[hub.raw("m.glb")] = [status(451)]
    failure = hub.run(tmp_path, listed("m.glb", box_glb())).only_failure()
    assert failure.error_class == "Missing"
    assert "withheld for legal reasons (a takedown notice)" in failure.message


def test_a_renamed_repository_is_followed(hub, tmp_path):
    hub.put({"m.glb": box_glb()}, "maker/renamed")
    hub.answers[hub.raw("m.glb")] = [status(301, Location=hub.raw("m.glb", "maker/renamed"))]
    assert hub.run(tmp_path, listed("m.glb", box_glb())).only_row()
