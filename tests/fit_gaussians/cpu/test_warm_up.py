"""One process compiles for all workers, once."""

import subprocess
import sys

from fit_gaussians.config import FitConfig
from fit_gaussians.cpu import warm_up


class CacheFolder:
    def __init__(self, folder):
        self.cache_path = folder


class Kernel:
    def __init__(self, folder):
        self.stats = CacheFolder(folder)


def test_compiles_once(tmp_path, monkeypatch):
    """What was compiled is noted beside the cache (another folder than the kernels' own, which may be warm already)."""
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess_run(command, **options)

    subprocess_run = subprocess.run
    monkeypatch.setattr(warm_up.subprocess, "run", run)
    monkeypatch.setattr(warm_up, "project", Kernel(str(tmp_path)))
    warm_up.compile_kernels(FitConfig())
    warm_up.compile_kernels(FitConfig(num_gaussians=5))
    assert len(commands) == 1
    assert len(list(tmp_path.glob("compiled-*"))) == 1
    warm_up.compile_kernels(FitConfig(sh_degree=1))
    assert len(commands) == 2
    assert len(list(tmp_path.glob("compiled-*"))) == 2


def test_a_failure_is_told_and_not_noted(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(warm_up, "project", Kernel(str(tmp_path)))
    monkeypatch.setattr(warm_up.sys, "executable", "false")
    warm_up.compile_kernels(FitConfig())
    assert "every worker compiles for itself" in caplog.text
    assert not list(tmp_path.glob("compiled-*"))


def test_no_folder_for_a_cache(monkeypatch):
    monkeypatch.setattr(warm_up, "project", Kernel(None))
    monkeypatch.setattr(warm_up.sys, "executable", "false")
    warm_up.compile_kernels(FitConfig())


SIGNATURES_OF_A_FIT = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from fit_gaussians.config import FitConfig
from fit_gaussians.stage import FitStage
from fit_gaussians.cpu.warm_up import fit_a_square
from pipeline.stages.stage import StageContext
from tests.fit_gaussians.scenes import sphere_row

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("fit_gaussians.rasterize")]
    kernels = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {(kernel.__name__, signature) for kernel in kernels for signature in kernel.signatures}

row = sphere_row()
rest = compiled()  # drawing the sphere's views needs kernels too
fit_a_square(1)
before = compiled()
stage = FitStage(FitConfig(num_gaussians=50, iterations=6, sh_degree=1, backend="numba"), StageContext(None, Path(), 1))
(result,) = stage.process([row])
assert isinstance(result, dict), result
assert len(before - rest) > 5 and compiled() == before, compiled() - before
"""


def test_a_fit_needs_nothing_else():
    subprocess.run([sys.executable, "-c", SIGNATURES_OF_A_FIT], check=True)
