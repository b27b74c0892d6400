"""The law of the house: who may import whom. docs/architecture.md draws it and says why.

Imports are read from the syntax tree, those inside functions too; what stands under `if TYPE_CHECKING:` is not run and
does not count as an import of a package, but it does count for rooms of one package: a type is a dependency as well.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from benchmarks.house.imports import Import, circles, read_imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "render", "fit_gaussians", "caption", "model")

# A room of pipeline -> the rooms that it may import. From the ground up: each line names rooms of the lines above it.
ROOMS = {
    "pipeline.base": [],
    "pipeline.compat": [],
    "pipeline.values": ["base"],
    "pipeline.store": ["base", "values"],
    "pipeline.reading": ["base", "values", "store"],
    "pipeline.stages": ["base", "store"],
    "pipeline.assets": ["base", "values", "store", "stages"],
    "pipeline.pack": ["base", "values", "store", "stages"],
    "pipeline.state": ["base", "values", "store", "stages", "assets", "pack"],
    "pipeline.report": ["base", "compat", "values", "store", "reading", "stages", "state"],
    "pipeline.work": ["base", "store", "stages", "state"],
    "pipeline.executors": ["base", "store", "stages", "work"],
    "pipeline.command": ["base", "store", "reading", "stages", "state", "work"],
    # What people call; nothing imports these two, and tests alone import `pipeline` itself.
    "pipeline.run": ["base", "store", "stages", "state", "work", "executors", "command"],
    "pipeline.view": ["base", "values", "reading", "report"],
}

# What the four packages may know of pipeline: how to be a stage, and what flows between stages.
SHARED = ["pipeline.base.*", "pipeline.compat.*", "pipeline.values.*", "pipeline.store.*", "pipeline.stages.stage"]
ALSO = {
    "model": ["pipeline.reading.*", "pipeline.executors.cluster", "caption.encoders", "fit_gaussians.rasterize"],
    "render": [],
    "fit_gaussians": [],
    "caption": [],
}

# What pipeline may know of the four packages: their settings, by which `--help` answers; the rest inside functions.
# (`pipeline.stages.config` gathers the settings of pipeline's own stages too, which stand in rooms above it.)
PIPELINE_AT_THE_TOP = {"pipeline.stages.config": [f"{package}.config" for package in PACKAGES]}
PIPELINE_INSIDE_FUNCTIONS = {
    "pipeline.reading.search": ["caption.encoders"],
    "pipeline.report.*": ["caption.audit", "caption.errors", "caption.pictures.*", "fit_gaussians.draw"],
}

# Who alone knows a library.
KNOWN_BY = {
    "ray": ["pipeline.executors.*", "model.training.train"],
    "bpy": ["render.blender.worker", "render.blender.materials", "render.blender.world"],
    "blenderproc": ["render.blender.worker"],
    "gsplat": ["fit_gaussians.rasterize.gsplat_backend"],
    "numba": ["fit_gaussians.rasterize.kernels.*", "render.raster.kernels", "render.raster.occlusion"],
    "torch": [
        "model.*",
        "fit_gaussians.*",
        "caption.captioners.vlm",
        "caption.encoders.*",
        "caption.stage",
        "caption.embed_stage",
        "caption.weights",
        "pipeline.compat.*",
        "pipeline.reading.torch_stream",
    ],
    "fsspec": ["pipeline.store.*", "pipeline.assets.*"],
    "duckdb": ["pipeline.assets.*"],
}


@pytest.fixture(scope="module")
def product() -> list[Import]:
    return [found for package in PACKAGES for found in read_imports(ROOT, package)]


def matches(module: str, patterns: list[str]) -> bool:
    """Whether a module is one of those named, or lies in a package that `package.*` names."""
    return any(fnmatch(module, pattern) or fnmatch(module, pattern.removesuffix(".*")) for pattern in patterns)


def room_of(module: str) -> str:
    """pipeline.store.rows -> pipeline.store; pipeline.run stays."""
    return ".".join(module.split(".")[:2])


def lines(broken: list[Import]) -> list[str]:
    return [f"{found.file}:{found.line} imports {found.target}" for found in broken]


def test_every_room_of_pipeline_imports_only_rooms_below_it(product):
    within = [found for found in product if found.module.startswith("pipeline.") and "." in found.target]
    within = [found for found in within if found.target.startswith("pipeline.")]
    broken = [
        found
        for found in within
        if room_of(found.target) != room_of(found.module)
        and not (found.module == "pipeline.stages.config" and found.target.endswith(".config"))
        and room_of(found.target).removeprefix("pipeline.") not in ROOMS[room_of(found.module)]
    ]
    assert len(within) > 200  # the test sees something
    assert not lines(broken)


def test_the_table_of_rooms_goes_from_the_ground_up():
    seen: set[str] = set()
    for room, below in ROOMS.items():
        assert set(below) <= seen, f"{room} names a room that is not above its line"
        seen.add(room.removeprefix("pipeline."))


def test_the_four_packages_know_only_what_is_shared(product):
    broken = []
    for found in product:
        package, target = found.module.partition(".")[0], found.target.partition(".")[0]
        if package == "pipeline" or target == package or target not in PACKAGES or found.for_types:
            continue
        if not matches(found.target, SHARED + ALSO[package]):
            broken.append(found)
    assert not lines(broken)


def test_pipeline_knows_the_four_packages_by_their_settings_and_inside_functions(product):
    broken = []
    for found in product:
        if found.module.partition(".")[0] != "pipeline" or found.target.partition(".")[0] not in PACKAGES[1:]:
            continue
        if found.for_types:
            continue
        rules = PIPELINE_INSIDE_FUNCTIONS if found.inside_function else PIPELINE_AT_THE_TOP
        allowed = [target for module, targets in rules.items() if matches(found.module, [module]) for target in targets]
        if not matches(found.target, allowed):
            broken.append(found)
    assert not lines(broken)


def test_no_circle_between_files(product):
    assert not circles(product)


@pytest.mark.parametrize("library", KNOWN_BY)
def test_who_alone_knows_a_library(product, library):
    knowing = [found for found in product if found.target.partition(".")[0] == library and not found.for_types]
    assert knowing, f"nobody imports {library}: strike it from the table"
    assert not lines([found for found in knowing if not matches(found.module, KNOWN_BY[library])])


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks", "fakes", "workflows"])
def test_nothing_but_tests_imports_tests(package):
    strangers = {"tests"} if package not in PACKAGES else {"tests", "fakes", "benchmarks"}
    broken = [found for found in read_imports(ROOT, package) if found.target.partition(".")[0] in strangers]
    assert not lines(broken)


def test_buckets_are_reached_through_the_store_alone():
    """A call to the filesystem elsewhere would skip the handling of a store that does not answer."""
    broken = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not path.is_relative_to(ROOT / "pipeline" / "store")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\.filesystem\b", line)
    ]
    assert not broken


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_on_the_page(package):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    assert not [room for room in sorted(rooms) if f"`{room}/`" not in page]
