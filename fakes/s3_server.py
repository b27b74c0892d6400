"""An S3 server in a process of its own, on loopback, that can be told to misbehave: moto behind a layer of faults.

`python -m fakes.s3_server` prints its port. PUT a JSON object to /_faults to choose what goes wrong, for the
requests that follow: `errors`, `stalls`, `slow` are shares of them (answered with 500, answered after `stall_s`,
answered piece by piece); GET tells how often each has happened. `hold_part`: that part of any upload never ends.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

PIECES, PIECE_S = 4, 0.01  # of a slow answer, and the pause before each
NONE = {"errors": 0.0, "stalls": 0.0, "slow": 0.0, "stall_s": 0.0, "hold_part": 0, "seed": 0}


class FaultyServer:
    """A WSGI application around another one."""

    def __init__(self, application: Callable):
        self._application = application
        self._lock = threading.Lock()
        self._set(NONE)

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        request = Request(environ)
        if request.path == "/_faults":
            if request.method == "PUT":
                self._set(NONE | request.get_json())
            return Response(json.dumps(self.happened))(environ, start_response)
        if request.args.get("partNumber") == str(self._faults["hold_part"] or None):
            self.happened["hold_part"] += 1
            time.sleep(3600)
        fault = self._draw()
        if fault == "errors":
            request.get_data()  # a body that is not read would break the connection
            body = "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
            return Response(body, 500, content_type="application/xml")(environ, start_response)
        if fault == "stalls":
            time.sleep(self._faults["stall_s"])
        answer = self._application(environ, start_response)
        return _slowly(answer) if fault == "slow" else answer

    def _set(self, faults: dict) -> None:
        self._faults, self._chance, self.happened = faults, random.Random(faults["seed"]), Counter()

    def _draw(self) -> str:
        with self._lock:
            place = self._chance.random()
            for name in ("errors", "stalls", "slow"):
                place -= self._faults[name]
                if place < 0:
                    self.happened[name] += 1
                    return name
        return ""


def _slowly(answer: Iterable[bytes]) -> Iterator[bytes]:
    for part in answer:
        step = max(1, len(part) // PIECES)
        for start in range(0, len(part), step):
            time.sleep(PIECE_S)
            yield part[start : start + step]


def main() -> None:
    application = FaultyServer(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
