"""The client of `render.blender.worker`: starts it, gives it one object at a time, and kills it when it must.

Blender may hang, crash or eat the machine's memory on a broken asset. All of that stays in the worker process; here it
becomes an exception, and the next object gets a new worker.
"""

import contextlib
import errno
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import render
from pipeline.base.errors import AssetError, ConfigError, Timeout, WorkerCrash

START_TIMEOUT_S = 180
LOG_TAIL_BYTES = 4000
LEAST_FREE_BYTES = 1 << 20  # a view takes more
IMPORT_FAILURE = re.compile(r"^(?:ImportError|ModuleNotFoundError): (.*)$", re.MULTILINE)
# Of the parent's environment only this reaches Blender: no proxies, no credentials, no user's start-up files.
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True)
class Limits:
    """The limits of one Blender process."""

    threads: int
    timeout_s: float  # per object
    memory_gb: float  # address space
    recycle_after: int  # objects
    recycle_gb: float = math.inf  # resident memory


class BlenderProcess:
    """At most one worker, started when the first object comes.

    Use it from one thread that lives on while it is used: the kernel kills the worker when that thread ends.
    """

    def __init__(self, scratch: Path, limits: Limits):
        """`scratch` is an existing folder; this object makes one of its own inside and removes it in `close`."""
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="blender-", dir=scratch))
        self._log = self.folder / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._events = -1
        self._objects = 0

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None where none is running."""
        return self._process.pid if self._process else None

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Have one object rendered into `job["folder"]`; returns the worker's manifest.

        Raises:
            AssetError: the worker refuses the object.
            Timeout: it took longer than `limits.timeout_s`; the worker was killed.
            WorkerCrash: the worker died or failed. It carries the end of what Blender printed as `log_tail`.
            OSError: so it did on a full disk (ENOSPC), where the next object would fail as well.
        """
        if self._process is not None and self._is_worn():
            self._stop()
        if self._process is None:
            self.start()
        self._objects += 1
        os.truncate(self._log, 0)
        try:
            self._send(job)
            return self._manifest(Path(job["folder"]))
        except (Timeout, WorkerCrash) as error:
            self._kill()
            error.log_tail = self._log_tail()
            if shutil.disk_usage(job["folder"]).free < LEAST_FREE_BYTES:
                raise OSError(
                    errno.ENOSPC, "Blender could not write its views: no space left", job["folder"]
                ) from error
            raise

    def close(self) -> None:
        """End the worker and remove its files."""
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start a worker now; `run` does so itself where none is running.

        Raises:
            ConfigError: Blender cannot be imported on this machine; the message says what is missing.
            Timeout, WorkerCrash: it does not start.
        """
        events, worker_end = os.pipe()
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(worker_end),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env=self._environment(),
                    pass_fds=(worker_end,),
                    start_new_session=True,  # Ctrl-C is for the runner, which then closes the worker
                )
        finally:
            os.close(worker_end)
        self._events, self._objects = events, 0
        try:
            self._wait(START_TIMEOUT_S, "to start")
        except (Timeout, WorkerCrash) as error:
            self._kill()
            error.log_tail = self._log_tail()
            missing = IMPORT_FAILURE.search(error.log_tail)
            if missing:
                raise ConfigError(
                    f"Blender cannot start here: {missing[1]}; install the extra [blender] and the "
                    "system libraries that docs/rendering.md lists"
                ) from error
            raise

    def _is_worn(self) -> bool:
        """Whether the worker is due for a restart: it had its share of objects, or holds too much memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])  # proc(5): resident
        resident_gb = pages * os.sysconf("SC_PAGE_SIZE") / 1024**3
        return self._objects >= self.limits.recycle_after or resident_gb > self.limits.recycle_gb

    def _command(self, events_fd: int) -> list[str]:
        numbers = {
            "--events-fd": events_fd,
            "--parent": os.getpid(),
            "--memory-bytes": int(self.limits.memory_gb * 1024**3),
            "--threads": self.limits.threads,
        }
        flags = [str(part) for pair in numbers.items() for part in pair]
        return [sys.executable, "-P", "-m", "render.blender.worker", *flags]

    def _environment(self) -> dict[str, str]:
        own = str(self.folder)
        return {
            **{name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
            "PYTHONPATH": str(Path(render.__file__).parent.parent),
            "LANG": "C.UTF-8",
            "HOME": own,
            "TMPDIR": own,
            "BLENDER_USER_RESOURCES": own,
            "OMP_NUM_THREADS": str(self.limits.threads),
            "OPENBLAS_NUM_THREADS": str(self.limits.threads),
        }

    def _send(self, job: dict[str, Any]) -> None:
        try:
            stdin = self._stdin()
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise WorkerCrash("Blender's process ended before the object began") from error

    def _stdin(self) -> IO[bytes]:
        """Of the worker that runs."""
        assert self._process is not None and self._process.stdin is not None
        return self._process.stdin

    def _manifest(self, folder: Path) -> dict[str, Any]:
        self._wait(self.limits.timeout_s, "with this object (render.timeout_s)")
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise WorkerCrash("Blender's process returned no manifest") from error
        if manifest["status"] == "refused":
            raise AssetError(manifest["message"])
        if manifest["status"] != "done":
            raise WorkerCrash(f"Blender failed: {manifest['message']}")
        return manifest

    def _wait(self, timeout_s: float, what: str) -> None:
        """Wait for one byte of the worker."""
        ready, _, _ = select.select([self._events], [], [], timeout_s)
        if not ready:
            raise Timeout(f"Blender was not done {what} after {timeout_s:g} s and was killed")
        if not os.read(self._events, 1):
            assert self._process is not None
            code = self._process.wait()
            raise WorkerCrash(f"Blender's process died ({'signal' if code < 0 else 'exit code'} {abs(code)})")

    def _stop(self) -> None:
        """Give the worker a moment to exit by itself."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._stdin().close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2)
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            with contextlib.suppress(BrokenPipeError):
                self._stdin().close()
            os.close(self._events)
            self._process, self._events = None, -1

    def _log_tail(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
