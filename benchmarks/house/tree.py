"""The figures of a source tree: rooms, arrows, circles and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.house.code_lines import count_code_lines
from benchmarks.house.imports import circles, module_name, read_imports

PRODUCT = ("pipeline", "render", "fit_gaussians", "caption", "model")

Arrows = set[tuple[str, str]]


@dataclass(frozen=True)
class TreeFigures:
    figures: dict[str, int]
    largest_file: str  # relative to the tree's root
    circles: list[list[str]]  # modules that import each other around, imports for types included


def measure_tree(root: Path) -> TreeFigures:
    """Count what the page of results shows of the tree at `root`.

    A room is a folder with Python files; an entry, a file or a folder at the top of a package. Arrows are counted once
    for each pair, imports inside functions and under TYPE_CHECKING included.

    Raises:
        SyntaxError: a file is not Python.
    """
    figures = {f"files_at_top_{package}": _files_at_top(root / package) for package in (*PRODUCT, "benchmarks")}
    files = [path for package in PRODUCT for path in sorted((root / package).rglob("*.py"))]
    modules = {module_name(root, path): path.relative_to(root) for path in files}
    imports = [found for package in PRODUCT for found in read_imports(root, package)]
    arrows = {(found.module, found.target) for found in imports if found.target in modules}
    figures["rooms"] = len({path.parent for path in files})
    figures["arrows_between_rooms"] = len(_between((str(modules[a].parent), str(modules[b].parent)) for a, b in arrows))
    figures["arrows_between_files"] = len(arrows)
    entries = {module: _entry(path) for module, path in modules.items() if path.parts[0] == "pipeline"}
    within = ((entries[a], entries[b]) for a, b in arrows if a in entries and b in entries)
    figures["entries_pipeline"] = len(set(entries.values()))
    figures["arrows_between_entries_pipeline"] = len(_between(within))

    run, with_types = circles(imports), circles([replace(found, for_types=False) for found in imports])
    figures |= {"circles": len(run), "circles_with_types": len(with_types)}
    figures["files_in_circles_with_types"] = sum(len(group) for group in with_types)

    sources = {path: path.read_text(encoding="utf-8") for path in files}
    sizes = {path: source.count("\n") for path, source in sources.items()}
    largest = max(files, key=sizes.__getitem__)
    figures["files"] = len(files)
    figures["largest_file_lines"] = sizes[largest]
    figures["lines"] = sum(sizes.values())
    figures["code_lines"] = sum(count_code_lines(source) for source in sources.values())
    return TreeFigures(figures, str(largest.relative_to(root)), with_types)


def _files_at_top(package: Path) -> int:
    return len(list(package.glob("*.py")))


def _entry(path: Path) -> str:
    """pipeline/store/rows.py -> pipeline/store; pipeline/run.py stays."""
    return "/".join(path.parts[:2])


def _between(arrows: Iterable[tuple[str, str]]) -> Arrows:
    return {(source, target) for source, target in arrows if source != target}
