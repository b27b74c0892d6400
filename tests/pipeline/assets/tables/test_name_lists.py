"""Lists of names in the forms that people have them in."""

import gzip
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.assets.tables import name_lists
from pipeline.assets.tables.name_lists import canonical, read_names
from pipeline.base.errors import ConfigError

A, B, ODD = "8476c4170df24cf5bbe6967222d1a42d", "8ff7f1f2465347cd8b80c9b206c2781e", "kiDgUIcaC7c4YaIcLCJeq4kS7rK"
SHA = "0123456789abcdef" * 4
BLOB = "https://github.com/maker/models/blob/0123456789abcdef0123456789abcdef01234567/a, b/Oak%20#2.glb"
PAGE = f"https://sketchfab.com/3d-models/{A}"


def parquet(**columns: list) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def names_in(tmp_path, content: bytes | str, name: str = "list") -> list[str]:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_names(str(file), "assets.objects"))


@pytest.mark.parametrize(
    "content",
    [
        f"{A}\n{ODD}\n",
        f"\ufeff# two objects\r\n\r\n{A}  # a chair\r\n{ODD}",
        f"{A}.glb\nglbs/000-023/{ODD}.glb\n",
        f"C:\\copy\\glbs\\000-023\\{A}.glb\n/mnt/{ODD}.GLB\n",
        f"{A} {ODD}",
        f"{A},{ODD}",
        f"{PAGE}\nhttps://sketchfab.com/3d-models/an-oak-chair-{ODD}?utm=1\n",
        f"{A}\n{ODD}\n".encode("utf-16"),
        gzip.compress(f"{A}\n{ODD}\n".encode(), mtime=0),
    ],
    ids=["plain", "comments", "files", "folders", "one line", "commas", "pages", "utf-16", "gzip"],
)
def test_text(tmp_path, content):
    assert names_in(tmp_path, content) == [A, ODD]


@pytest.mark.parametrize(
    "content",
    [
        f'name,uid\n"Chair, oak",{A}\n"two\nlines",{ODD}\n',
        f"# from a friend\nUID;name\n{A};x\n{ODD};y\n",
        f"name\tuid\nx\t{A}\ny\t{ODD}\n",
        f'"sha256", "file_identifier"\n{SHA}, "{PAGE}"\n{SHA}, "glbs/000-023/{ODD}.glb"\n',
        f'{A},"A chair, of oak; 3 legs"\n{ODD},a lamp\n',
        f"{A},https://x/y.jpeg,5\n{ODD},,\n",
        f",uid,name\n0,{A},x\n1,{ODD},y\n",
        f"sep=;\nuid;name\n{A};St\u00fchle\n{ODD};x\n".encode("latin-1"),
    ],
    ids=["header", "semicolons", "tabs", "two keys", "Cap3D", "no header", "with an index", "Excel"],
)
@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_tables_as_text(tmp_path, content, name):
    assert names_in(tmp_path, content, name) == [A, ODD]


def test_addresses_may_hold_what_separates_others(tmp_path):
    assert names_in(tmp_path, f"{BLOB}\n{PAGE}\n", "list.txt") == [BLOB, A]
    assert names_in(tmp_path, f'"{BLOB}",1\n{PAGE},2\n', "list.csv") == [BLOB, A]


@pytest.mark.parametrize(
    "table",
    [
        {"n": [1, 2], "uid": [A, ODD]},
        {"uid": [A, None], "fileIdentifier": [None, f"https://sketchfab.com/models/{ODD}"]},
        {"File_Identifier": [PAGE, f"{ODD}.glb"], "sha256": [SHA, SHA]},
    ],
)
def test_parquet(tmp_path, table):
    assert names_in(tmp_path, parquet(**table), "list.bin") == [A, ODD]


