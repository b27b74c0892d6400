"""A web server on loopback that misbehaves as it is told."""

import hashlib
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


class AssetServer:
    """Serves `files` with ETags and ranges. `answers[path]` are for the first requests of a path, in this order."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        self.requests: list[tuple[str, dict[str, str]]] = []  # path and headers, lower-case
        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self._server.asset_server = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of every request for a path."""
        return [headers for asked, headers in self.requests if asked == path]

    def __enter__(self) -> "AssetServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are part of the tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: AssetServer = self.server.asset_server
        server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        waiting = server.answers[self.path]
        answer = waiting.pop(0) if waiting else whole
        try:
            answer(self, server.files.get(self.path.partition("?")[0], b""))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def whole(handler: Handler, data: bytes) -> None:
    """The file, or the part of it that is asked for."""
    if not data:
        return status(404)(handler, data)
    wanted = handler.headers.get("Range", "")
    if not wanted or handler.headers.get("If-Range", etag(data)) != etag(data):
        handler.head(200, len(data), ETag=etag(data))
        handler.wfile.write(data)
        return None
    start = int(wanted.removeprefix("bytes=").rstrip("-"))
    part = f"bytes {start}-{len(data) - 1}/{len(data)}"
    handler.head(206, len(data) - start, ETag=etag(data), Content_Range=part)
    handler.wfile.write(data[start:])
    return None


def some_of_the_rest(handler: Handler, data: bytes) -> None:
    """Ten bytes of the part that is asked for; less than a client wants, but correct."""
    start = int(handler.headers["Range"].removeprefix("bytes=").rstrip("-"))
    handler.head(206, 10, ETag=etag(data), Content_Range=f"bytes {start}-{start + 9}/{len(data)}")
    handler.wfile.write(data[start : start + 10])


def status(code: int, **headers: str) -> Answer:
    def answer(handler: Handler, data: bytes) -> None:
        handler.head(code, 4, **headers)
        handler.wfile.write(b"sad\n")

    return answer


def broken_off(count: int, **headers: str) -> Answer:
    """`count` bytes of the file, then the end of the connection."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, len(data), **({"ETag": etag(data)} | headers))
        handler.wfile.write(data[:count])
        handler.close_connection = True

    return answer


def silent(count: int, seconds: float) -> Answer:
    """`count` bytes of the file, then nothing."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, len(data), ETag=etag(data))
        handler.wfile.write(data[:count])
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True

    return answer


def dripping(interval_s: float) -> Answer:
    """One byte after the other."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, len(data), ETag=etag(data))
        for i in range(len(data)):
            handler.wfile.write(data[i : i + 1])
            handler.wfile.flush()
            time.sleep(interval_s)

    return answer


def hung_up(handler: Handler, data: bytes) -> None:
    """No answer at all."""
    handler.close_connection = True


def endless(handler: Handler, data: bytes) -> None:
    """Bytes without an announced end."""
    _write_for_ever(handler, 200)


def endless_redirect(location: str) -> Answer:
    def answer(handler: Handler, data: bytes) -> None:
        _write_for_ever(handler, 302, location)

    return answer


def _write_for_ever(handler: Handler, code: int, location: str = "") -> None:
    handler.send_response(code)
    if location:
        handler.send_header("Location", location)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))
