"""A result that several scripts make together tells of each figure which command made it."""

import json

import pytest

from benchmarks import record as module
from benchmarks.capability import capability, vectors

CAPABILITY = {"vector": "AVX2", "vector_bits": 256, "lanes": 8, "cores": 4, "limit_256_ms": 0.75}


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """The real one is measured once, below."""
    monkeypatch.setattr(module, "capability", lambda: CAPABILITY)


def test_a_part_replaces_its_own_figures_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    for script, figures in (
        ("-m benchmarks.faults", {"lost": 0, "rounds": 20}),
        ("-m benchmarks.scale", {"seconds": 9.5, "gone": 1}),
        ("-m benchmarks.scale", {"seconds": 7.5}),
    ):
        monkeypatch.setattr(module, "_module_or_script", lambda script=script: script)
        path = module.record("cluster", figures, notes=f"of {script}", part=script.rpartition(".")[2])

    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["figures"] == {"lost": 0, "rounds": 20, "seconds": 7.5}
    assert {name: part["keys"] for name, part in result["parts"].items()} == {
        "faults": ["lost", "rounds"],
        "scale": ["seconds"],
    }
    assert result["parts"]["faults"]["command"].startswith("python -m benchmarks.faults")
    assert module.todays_command("python -m benchmarks.scale -n 2; python -m benchmarks.cluster") == (
        "python -m benchmarks.cluster.scale -n 2; python -m benchmarks.cluster"
    )
    assert "benchmarks.faults" in result["command"] and "benchmarks.scale" in result["command"]
    assert [part["capability"] for part in result["parts"].values()] == [CAPABILITY, CAPABILITY]

    module.write_page()
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.index("### faults") < page.index("| lost | 0 |") < page.index("### scale") < page.index("| seconds |")
    assert "AVX2, reference 0.75 ms" in page


def test_figures_of_before_there_were_parts_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    module.record("render", {"old": 1, "moved": 2}, notes="as one")
    result = json.loads(module.record("render", {"moved": 3}, part="blender").read_text(encoding="utf-8"))
    assert result["figures"] == {"old": 1, "moved": 3}
    assert result["parts"][""]["notes"] == "as one" and result["parts"][""]["keys"] == ["old"]


def test_a_result_of_before_says_only_its_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    old = {"machine": "a box", "command": "python -m benchmarks.raster", "commit": "1", "figures": {"a_ms": 2}}
    (tmp_path / "raster.json").write_text(json.dumps(old), encoding="utf-8")
    module.write_page()
    assert "`python -m benchmarks.fit.raster` at 1 on a box\n" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_what_this_machine_can_do():
    can = capability()
    assert can["lanes"] * 32 >= can["vector_bits"] and can["cores"] >= 1
    assert 0.01 < can["limit_256_ms"] < 100


@pytest.mark.parametrize(
    ("architecture", "features", "expected"),
    [
        ("x86_64", "+avx2,+avx512f", ("AVX-512", 512)),
        ("x86_64", "+avx2,-avx512f", ("AVX2", 256)),
        ("x86_64", "+sse2", ("SSE", 128)),
        ("aarch64", "+neon", ("NEON", 128)),
    ],
)
def test_vectors_of_processors(architecture, features, expected):
    assert vectors(architecture, features) == expected
