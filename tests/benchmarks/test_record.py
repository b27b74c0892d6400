"""A result that several scripts make together tells of each figure which command made it."""

import json

from benchmarks import record as module


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

    module.write_page()
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert page.index("### faults") < page.index("| lost | 0 |") < page.index("### scale") < page.index("| seconds |")


def test_figures_of_before_there_were_parts_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    module.record("render", {"old": 1, "moved": 2}, notes="as one")
    result = json.loads(module.record("render", {"moved": 3}, part="blender").read_text(encoding="utf-8"))
    assert result["figures"] == {"old": 1, "moved": 3}
    assert result["parts"][""]["notes"] == "as one" and result["parts"][""]["keys"] == ["old"]
