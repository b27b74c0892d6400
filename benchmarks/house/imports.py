"""Which module imports which, read from the syntax tree: nothing is run."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One import of one module by another."""

    module: str  # that imports: pipeline.store.rows
    target: str  # that is imported: a module of this tree as exactly as can be told, or a library's
    file: str  # relative to the tree's root
    line: int
    inside_function: bool
    for_types: bool  # under `if TYPE_CHECKING:`, so that it is never run


def read_imports(root: Path, package: str) -> list[Import]:
    """All imports of a package's files, those inside functions too.

    Raises:
        SyntaxError: a file is not Python.
    """
    known = {module_name(root, path) for path in root.glob("*/**/*.py") if ".venv" not in path.parts}
    return [found for path in sorted((root / package).rglob("*.py")) for found in _of_file(root, path, known)]


def module_name(root: Path, path: Path) -> str:
    """ROOT/pipeline/store/rows.py -> pipeline.store.rows; a package's __init__.py -> the package."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def circles(imports: Iterable[Import]) -> list[list[str]]:
    """Groups of modules that import each other around, by whatever way (Tarjan's strongly connected components)."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for found in imports:
        if not found.for_types:
            arrows[found.module].add(found.target)
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for target in sorted(arrows.get(module, ())):
            if target not in order:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], order[target])
        if lowest[module] == order[module]:
            place = stack.index(module)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in sorted(arrows):
        if module not in order:
            visit(module)
    return groups


def _of_file(root: Path, path: Path, known: set[str]) -> Iterator[Import]:
    module = module_name(root, path)
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node, inside_function, for_types in _walk(tree, False, False):
        for target in _targets(node, known):
            if target != module:
                yield Import(module, target, str(path.relative_to(root)), node.lineno, inside_function, for_types)


def _walk(node: ast.AST, inside_function: bool, for_types: bool) -> Iterator[tuple[ast.stmt, bool, bool]]:
    """The import statements below `node`, and where they stand."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, inside_function, for_types
            continue
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _walk(child, inside_function or is_function, for_types or is_for_types)


def _targets(node: ast.stmt, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            submodule = f"{node.module}.{alias.name}"
            yield submodule if submodule in known else node.module
