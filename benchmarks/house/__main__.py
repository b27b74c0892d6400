"""What the rooms have changed: counts of the source tree at a commit, and of the working tree.

    python -m benchmarks.house [--before REV]

Of the five packages of the product (files at the top: of benchmarks too). A room is a folder with Python files; an
entry, a file or folder at the top of pipeline. An arrow is a pair of them of which one imports from the other, inside
functions and for types too. `circles` are groups of files that import each other around when the code runs,
`circles_with_types` count imports under TYPE_CHECKING as well. `code_lines` are those without blank lines, comments and
docstrings. mypy checks both trees by today's rules.

Writes house.json.
"""

import argparse
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from benchmarks.house.tree import TreeFigures, measure_tree
from benchmarks.house.typing_errors import BEFORE_ROOMS, count_typing_errors
from benchmarks.record import ROOT, record

LAST_WITHOUT_ROOMS = "dd180fe"


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default=LAST_WITHOUT_ROOMS, metavar="REV", help="a commit without rooms")
    revision = parser.parse_args().before
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        extract(revision, Path(folder))
        before = measure_tree(Path(folder))
        before.figures["mypy_errors"] = count_typing_errors(Path(folder), pyproject, BEFORE_ROOMS)
    after = measure_tree(ROOT)
    after.figures["mypy_errors"] = count_typing_errors(ROOT, pyproject, {})
    figures = {
        f"{when}_{key}": tree.figures[key]
        for key in before.figures
        for when, tree in (("before", before), ("after", after))
    }
    told = __doc__.split("\n\n")[2].replace("\n", " ")
    record("house", figures, notes=f"{told} Before ({revision}): {_named(before)} After: {_named(after)}")


def extract(revision: str, folder: Path) -> None:
    """Put the files of a commit into a folder.

    Raises:
        subprocess.CalledProcessError: there is no such commit.
    """
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def _named(tree: TreeFigures) -> str:
    circles = "; ".join(", ".join(group) for group in tree.circles)
    return f"largest file {tree.largest_file}; circles: {circles or 'none'}."


if __name__ == "__main__":
    main()
