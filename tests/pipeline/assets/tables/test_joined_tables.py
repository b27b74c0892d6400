"""Tables of what others know of the objects: their forms, keys and columns, and what is joined."""

import gzip
import json
import logging
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.tables.joined_tables import MAX_CHARACTERS, JoinedTables, JoinReport
from pipeline.base.errors import ConfigError
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import INDEX

CHAIR, TABLE, ODD = (
    "8476c4170df24cf5bbe6967222d1a42d",
    "8ff7f1f2465347cd8b80c9b206c2781e",
    "kiDgUIcaC7c4YaIcLCJeq4kS7rK",
)
SHA = "ab" * 32
ROCKET = "https://github.com/nasa/rockets/blob/" + "0" * 40 + "/saturn v.obj"


def index_rows() -> pa.Table:
    def row(uid: str, **known: object) -> dict:
        texts = dict.fromkeys(INDEX.names, "") | {"tags": [], "source": "test", "split": "train", "shard": None}
        return texts | {"uid": uid, "origin_uri": f"https://sketchfab.com/3d-models/{uid}"} | known

    rows = [
        row(CHAIR, name="chair", tags=["red"], license="CC-BY-4.0"),
        row(TABLE, name="table"),
        row(ODD, name="odd"),
        row("github-1", sha256=SHA, origin_uri=ROCKET, name="rocket"),
    ]
    return table_from_rows(rows, INDEX)


