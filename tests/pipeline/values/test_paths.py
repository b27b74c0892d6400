import pytest

from pipeline.values.paths import file_inside


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "asset" / "deep").mkdir(parents=True)
    (tmp_path / "asset" / "file").write_bytes(b"")
    (tmp_path / "asset" / "link").symlink_to("../secret")
    (tmp_path / "here").symlink_to("asset")
    return tmp_path / "here"


@pytest.mark.parametrize("reference", ["file", "./file", "deep/../file", "../here/file"])
def test_files_in_the_folder(folder, reference):
    assert file_inside(folder, reference) == (folder / "file").resolve()


@pytest.mark.parametrize(
    "reference", ["", ".", "deep", "gone", "../secret", "link", "/etc/passwd", "http://a.org/file", "a" * 300, "a\0b"]
)
def test_anything_else_is_missing(folder, reference):
    assert file_inside(folder, reference) is None
