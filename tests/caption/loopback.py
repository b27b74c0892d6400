"""An OpenAI-compatible server on loopback that answers as it is told to, request by request."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What to do with one request: `status` and `content`, after `wait_s`."""

    content: str = "A small wooden chair."
    status: int = 200
    wait_s: float = 0.0
    finish_reason: str = "stop"
    raw: bytes | None = None  # instead of a completion


@dataclass
class Loopback:
    """The running server; `behave(request, number)` decides, `requests` are the bodies seen."""

    behave: Callable[[dict, int], Behaviour]
    requests: list[dict] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    most_at_once: int = 0

    def __enter__(self) -> "Loopback":
        loopback, lock, at_once = self, threading.Lock(), [0]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.reply(200, json.dumps({"object": "list", "data": []}).encode())

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    loopback.requests.append(body)
                    loopback.keys.add(self.headers["Authorization"])
                    number = len(loopback.requests) - 1
                    at_once[0] += 1
                    loopback.most_at_once = max(loopback.most_at_once, at_once[0])
                behaviour = loopback.behave(body, number)
                time.sleep(behaviour.wait_s)
                with lock:
                    at_once[0] -= 1
                if behaviour.status != 200:
                    self.reply(behaviour.status, json.dumps({"error": {"message": behaviour.content}}).encode())
                else:
                    self.reply(200, completion(behaviour) if behaviour.raw is None else behaviour.raw)

            def reply(self, status: int, data: bytes):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Retry-After-Ms", "10")
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"


def completion(behaviour: Behaviour) -> bytes:
    message = {"role": "assistant", "content": behaviour.content}
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": behaviour.finish_reason}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    ).encode()


def text_of(request: dict) -> str:
    return request["messages"][0]["content"][-1]["text"]


def pictures_of(request: dict) -> list[str]:
    return [part["image_url"]["url"] for part in request["messages"][0]["content"] if part["type"] == "image_url"]
