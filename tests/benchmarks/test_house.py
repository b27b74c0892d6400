"""The house is counted as its words say: rooms, arrows, circles, lines of code, errors of types."""

import textwrap

import pytest

from benchmarks.house.code_lines import count_code_lines
from benchmarks.house.tree import PRODUCT, measure_tree
from benchmarks.house.typing_errors import BEFORE_ROOMS, count_typing_errors, rules_for
from benchmarks.record import ROOT

RULES = f"""
[tool.mypy]
files = {list(PRODUCT)}
strict = true
[[tool.mypy.overrides]]
module = ["render.rooms.kernel"]
ignore_errors = true
"""


@pytest.fixture
def tree(tmp_path):
    files = {
        "pipeline/run.py": "from pipeline.store import rows\nfrom pipeline import view\n",
        "pipeline/view.py": "def f() -> None:\n    import pipeline.store.rows\n    import pipeline.store.schema\n",
        "pipeline/store/__init__.py": "",
        "pipeline/store/rows.py": "from pipeline.store.schema import A\n",
        "pipeline/store/schema.py": (
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from pipeline.store import rows\nA = 1\n"
        ),
        "render/kernel.py": "def area(a, b):\n    return a * b\n",
        **{f"{package}/__init__.py": "" for package in (*PRODUCT, "benchmarks")},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_rooms_arrows_and_circles(tree):
    measured = measure_tree(tree)
    figures = measured.figures
    assert (figures["files_at_top_pipeline"], figures["files_at_top_render"], figures["files"]) == (3, 2, 11)
    assert (figures["rooms"], figures["entries_pipeline"]) == (6, 4)
    # run -> rows, run -> view, view -> rows, view -> schema, rows -> schema, schema -> rows
    assert figures["arrows_between_files"] == 6
    assert figures["arrows_between_entries_pipeline"] == 3
    assert figures["arrows_between_rooms"] == 1
    assert (figures["circles"], figures["circles_with_types"]) == (0, 1)
    assert measured.circles == [["pipeline.store.rows", "pipeline.store.schema"]]
    assert (measured.largest_file, figures["largest_file_lines"]) == ("pipeline/store/schema.py", 5)


def test_lines_of_code():
    source = '''
        """A docstring
        of two lines."""

        import os  # with a comment

        # a comment
        TEXT = """no
        docstring"""


        def f():
            """One line."""
            return (
                os.sep
            )
    '''
    assert count_code_lines(textwrap.dedent(source)) == 1 + 2 + 1 + 3


def test_errors_of_types_by_the_names_that_modules_have_there(tree):
    assert count_typing_errors(tree, RULES, {"render.rooms.kernel": ["render.kernel"]}) == 0
    assert count_typing_errors(tree, RULES, {}) == 1
    with pytest.raises(ValueError, match="no rule for render.gone"):
        rules_for(RULES, {"render.gone": ["render.kernel"]})


def test_the_rules_of_today_can_be_told_to_the_tree_without_rooms():
    rules = rules_for((ROOT / "pyproject.toml").read_text(encoding="utf-8"), BEFORE_ROOMS)
    assert '"fit_gaussians.rasterize.simd.*"' in rules and "rasterize.kernels" not in rules.partition("[tool.cov")[0]
