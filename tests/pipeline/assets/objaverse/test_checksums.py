"""The checksums of Objaverse 1.0's files, from Objaverse-XL's table."""

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.sources import make_source
from pipeline.base.errors import ConfigError
from tests.pipeline.assets.objaverse_hub import FAST, Hub, uid_of
from tests.pipeline.assets.xl_hub import TABLES, table


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Hub() as hub:
        page = "https://sketchfab.com/3d-models"
        known = [(f"{page}/{uid_of(n)}", "sketchfab", "", "glb", f"{n:064x}") for n in range(5)]
        hub.files[TABLES["sketchfab"]] = table(*known, (f"{page}/{uid_of(5)}", "sketchfab", "", "glb", "no digest"))
        yield hub


@pytest.fixture
def sha256_of(hub, tmp_path):
    """What a plan knows, by uid; `names` are those of a list."""

    def plan(*names: str) -> dict[str, str]:
        (tmp_path / "list.txt").write_text("\n".join(names))
        objects = str(tmp_path / "list.txt") if names else ""
        config = AssetsConfig(source="objaverse", endpoint=hub.url, cache=str(tmp_path), objects=objects, **FAST)
        return {row["uid"]: row["sha256"] for row in make_source(config).plan()}

    return plan


def test_the_table_is_fetched_only_for_a_list_of_checksums_and_used_once_it_is_there(hub, sha256_of):
    assert set(sha256_of().values()) == {""}
    assert not hub.asked(TABLES["sketchfab"])
    assert sha256_of(f"{3:064X}", uid_of(0)) == {uid_of(3): f"{3:064x}", uid_of(0): f"{0:064x}"}
    assert sha256_of() == {uid_of(n): f"{n:064x}" if n < 5 else "" for n in range(6)}
    assert len(hub.asked(TABLES["sketchfab"])) == 1


def test_a_table_that_is_not_whole_costs_the_checksums_alone(hub, sha256_of, tmp_path, caplog):
    sha256_of(f"{3:064x}")
    (file,) = tmp_path.glob("**/sketchfab.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    assert set(sha256_of().values()) == {""}
    assert "checksums are not used" in caplog.text
    hub.files[TABLES["sketchfab"]] = b"no table"
    with pytest.raises(ConfigError, match="not a file of the dataset objaverse-xl"):
        sha256_of(f"{3:064x}")
