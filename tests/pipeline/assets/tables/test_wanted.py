"""Which objects of a list a dataset has."""

import pytest

from pipeline.assets.sources import Unplanned
from pipeline.assets.tables.wanted import Wanted
from pipeline.base.errors import ConfigError


@pytest.fixture
def wanted(tmp_path):
    def make(*names: str) -> Wanted:
        file = tmp_path / "list.txt"
        file.write_text("\n".join(names))
        return Wanted(str(file), "assets.objects")

    return make


def test_strangers_are_told_and_noted(wanted, caplog):
    of = wanted("Oak", "oak", "other", "beech", "oak")
    assert "assets.objects: 1 names are there more than once, oak is the first" in caplog.text
    assert [of.has(name) for name in ("Oak", "oak", "OAK")] == [True, True, False]
    assert of.has("x", "beech")
    unplanned = Unplanned()
    of.conclude("Objaverse 1.0", unplanned)
    assert unplanned.entries == ["other"]
    assert unplanned.reasons == ["assets.objects names it, but it is not in Objaverse 1.0"]
    assert "assets.objects: 1 of the 4 names in the list are not in Objaverse 1.0, 'other' is the first" in caplog.text


def test_a_list_of_strangers_alone_is_a_config_error(wanted):
    of = wanted("a", "b")
    assert not of.has("c")
    with pytest.raises(ConfigError, match=r"X has none of the 2 names in the list \('a' is one\)"):
        of.conclude("X", Unplanned())
