"""No benchmark rots: every module imports, its late imports too, and whatever names a module names one that exists."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"pipeline", "render", "caption", "fit_gaussians", "model", "benchmarks", "fakes"}
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "benchmarks").rglob("*.py"))
NEEDS_BLENDER = {"benchmarks/render/blenderproc_defaults.py"}
# The changelog tells of names that are gone.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("workflows/*"),
    *ROOT.glob("benchmarks/**/*.py"),
]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports(path):
    if str(path) not in NEEDS_BLENDER:
        importlib.import_module(".".join(path.with_suffix("").parts))
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.module or node.module.split(".")[0] not in PACKAGES:
            continue
        assert not node.module.endswith("__main__"), "what others need lives beside a __main__, not in it"
        module = importlib.import_module(node.module)
        for alias in node.names:
            found = hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")
            assert found, f"{path}:{node.lineno}: {node.module} has no {alias.name}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_takes_nothing_from_the_tests(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not [name for name in names if name.split(".")[0] == "tests"]


@pytest.mark.parametrize(
    "name", ["caption", "cluster", "dataset", "demo", "fit", "hostile", "house", "render", "training"]
)
def test_is_a_command(name):
    assert (ROOT / f"benchmarks/{name}.py").exists() or (ROOT / f"benchmarks/{name}/__main__.py").exists()


def test_what_is_named_exists():
    missing = []
    for page in PAGES:
        if page.is_file():
            text = page.read_text(encoding="utf-8")
            for name in re.findall(r"(?:-m |[`\"])(benchmarks(?:\.\w+)+)(?!\w*\.json)", text):
                if not is_module(name):
                    missing.append((page.name, name))
            for file in re.findall(r"benchmarks/[\w/]+\.py", text):
                if not (ROOT / file).exists():
                    missing.append((page.name, file))
    assert not missing


def is_module(name: str) -> bool:
    """`benchmarks.cluster.scale`; `benchmarks.md` and `benchmarks.NAME` are no modules, but are meant to be none."""
    file = ROOT.joinpath(*name.split("."))
    return name.endswith((".md", ".NAME")) or file.with_suffix(".py").exists() or file.is_dir()
