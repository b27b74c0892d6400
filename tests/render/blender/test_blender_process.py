"""The worker process dies, hangs and grows old; the client turns all of it into errors and goes on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import ConfigError, Timeout, WorkerCrash
from pipeline.store.full_disk import is_full
from render.blender.process import BlenderProcess, Limits
from tests.render.shapes import chair_scene

LONG = {"samples": 4096, "resolution": 512, "shading": "diffuse"}  # minutes


@pytest.fixture
def chair(tmp_path) -> Path:
    chair_scene().export(tmp_path / "chair.glb")
    return tmp_path / "chair.glb"


@pytest.fixture
def limits(blender):
    """Sets limits of the shared process for one test."""
    original = blender.limits

    def change(**values):
        blender.limits = replace(original, **values)

    yield change
    blender.limits = original


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_killed_worker_is_a_crash_and_the_next_object_works(render, blender, chair):
    before = render(chair)
    killer = threading.Timer(1.0, lambda: os.kill(blender.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(WorkerCrash, match="object chair: .*signal 9") as caught:
        render(chair, **LONG)
    assert caught.value.retryable
    assert "Sample 1/4096" in caught.value.log_tail
    after = render(chair)
    assert [image["bytes"] for image in after["images"]] == [image["bytes"] for image in before["images"]]


def test_slow_object_is_killed_at_the_time_limit_and_the_next_one_works(render, blender, chair, limits):
    render(chair)
    pid = blender.pid
    limits(timeout_s=1.0)
    started = time.monotonic()
    with pytest.raises(Timeout, match="1 s"):
        render(chair, **LONG)
    assert time.monotonic() - started < 10
    assert not is_alive(pid)
    limits(timeout_s=120)
    assert render(chair)["triangles"] == 36


def test_a_crash_on_a_full_disk_is_the_disks_fault(render, blender, chair, limits, monkeypatch):
    limits(timeout_s=0.5)
    full = shutil.disk_usage("/")._replace(free=0)
    monkeypatch.setattr("render.blender.process.shutil.disk_usage", lambda folder: full)
    with pytest.raises(OSError, match="could not write its views") as caught:
        render(chair, **LONG)
    assert is_full(caught.value)


@pytest.mark.parametrize("worn", [{"recycle_after": 1}, {"recycle_gb": 0.05}])
def test_worker_is_replaced_once_it_is_worn(render, blender, chair, limits, worn):
    """After its share of objects, or with more resident memory than it may hold on to."""
    render(chair)
    old = blender.pid
    limits(recycle_after=1000, recycle_gb=50)
    render(chair)
    assert blender.pid == old
    limits(**worn)
    render(chair)
    assert blender.pid != old
    assert not is_alive(old)


def test_nothing_is_left_behind(render, blender, chair):
    render(chair)
    with pytest.raises(Exception, match="GLB"):
        chair.write_bytes(b"broken")
        render(chair)
    assert not list(blender.folder.glob("job-*"))


def test_missing_library_stops_the_run_and_is_named(tmp_path, monkeypatch):
    (tmp_path / "bpy.py").write_text("raise ImportError('libSM.so.6: cannot open shared object file')\n")
    environment = BlenderProcess._environment
    monkeypatch.setattr(
        BlenderProcess,
        "_environment",
        lambda self: {**environment(self), "PYTHONPATH": f"{tmp_path}:{environment(self)['PYTHONPATH']}"},
    )
    process = BlenderProcess(tmp_path, Limits(1, 60, 6, 10))
    with pytest.raises(ConfigError, match="libSM.so.6"):
        process.start()
    process.close()


def test_worker_dies_with_its_parent(tmp_path):
    """Even when the parent is killed, and so cannot clean up."""
    script = """
import sys
from pathlib import Path
from render.blender.process import BlenderProcess, Limits
process = BlenderProcess(Path(sys.argv[1]), Limits(1, 60, 6, 10))
process.start()
print(process.pid, flush=True)
input()
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert is_alive(worker)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(worker)
