"""Runs git: in a folder of its own, without prompts, hooks and other people's settings, and within limits.

Nothing is ever checked out: there is no working tree that a link, a filter, a submodule or a file's name could act on.
"""

import base64
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.assets.fetch.addresses import is_loopback, is_private, origin, shown
from pipeline.base.errors import AssetError, ConfigError

LOOK_S = 0.05  # between two looks at how much has arrived
MAX_OUTPUT_BYTES = 100_000_000  # of a command that reads: the list of a folder of a million files
SAID_BYTES = 300  # of git's own words that are passed on
LIMITED = 'ulimit -v 4000000 2>/dev/null; exec "$@"'  # 4 GB of memory: what is small when packed may be large
SECRETS = ("HF_TOKEN", "GITHUB_TOKEN")  # of the environment, that git has no business with
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.bigFileThreshold": "16m",  # larger ones are streamed, not held in memory
    "core.packedGitLimit": "512m",
    "core.packedGitWindowSize": "64m",
    "credential.helper": "",
    "fetch.negotiationAlgorithm": "noop",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.version": "2",
    "submodule.recurse": "false",
}


class GitFailed(Exception):
    """A git command failed, or was stopped; in one line."""


class Git:
    """git in a bare repository at `folder`.

    Args:
        max_bytes: that the folder may grow to; git is stopped then.
        silence_s: without a byte from the server, after which git gives up.
    """

    def __init__(self, folder: Path, max_bytes: int, silence_s: float):
        self._folder, self._max_bytes = folder, max_bytes
        self._settings = SETTINGS | {"http.lowSpeedTime": str(max(1, round(silence_s)))}
        folder.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", "--template=", str(folder))

    def fetch(self, address: str, wanted: Sequence[str], deadline: float, token: str = "", depth: int = 0) -> None:
        """Fetch commits with their trees, or blobs, by their names (40 hex digits).

        Args:
            deadline: on the monotonic clock; git is stopped then.
            token: sent to the address's host alone; where it is not accepted there, or leads elsewhere, the address is
                asked again without.
            depth: of the history; 0: what is there already.

        Raises:
            GitFailed: the server does not have it or does not speak to us, the folder or the time is full.
        """
        command = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
        command += ["--filter=blob:none", *([f"--depth={depth}"] if depth else []), "--stdin", "--", address]
        names = "".join(f"{name}\n" for name in wanted).encode()
        if token:
            settings = {f"http.{address}.extraHeader": _authorization(token), "http.followRedirects": "false"}
            try:
                self._network(command, names, address, deadline, settings)
                return
            except GitFailed:
                if time.monotonic() > deadline:
                    raise
        self._network(command, names, address, deadline, {"http.followRedirects": "initial"})

    def run(self, *command: str) -> bytes:
        """The output of a command that reads what is there already; it reaches no network.

        Raises:
            GitFailed: as git says, or it says too much.
        """
        with tempfile.TemporaryFile() as words:
            process = subprocess.Popen(
                self._argv(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                env=self._environment("", {}),
                process_group=0,
            )
            with process:
                assert process.stdout is not None
                output = process.stdout.read(MAX_OUTPUT_BYTES + 1)
                if len(output) > MAX_OUTPUT_BYTES:
                    _end(process)
                    raise GitFailed(f"git {command[0]} gives more than {MAX_OUTPUT_BYTES} bytes")
            words.seek(0)
            if process.returncode:
                raise GitFailed(_one_line(words.read(1 << 16)))
        return output

    def copy_blob(self, name: str, target: Path) -> None:
        """Write a blob that is there already to a file.

        Raises:
            GitFailed: as git says.
        """
        with target.open("wb") as file:
            command = self._argv(["cat-file", "blob", name])
            done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, env=self._environment("", {}))
        if done.returncode:
            raise GitFailed(_one_line(done.stderr))

    def disk_bytes(self) -> int:
        """What the repository takes on the disk."""
        return sum(file.lstat().st_size for file in self._folder.rglob("*") if not file.is_dir())

    def _network(
        self, command: list[str], said: bytes, address: str, deadline: float, settings: dict[str, str]
    ) -> None:
        parts = urlsplit(address)
        if is_loopback(parts.hostname or ""):  # a proxy would see what is for this machine alone
            settings = settings | {"http.proxy": ""}
        environment = self._environment(parts.scheme, settings)
        with tempfile.TemporaryFile() as names, tempfile.NamedTemporaryFile(dir=self._folder) as words:
            names.write(said)
            names.seek(0)
            process = subprocess.Popen(
                self._argv(command), stdin=names, stdout=words, stderr=words, env=environment, process_group=0
            )
            try:
                problem = self._watch(process, deadline)
            finally:
                _end(process)
            words.seek(0)
            if problem or process.returncode:
                raise GitFailed(problem or _one_line(words.read(1 << 16)))

    def _watch(self, process: subprocess.Popen[bytes], deadline: float) -> str:
        """Wait for the end; why it did not come, if that is so."""
        while True:
            try:
                process.wait(LOOK_S)
                has_ended = True
            except subprocess.TimeoutExpired:
                has_ended = False
            if self._size_now() > self._max_bytes:
                return f"it has more than {self._max_bytes} bytes"
            if has_ended:
                return ""
            if time.monotonic() > deadline:
                return "it was not there in time (assets.timeout_s)"

    def _size_now(self) -> int:
        try:
            return self.disk_bytes()
        except FileNotFoundError:  # git has just renamed a file
            return 0

    def _argv(self, command: Sequence[str]) -> list[str]:
        return ["sh", "-c", LIMITED, "git", "git", f"--git-dir={self._folder}", *command]

    def _environment(self, protocol: str, settings: dict[str, str]) -> dict[str, str]:
        """The environment of a command that may speak over `protocol`; settings in it are in nobody's list of
        processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        for name in SECRETS:
            kept.pop(name, None)
        certificates = os.environ.get("GIT_SSL_CAINFO") or os.environ.get("REQUESTS_CA_BUNDLE")
        every = self._settings | settings
        return (
            kept
            | ({"GIT_SSL_CAINFO": certificates} if certificates else {})
            | {
                "LC_ALL": "C",
                "GIT_ALLOW_PROTOCOL": protocol or "none",
                "GIT_ASKPASS": "",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": str(len(every)),
                "GIT_LFS_SKIP_SMUDGE": "1",
                "GIT_NO_LAZY_FETCH": "1",
                "GIT_TERMINAL_PROMPT": "0",
            }
            | {f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(every)}
            | {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(every.values())}
        )


def is_installed() -> bool:
    return shutil.which("git") is not None


def check_git_address(address: str) -> None:
    """Refuse what git may not be given: everything but https, http on this machine, and folders of it.

    Raises:
        ConfigError: it is of another kind.
    """
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return
    try:
        is_private_place = is_private(origin(address))
    except AssetError:
        is_private_place = False
    if not is_private_place:
        raise ConfigError(
            f"assets.github_git: '{shown(address)}' is neither an https:// address nor a folder's, file:///folder"
        )


def _authorization(token: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and its helpers."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _one_line(words: bytes) -> str:
    return " ".join(words.decode("utf-8", "replace").split())[-SAID_BYTES:] or "git failed without a word"
