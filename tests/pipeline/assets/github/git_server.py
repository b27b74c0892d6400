"""Repositories on loopback: as git serves them over HTTP, and as GitHub's raw files."""

import hashlib
import os
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.pipeline.assets.asset_makers import write_files
from tests.pipeline.assets.asset_server import QuietServer

AUTHOR = {f"GIT_{who}_{what}": "maker" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
OWN_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def run_git(folder: Path, *command: str) -> str:
    environment = os.environ | AUTHOR | OWN_SETTINGS
    done = subprocess.run(["git", *command], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> str:
    """Make a repository of these files (or go on with it), and return the commit's name."""
    folder.mkdir(parents=True, exist_ok=True)
    run_git(folder, "init", "--quiet")
    run_git(folder, "config", "core.autocrlf", "false")
    run_git(folder, "config", "uploadpack.allowFilter", "true")
    write_files(folder, files)
    for place, target in (links or {}).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).symlink_to(target)
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message=more")
    return run_git(folder, "rev-parse", "HEAD")


class GitServer:
    """Serves the repositories below `root`, at OWNER/NAME, by git's own HTTP backend.

    Attributes:
        requests: method, path and headers of each.
        refusal: answers in git's place where it is set: gives (status, headers) for a path, or None.
    """

    def __init__(self, root: Path):
        self.root = root
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.refusal: Callable[[str], tuple[int, dict[str, str]] | None] = lambda path: None
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._server.git_server = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def fetches(self) -> int:
        """Packs that were asked for."""
        return sum(method == "POST" for method, _, _ in self.requests)

    def __enter__(self) -> "GitServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        server: GitServer = self.server.git_server
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.requests.append((self.command, self.path, headers))
        refused = server.refusal(self.path)
        if refused:
            self._reply(refused[0], refused[1], b"")
            return
        place, _, query = self.path.partition("?")
        environment = os.environ | OWN_SETTINGS
        environment |= {
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(server.root),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "CONTENT_TYPE": headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "PATH_INFO": place,
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.command,
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        said = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._reply(int(said.pop("Status", "200").split()[0]), said, content)

    def _reply(self, code: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def lfs_pointer(data: bytes) -> bytes:
    """What a repository keeps of a file in Git's Large File Storage."""
    oid = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()
