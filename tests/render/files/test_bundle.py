import resource
import zipfile

import pytest

from pipeline.base.errors import AssetError
from pipeline.store.full_disk import is_full
from render.files import bundle


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_plain_file_gets_its_standard_name(tmp_path, folder):
    (tmp_path / "abc123.glb").write_bytes(b"glb")
    assert bundle.unpack(tmp_path / "abc123.glb", "glb", folder) == folder / "asset.glb"
    assert (folder / "asset.glb").read_bytes() == b"glb"


def test_bundle_keeps_its_folders(tmp_path, folder):
    file = make_zip(tmp_path / "a.zip", {"asset.obj": "v", "textures/wood.png": b"png"})
    assert bundle.unpack(file, "obj", folder) == folder / "asset.obj"
    assert (folder / "textures/wood.png").read_bytes() == b"png"


def test_the_main_file_may_lie_at_any_depth(tmp_path, folder):
    members = {"images/texture0.jpg": b"jpg", "models/asset.obj": "v", "models/old/asset.obj": "side"}
    assert bundle.unpack(make_zip(tmp_path / "a.zip", members), "obj", folder) == folder / "models/asset.obj"
    assert (folder / "images/texture0.jpg").read_bytes() == b"jpg"


@pytest.mark.parametrize(
    "names", [("a/asset.obj", "b/asset.obj"), ("asset.obj", "asset.obj"), ("asset.obj", r".\asset.obj")]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_main_files_are_refused(tmp_path, folder, names):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "v")
    with pytest.raises(AssetError, match="several asset.obj"):
        bundle.unpack(tmp_path / "a.zip", "obj", folder)


@pytest.mark.parametrize("names", [("asset.obj", "asset.obj/x"), ("a" * 300, "asset.obj"), ("a/" * 3000, "asset.obj")])
def test_members_that_no_disk_can_hold_are_refused_or_left_out(tmp_path, folder, names):
    file = make_zip(tmp_path / "a.zip", dict.fromkeys(names, "v"))
    try:
        assert bundle.unpack(file, "obj", folder) == folder / "asset.obj"
    except AssetError as error:
        assert "cannot be unpacked" in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt"])
def test_member_that_would_land_outside_is_refused(tmp_path, folder, name):
    file = make_zip(tmp_path / "a.zip", {"asset.obj": "v", name: "evil"})
    with pytest.raises(AssetError, match="outside"):
        bundle.unpack(file, "obj", folder)
    assert not list(folder.iterdir())


def test_too_many_bytes_are_refused(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_UNPACKED_BYTES", 1000)
    file = make_zip(tmp_path / "a.zip", {"asset.obj": "v" * 1001})
    with pytest.raises(AssetError, match="1000 bytes"):
        bundle.unpack(file, "obj", folder)


def test_no_main_file_no_zip_no_such_format(tmp_path, folder):
    with pytest.raises(AssetError, match="no asset.obj"):
        bundle.unpack(make_zip(tmp_path / "a.zip", {"other.obj": "v"}), "obj", folder)
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(AssetError, match="cannot be unpacked"):
        bundle.unpack(tmp_path / "b.zip", "obj", folder)
    with pytest.raises(AssetError, match="'blend' cannot be rendered"):
        bundle.unpack(tmp_path / "b.zip", "blend", folder)


def test_a_full_disk_is_not_the_assets_fault(tmp_path, folder):
    file = make_zip(tmp_path / "a.zip", {"asset.obj": "v" * 5000})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # a file that may not grow is as a full disk
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            bundle.unpack(file, "obj", folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_full(caught.value)