def joined(tables: object = "", where: str = "") -> tuple[dict[str, dict], JoinReport]:
    """Annotations by name of the objects that are kept, and the report."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "scratch")
        try:
            with JoinedTables(AssetsConfig(annotations=str(tables), where=where), scratch) as tables_:
                kept = pa.concat_tables([tables_.apply(index_rows().slice(start, 2)) for start in (0, 2)])
                report = tables_.report()
        finally:
            assert not list(scratch.rglob("*"))
    assert kept.schema == INDEX
    texts = kept.select(["name", "annotations"]).to_pylist()
    return {row["name"]: json.loads(row["annotations"] or "{}") for row in texts}, report


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


CSV = f"UID,score,is_transparent,name\n{CHAIR},5.5,True,Stuhl\n{TABLE},nan,False,\nnobody,1,False,x\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_csv_of_any_delimiter(tmp_path, delimiter, ending, caplog):
    path = tmp_path / f"My table.{ending}"
    content = CSV.replace(",", delimiter).encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    annotations, report = joined(path)
    assert annotations == {
        "chair": {"is_transparent": True, "my_table_name": "Stuhl", "score": 5.5},
        "table": {"is_transparent": False},  # NaN and the empty text are not known
        "odd": {},
        "rocket": {},
    }
    assert "column name of my_table is called my_table_name" in caplog.text
    (table,) = report.tables
    assert (table.name, table.rows, table.keys, table.matched, table.license) == ("my_table", 3, 3, 2, "")
    assert table.columns == ("score", "is_transparent", "my_table_name") and table.path == str(path)


def test_headerless_captions_whose_keys_are_mixed(tmp_path):
    path = write(
        tmp_path / "Cap3D_automated_Objaverse_full.csv",
        f'{ODD},an odd thing\n{SHA.upper()},"a rocket, ""big""\nand white"\n{CHAIR},NA\n',
    )
    annotations, report = joined(f"cap3d:{path}")
    assert annotations["odd"] == {"caption": "an odd thing"}
    assert annotations["rocket"] == {"caption": 'a rocket, "big"\nand white'}
    assert annotations["chair"] == {"caption": "NA"}
    assert report.tables[0].license == "ODC-By-1.0" and "Luo" in report.tables[0].citation
    assert joined(path)[0] == annotations  # its form is enough


def test_a_table_of_two_files_finds_by_sha256_and_by_file_identifier(tmp_path):
    header = "sha256,file_identifier,aesthetic_score,captions\n"
    captions = json.dumps(["a chair", "a red chair"]).replace('"', '""')
    first = write(
        tmp_path / "ObjaverseXL_sketchfab.csv",
        f'{header}{"cd" * 32},https://sketchfab.com/3d-models/{CHAIR},6.25,"{captions}"\n',
    )
    second = write(tmp_path / "ObjaverseXL_github.csv", f"{header}{SHA},https://elsewhere,4,\n")
    annotations, report = joined(f"trellis500k:{first},TRELLIS500K:{second}")
    assert annotations["chair"] == {"aesthetic_score": 6.25, "captions": ["a chair", "a red chair"]}
    assert annotations["rocket"] == {"aesthetic_score": 4.0}
    assert (report.tables[0].license, report.tables[0].rows, report.tables[0].keys) == ("MIT", 2, 4)
    kept, report = joined(f"trellis500k:{first},trellis500k:{second}", "aesthetic_score > 5 and len(captions) = 2")
    assert list(kept) == ["chair"] and report.left_out == 3


QUALITY = [
    {"UID": CHAIR, "score": 3, "style": "realistic", "is_scene": "false", "is_transparent": "false"},
    {"UID": TABLE, "score": 1, "style": "other", "is_scene": "true", "is_transparent": "false"},
    {"UID": ODD, "score": 0, "style": None, "is_scene": "false", "is_transparent": "true"},
]


@pytest.mark.parametrize("form", ["json", "jsonl", "json.gz", "parquet"])
def test_flags_that_are_texts_become_booleans(tmp_path, form):
    path = tmp_path / f"annotated_800k.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(QUALITY), path)
    elif form == "jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in QUALITY))
    else:
        content = json.dumps(QUALITY, indent=1).encode()
        path.write_bytes(gzip.compress(content) if form.endswith("gz") else content)
    annotations, _ = joined(f"objaverse-pp:{path}", "score >= 1 and not is_transparent")
    assert annotations == {
        "chair": {"is_scene": False, "is_transparent": False, "score": 3, "style": "realistic"},
        "table": {"is_scene": True, "is_transparent": False, "score": 1, "style": "other"},
    }


def test_json_objects_by_key(tmp_path):
    captions = write(tmp_path / "caption.json", json.dumps({CHAIR: "ein Stuhl \ud83d", TABLE: 'a "table"'}, indent=2))
    metadata = {CHAIR: {"uid": CHAIR, "faces": 12, "tags": ["a", "b"], "size": {"x": 1.5, "y": float("nan")}}}
    more = write(tmp_path / "metadata.json", json.dumps(metadata))
    annotations, _ = joined(f"texverse:{captions},{more}")
    assert annotations["table"] == {"caption": 'a "table"'}
    assert annotations["chair"]["caption"].startswith("ein Stuhl")
    assert annotations["chair"]["metadata_tags"] == ["a", "b"] and annotations["chair"]["faces"] == 12
    assert annotations["chair"]["size"]["x"] == 1.5


def test_an_address_of_sketchfab_is_its_uid(tmp_path):
    rows = f"https://sketchfab.com/3d-models/a-red-chair-{CHAIR},1\nhttps://sketchfab.com/3d-models/{ODD},2\n"
    annotations, _ = joined(write(tmp_path / "t.csv", f"fileIdentifier,n\n{rows}"))
    assert annotations["chair"] == {"n": 1} and annotations["odd"] == {"n": 2}


def test_a_file_is_known_by_a_name_that_is_a_key(tmp_path):
    table = write(tmp_path / "t.csv", f"uid,n\n{CHAIR},1\n{SHA},2\nchair,3\n")
    origins = [f"some/{CHAIR}.glb", f"{SHA}.obj", "chair.glb", f"https://elsewhere/{CHAIR}.glb"]
    rows = pa.concat_tables([index_rows().slice(1, 1)] * 4)
    rows = rows.set_column(INDEX.get_field_index("origin_uri"), INDEX.field("origin_uri"), pa.array(origins))
    with JoinedTables(AssetsConfig(annotations=str(table)), tmp_path) as tables:
        assert tables.apply(rows).column("annotations").to_pylist() == ['{"n":1}', '{"n":2}', "{}", "{}"]


def test_every_file_of_a_table_needs_a_key(tmp_path):
    one = write(tmp_path / "one.csv", f"uid,caption\n{CHAIR},1\n")
    two = write(tmp_path / "two.csv", "id,caption\nx,1\n")
    with pytest.raises(ConfigError, match="two.csv: the table has neither of the columns"):
        joined(f"cap3d:{one},cap3d:{two}")


def test_lvis_is_turned_round(tmp_path):
    path = tmp_path / "lvis-annotations.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"stool": [CHAIR], "armchair": [CHAIR, TABLE]}).encode()))
    annotations, _ = joined(f"lvis:{path}")
    assert annotations["chair"] == annotations["table"] == {"lvis_label": "armchair"}  # the first by name


def test_lvis_of_another_form_is_told(tmp_path):
    path = write(tmp_path / "captions.json", json.dumps({CHAIR: "a chair"}))
    with pytest.raises(ConfigError, match=f"captions.json: the table cannot be read .'{CHAIR}' has no list of keys"):
        joined(f"lvis:{path}")


def test_columns_of_two_tables_are_told_apart_whatever_their_order(tmp_path, caplog):
    one = write(tmp_path / "a.csv", f"{CHAIR},one chair\n")
    two = write(tmp_path / "b.csv", f"uid,Caption,score\n{CHAIR},two,1\n")
    expected = {"caption": "one chair", "Caption": "two", "score": 1}
    for tables in (f"cap3d:{one},{two}", f"{two},cap3d:{one}"):
        annotations, _ = joined(tables)
        assert annotations["chair"] == {"b_Caption": "two", "cap3d_caption": "one chair", "score": 1} != expected


def test_the_text_is_the_same_every_time_and_plain_json(tmp_path):
    path = tmp_path / "b.parquet"
    columns = {
        "uid": [CHAIR],
        "z": pa.array([5.4], pa.float32()),
        "a": pa.array([[1.0, float("nan"), float("inf")]]),
        "ü\"'": ["é\u2028'\"\\"],
        "when": pa.array([0], pa.date32()),
        "whole": pa.array([2**53], pa.int64()),
        "nothing": pa.array([None], pa.string()),
        "picture": [b"\x00"],
    }
    pq.write_table(pa.table(columns), path)
    with JoinedTables(AssetsConfig(annotations=str(path)), tmp_path) as tables:
        text = tables.apply(index_rows()).column("annotations")[0].as_py()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [1.0, None, None],
        "when": "1970-01-01",
        "whole": 2**53,
        "z": 5.4,
        "ü\"'": "é\u2028'\"\\",
    }
    assert list(json.loads(text)) == ["a", "when", "whole", "z", "ü\"'"]


def test_a_key_twice_counts_once_and_is_told(tmp_path, caplog):
    path = write(tmp_path / "t.csv", f"uid,n\n{CHAIR},1\n{CHAIR},2\n{CHAIR},3\n,4\n")
    annotations, report = joined(path)
    assert annotations["chair"] == {"n": 1}
    assert "2 rows have a key that a row before them has; the first counts" in caplog.text
    assert (report.tables[0].rows, report.tables[0].keys) == (4, 1)


def test_a_table_that_matches_nothing_is_warned_of(tmp_path, caplog):
    _, report = joined(write(tmp_path / "t.csv", "uid,n\nnobody,1\n"))
    assert report.tables[0].matched == 0
    assert "t.csv matches none of 4 objects by its 1 keys" in caplog.text


def test_an_empty_table_is_one(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"uid": pa.array([], pa.string()), "n": pa.array([], pa.int64())}), path)
    annotations, report = joined(path)
    assert not any(annotations.values()) and report.tables[0].rows == 0


def test_too_long_texts_are_left_out_and_counted(tmp_path, caplog):
    row = {"uid": CHAIR, "a": "x" * MAX_CHARACTERS, "b": "é" * 10, "c": 1}
    annotations, _ = joined(write(tmp_path / "t.jsonl", json.dumps(row) + "\n"))
    assert annotations["chair"] == {"b": "é" * 10, "c": 1}
    assert f"1 objects have more than {MAX_CHARACTERS} characters" in caplog.text


def test_many_rows_and_batches_keep_their_order(tmp_path):
    uids = [f"{number:032x}" for number in range(150_000)]
    pq.write_table(pa.table({"uid": uids[::-1], "n": list(range(150_000))[::-1]}), tmp_path / "t.parquet")
    base = index_rows().slice(0, 1)
    rows = pa.concat_tables([base] * 3).set_column(0, INDEX.field("uid"), pa.array([uids[-1], "?", uids[7]]))
    with JoinedTables(AssetsConfig(annotations=str(tmp_path / "t.parquet")), tmp_path) as tables:
        assert tables.apply(rows).column("annotations").to_pylist() == ['{"n":149999}', "{}", '{"n":7}']


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "id,caption\n1,x\n", "neither of the columns uid, sha256, file_identifier, only id, caption"),
        ("t.csv", f"uid\n{CHAIR}\n", "0 columns beside the key"),
        ("t.csv", "", "it is empty"),
        ("t.csv", f'uid,a\n{CHAIR},"never closed\n', "cannot be read"),
        ("t.csv", f"uid,a\n{CHAIR},1,2,3,4\n", "cannot be read"),
        ("t.parquet", "PAR1", "cannot be read"),
        ("t.json", '{"' + CHAIR + '": "cut', "cannot be read"),
        ("t.json", "<html>", "cannot be read"),
        ("t.jsonl", '{"uid": 1', "cannot be read"),
        ("t.csv.gz", "no gzip", "cannot be read"),
        ("t.xlsx", "x", "a table ends in .csv"),
    ],
)
def test_tables_that_cannot_be_joined(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(ConfigError, match=message) as error:
        joined(path)
    assert str(error.value).startswith(f"assets.annotations: {path}: ") and "\n" not in str(error.value)


def test_names_and_places_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no table is known as 'cap4d'; known: cap3d, trellis500k"):
        joined(f"cap4d:{tmp_path / 't.csv'}")
    with pytest.raises(ConfigError, match="there is no such table"):
        joined(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match="trellis500k?.*wanted: aesthetic_score, captions"):
        joined(f"trellis500k:{write(tmp_path / 'trellis500k.csv', f'uid,other{chr(10)}{CHAIR},1{chr(10)}')}")


def test_a_path_is_no_pattern(tmp_path):
    folder = tmp_path / "year=2024" / "a[1]*"
    folder.mkdir(parents=True)
    annotations, _ = joined(write(folder / "t?.csv", f"uid,n\n{CHAIR},1\n"))
    assert annotations["chair"] == {"n": 1}


def test_a_table_in_a_bucket(tmp_path):
    import fsspec

    with fsspec.open("memory://tables/t.csv.gz", "wb") as file:
        file.write(gzip.compress(f"uid,n\n{CHAIR},1\n".encode()))
    annotations, report = joined("memory://tables/t.csv.gz")
    assert annotations["chair"] == {"n": 1} and report.tables[0].path == "memory://tables/t.csv.gz"


def test_without_duckdb_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"need the Python package 'duckdb': pip install 'clip-gs-corpus\[tables\]'"):
        joined(where="true")
    assert len(joined()[0]) == 4  # nothing asked for, nothing needed


def test_where_alone_needs_no_table(caplog):
    with caplog.at_level(logging.WARNING):
        kept, report = joined(where="license like 'CC-BY%' or 'rocket' = name")
    assert list(kept) == ["chair", "rocket"] and report == JoinReport((), 2)
    assert "assets.where leaves out 2 of 4 objects" in caplog.text
