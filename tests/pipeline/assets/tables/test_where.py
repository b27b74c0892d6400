"""What `assets.where` may say, and the line that refuses the rest."""

import re

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.tables.joined_tables import JoinedTables
from pipeline.base.errors import ConfigError
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import INDEX


def kept(tmp_path, where: str) -> list[str]:
    table = tmp_path / "t.csv"
    table.write_text("uid,aesthetic_score,is_transparent,code\na,6,False,x\nb,5,True,1\nc,,False,2\n", encoding="utf-8")
    texts = dict.fromkeys(INDEX.names, "") | {"tags": ["red", "old"], "shard": None, "source": "test"}
    rows = table_from_rows([texts | {"uid": uid, "name": f"object {uid}"} for uid in "abcd"], INDEX)
    with JoinedTables(AssetsConfig(annotations=str(table), where=where), tmp_path / "scratch") as tables:
        return tables.apply(rows).column("uid").to_pylist()


@pytest.mark.parametrize(
    ("where", "uids"),
    [
        ("aesthetic_score >= 5.5 and not is_transparent", "a"),
        ("Aesthetic_Score between 5 and 6", "ab"),
        ("not is_transparent", "ac"),  # of d it is not known
        ("aesthetic_score is null -- not scored", "cd"),
        ("'red' in tags and name = 'object d'", "d"),
        ("list_contains(list_transform(tags, lambda tag: upper(tag)), 'OLD')", "abcd"),
        ("case when uid = 'a' then true else regexp_matches(name, 'b$') end", "ab"),
        ("uid in ('a', 'd') and source = 'test' and lvis_category = '' and sha256 = ''", "ad"),
        ("null::boolean", ""),
    ],
)
def test_expressions(tmp_path, where, uids):
    assert kept(tmp_path, where) == list(uids)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("aesthetic >= 5", "there is no column 'aesthetic'; close ones: aesthetic_score"),
        (
            "zzz",
            "there is no column 'zzz'; there are: uid, name, tags, .*, sha256, aesthetic_score, is_transparent, code",
        ),
        ("details = ''", "there is no column 'details'"),
        ("aesthetic_score >=", "it is not an SQL expression: syntax error"),
        ("aesthetic_score", "the expression gives bigint, not true or false"),
        ("name", "the expression gives varchar, not true or false"),
        ("null", "the expression gives .*, not true or false"),
        ("true; drop table joined", "it must be one expression"),
        ("true, false", "it must be one expression"),
        ("true) or (true", "it is not an SQL expression"),
        ("true from read_csv('/etc/passwd')", "it must be one expression"),
        ("true as yes", "it is not an SQL expression"),
        ("exists (select 1 from read_csv('/etc/passwd'))", "holds a subquery"),
        ("uid in (select 'a')", "holds a subquery"),
        ("count(*) > 1", "aggregate|holds a star"),
        ("sum(aesthetic_score) > 1", "aggregate"),
        ("row_number() over () = 1", "holds a window"),
        ("$1 = 2", "holds a parameter"),
        ("columns(*) is null", "holds a star"),
        ("random() > 0.5", "random is another each time"),
        ("now() > '2020-01-01'", "now is another each time"),
        ("current_date > '2020-01-01'", "current_date is another each time"),
        ("nofunction(uid)", "Scalar Function with name nofunction does not exist"),
        ("uid = 1 + [2]", "."),
        ("code::int > 1", "Could not convert string 'x' to INT32"),
        pytest.param("not " * 5000 + "true", "too deep|depth", id="deep"),
        ("", None),
    ],
)
def test_what_is_refused_in_one_line(tmp_path, where, line):
    if line is None:
        assert kept(tmp_path, where) == list("abcd")
        return
    with pytest.raises(ConfigError, match=f"^assets.where: .*({line})") as error:
        kept(tmp_path, where)
    assert "\n" not in str(error.value) and not re.search("LINE|joined", str(error.value))


def test_no_file_can_be_read_or_written(tmp_path):
    """Even if an expression got through, DuckDB itself has no way out."""
    with JoinedTables(AssetsConfig(where="true"), tmp_path) as tables:
        for statement in (
            "SELECT * FROM read_csv('/etc/passwd')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
            f"ATTACH '{tmp_path / 'x.duckdb'}'",
        ):
            with pytest.raises(Exception, match="disabled|locked|Permission"):
                tables._connection.execute(statement)