@pytest.mark.parametrize(
    "value",
    [
        [A, ODD],
        {A: "a chair", ODD: None},
        {A: ["one caption", "another"], ODD: []},
        {A: f"glbs/000-023/{A}.glb", ODD: f"glbs/000-023/{ODD}.glb"},
        {"chair": [A], "bus_(vehicle)": [], "oak_chair_with_three_legs": [ODD]},
        {"0/10005": f"000-023/{A}.glb", "0/10006": f"000-023/{ODD}.glb"},
        [{"uid": A, "name": "x"}, {"uid": ODD}],
        {"uid": [A, ODD], "score": [1, 2]},
    ],
    ids=["list", "keys", "keys of lists", "paths", "LVIS", "G-Objaverse", "objects", "columns"],
)
def test_json(tmp_path, value):
    assert names_in(tmp_path, json.dumps(value, indent=1)) == [A, ODD]
    assert names_in(tmp_path, gzip.compress(json.dumps(value).encode())) == [A, ODD]


def test_what_pandas_writes(tmp_path):
    frame = pd.DataFrame({"uid": [A, ODD], "score": [0.5, 1]})
    for orient, lines in (("columns", False), ("records", False), ("records", True)):
        assert names_in(tmp_path, frame.to_json(orient=orient, lines=lines)) == [A, ODD]
    assert names_in(tmp_path, frame.to_csv(), "x.csv") == [A, ODD]


def test_names_are_compared_as_they_should_be():
    assert canonical(SHA.upper()) == SHA
    assert canonical(BLOB) == BLOB
    assert canonical(ODD) != canonical(ODD.lower())
    assert canonical(f"https://huggingface.co/datasets/x/resolve/main/glbs/000-000/{A}.glb?download=true") == A
    assert len(canonical("a" * 10_000)) == name_lists.MAX_NAME


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# nothing yet\n\n", "is empty"),
        ("[]", "is empty"),
        ("name,score\nchair,1\n", "it has no column uid, file_identifier or sha256, only name, score"),
        (parquet(name=["x"]), "it has no column uid, file_identifier or sha256, only name"),
        ('[{"name": "chair"}]', "its objects have no key uid, file_identifier or sha256, only name"),
        ('{"my chair": 1}', "its keys are no names of objects: my chair"),
        ('{"a": ', "cannot be read as a list of objects: Expecting value"),
        ("[" * 200_000, "cannot be read as a list of objects: "),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not a text, Parquet or gzip file"),
        (b"abc\0def\n", "is not a text, Parquet or gzip file"),
        (f'{A},"a chair\n{B},a lamp\n{ODD},x\n', "a quote before '8ff7.*,a lamp' is not closed"),
        (parquet(uid=[A])[:-9], "cannot be read as a list of objects: "),
        (gzip.compress(f"{A}\n".encode(), mtime=0)[:-9], "cannot be read as a list of objects: "),
        ("x" * 1_000_001, "a line has 1000000 characters or more"),
    ],
)
def test_what_is_no_list_is_one_clear_line(tmp_path, content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        names_in(tmp_path, content, "list.csv")
    assert str(caught.value).startswith("assets.objects: ")
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_there_is_named_without_its_secrets(tmp_path):
    with pytest.raises(ConfigError, match=r"assets\.objects: .*none\.txt cannot be read .* cannot be opened"):
        list(read_names(str(tmp_path / "none.txt"), "assets.objects"))
    with pytest.raises(ConfigError, match=r"nothing://host/a\.csv\?… cannot be read") as caught:
        list(read_names("nothing://me:word@host/a.csv?signature=hush", "assets.objects"))
    assert "word" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_bomb_ends_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(name_lists, "MAX_BYTES", 100_000)
    with pytest.raises(ConfigError, match="it has more than 100000 bytes"):
        names_in(tmp_path, gzip.compress(b"abc\n" * 1_000_000))
    monkeypatch.setattr(name_lists, "MAX_NAMES", 10)
    with pytest.raises(ConfigError, match="it has more than 10 names"):
        names_in(tmp_path, parquet(uid=["a"] * 11))
