"""A hub, its CDN, GitHub's raw files, its large files and its repositories, on five ports of loopback.

    python -m benchmarks.objaverse.hub FOLDER LOG [--limit REQUESTS] [--window SECONDS]

FOLDER has the hub's files under hub/, repositories under git/OWNER/NAME (bare) and large files under lfs/. The servers
behave as the real ones do on a bad day: the hub and GitHub close their windows, the hub with its `RateLimit` headers
and GitHub with `Retry-After`, while a neighbour at the same address uses them too; objects come by a redirect to a
signed address at the CDN; some first requests end in 503, some bodies break off, some stall. Prints the addresses as
JSON, then serves until it is ended. LOG gets a JSON line for each request.
"""

import argparse
import hashlib
import json
import os
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

SITES = ("hub", "cdn", "raw", "lfs", "git")
NEIGHBOUR = 0.6  # requests of others, for each one of ours
STALL_S = 4.0
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class Window:
    """A fixed window of requests, as a server counts them."""

    def __init__(self, limit: int, seconds: float):
        self.limit, self.seconds = limit, seconds
        self._used, self._ends = 0.0, 0.0
        self._lock = threading.Lock()

    def enter(self) -> tuple[bool, int, int]:
        """(is it open, requests that are left, seconds until it opens anew)."""
        with self._lock:
            now = time.monotonic()
            if now >= self._ends:
                self._used, self._ends = 0.0, now + self.seconds
            is_open = self._used + 1 <= self.limit
            if is_open:
                self._used += 1 + NEIGHBOUR
            return is_open, max(int(self.limit - self._used), 0), int(self._ends - now) + 1


@dataclass
class Sites:
    """What the handlers of all ports share."""

    folder: Path
    log: TextIO
    windows: dict[str, Window]
    urls: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)  # requests by site and path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, site: str, path: str, status: int, authorization: str) -> None:
        line = {"at": time.time(), "site": site, "path": path, "status": status, "authorization": authorization}
        with self.lock:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()

    def first(self, site: str, path: str) -> bool:
        with self.lock:
            self.asked[f"{site} {path}"] += 1
            return self.asked[f"{site} {path}"] == 1

    def blob(self, path: str) -> bytes | None:
        """A file of a repository: OWNER/NAME/COMMIT/PATH."""
        owner, name, commit, inner = (*path.split("/", 3), "", "", "")[:4]
        repository = self.folder / "git" / owner / name
        if not repository.is_dir():
            return None
        shown = subprocess.run(["git", "-C", repository, "cat-file", "blob", f"{commit}:{inner}"], capture_output=True)
        return shown.stdout if shown.returncode == 0 else None


class Server(ThreadingHTTPServer):
    site: str
    sites: Sites

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are part of it."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        getattr(self, f"_{self.server.site}")(unquote(parts.path).lstrip("/"))

    def do_POST(self) -> None:
        if self.server.site == "git":
            self._git(unquote(urlsplit(self.path).path).lstrip("/"))
        else:
            self._answer(405)

    def _hub(self, path: str) -> None:
        is_open, left, seconds = self.server.sites.windows["hub"].enter()
        window = self.server.sites.windows["hub"]
        limits = {
            "RateLimit": f'"resolve";r={left};t={seconds}',
            "RateLimit-Policy": f'"fixed window";"resolve";q={window.limit};w={int(window.seconds)}',
        }
        file = self.server.sites.folder / "hub" / path
        if not is_open:
            self._answer(429, b"too many requests", limits)
        elif not file.is_file():
            self._answer(404, b"Entry not found", limits)
        elif self._draw(path) < 3 and self.server.sites.first("hub", path):
            self._answer(503, b"overloaded", limits)
        elif path.endswith(".glb"):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            target = f"{self.server.sites.urls['cdn']}/{path}?X-Amz-Signature={digest[:32]}"
            self._answer(302, b"", limits | {"Location": target, "X-Linked-ETag": f'"{digest}"'})
        else:
            self._answer(200, file.read_bytes(), limits)

    def _cdn(self, path: str) -> None:
        file = self.server.sites.folder / "hub" / path
        data = file.read_bytes() if file.is_file() else b""
        draw = self._draw(path)
        if draw in (10, 11, 12) and self.server.sites.first("cdn", path):
            self._break_off(data)
        elif draw == 13 and self.server.sites.first("cdn", path):
            time.sleep(STALL_S)
            self._break_off(b"")
        else:
            self._answer(200 if data else 404, data)

    def _raw(self, path: str) -> None:
        is_open, _, seconds = self.server.sites.windows["raw"].enter()
        data = self.server.sites.blob(path) if is_open else None
        if not is_open:
            self._answer(429, b"429: Too Many Requests", {"Retry-After": str(seconds)})
        else:
            self._answer(404 if data is None else 200, b"404: Not Found" if data is None else data)

    def _lfs(self, path: str) -> None:
        pointer = self.server.sites.blob(path) or b""
        oid = pointer.partition(b"oid sha256:")[2][:64].decode()
        file = self.server.sites.folder / "lfs" / oid
        found = pointer.startswith(LFS_POINTER) and file.is_file()
        self._answer(200 if found else 404, file.read_bytes() if found else b"")

    def _git(self, path: str) -> None:
        """git's own server, behind CGI."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            body = self._chunks()
        variables = {
            "GIT_PROJECT_ROOT": str((self.server.sites.folder / "git").resolve()),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": "/" + path.replace(".git/", "/"),
            "QUERY_STRING": urlsplit(self.path).query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        made = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=os.environ | variables)
        head, _, content = made.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
        self._answer(int(headers.pop("Status", "200")[:3]), content, headers)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        site, authorization = self.server.site, self.headers.get("Authorization", "")
        self.server.sites.note(site, self.path, status, authorization)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _break_off(self, data: bytes) -> None:
        self.server.sites.note(self.server.site, self.path, 200, self.headers.get("Authorization", ""))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) or 1000))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def _draw(self, path: str) -> int:
        """0 to 99, the same for a path every time."""
        return hashlib.sha256(path.encode()).digest()[0] * 100 // 256

    def log_message(self, *_: object) -> None:
        """The log is a file of its own."""


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objaverse.hub", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--limit", type=int, default=10**9, help="requests a window")
    parser.add_argument("--window", type=float, default=300, help="seconds")
    arguments = parser.parse_args()
    windows = {site: Window(arguments.limit, arguments.window) for site in ("hub", "raw")}
    with arguments.log.open("a", encoding="utf-8") as log:
        sites = Sites(arguments.folder, log, windows)
        servers = [Server(("127.0.0.1", 0), Handler) for _ in SITES]
        for site, server in zip(SITES, servers, strict=True):
            server.site, server.sites = site, sites
            sites.urls[site] = f"http://127.0.0.1:{server.server_port}"
        print(json.dumps(sites.urls), flush=True)
        for server in servers[1:]:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        servers[0].serve_forever()


if __name__ == "__main__":
    main()
