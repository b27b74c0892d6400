"""A headless Chromium that opens a page, runs JavaScript in it, presses keys and takes screenshots.

It speaks the Chrome DevTools Protocol (https://chromedevtools.github.io/devtools-protocol/) over one WebSocket.
"""

import asyncio
import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

TIMEOUT_S = 60
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def open_browser(profile: Path, *flags: str) -> Iterator["Browser"]:
    """A browser with one empty tab; `profile` is an empty folder."""
    command = [
        find_chromium(),
        *FLAGS,
        *flags,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loop = asyncio.new_event_loop()
    try:
        browser = Browser(loop, _port(profile))
        yield browser
        browser.close()
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
        loop.close()


def _port(profile: Path) -> int:
    deadline = time.monotonic() + TIMEOUT_S
    file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise TimeoutError("Chromium did not start")


class Browser:
    """One tab; every call waits for its answer, `timeout_s` at most."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int):
        self.problems: list[str] = []  # console errors, uncaught exceptions, failed or refused requests
        self._events: list[dict] = []
        self.timeout_s = TIMEOUT_S
        self._loop, self._id = loop, 0
        self._do(self._connect(port))
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict:
        """One command of the protocol."""
        return self._do(self._send(method, parameters))

    def open(self, url: str) -> None:
        """Load a page and wait for its `load` event."""
        with self.loading():
            self.call("Page.navigate", url=url)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Around something that leads to another page: ends when that is loaded."""
        self._events.clear()
        yield
        self._do(self._wait_for("Page.loadEventFired"))

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, by its name (`ArrowRight`, `Escape`, `Enter`)."""
        codes = {
            "Escape": 27,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "Enter": 13,
            " ": 32,
            "/": 191,
            "+": 187,
        }
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes[key], **text)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Size of the window in CSS pixels, and the colour scheme that it prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, whole_page: bool = False) -> bytes:
        """PNG of the window, or of the whole page."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole_page)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        self._do(self._socket.close())
        self._do(self._session.close())

    def _do(self, coroutine) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, self.timeout_s))

    async def _connect(self, port: int) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = await answer.json()
        url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        self._socket = await self._session.ws_connect(url, max_msg_size=0)

    async def _send(self, method: str, parameters: dict) -> dict:
        self._id += 1
        await self._socket.send_json({"id": self._id, "method": method, "params": parameters})
        while True:
            message = await self._receive()
            if message.get("id") == self._id:
                assert "error" not in message, message["error"]
                return message["result"]

    async def _wait_for(self, event: str) -> None:
        while not any(message["method"] == event for message in self._events):
            await self._receive()

    async def _receive(self) -> dict:
        message = await self._socket.receive_json()
        if "method" in message:
            self._events.append(message)
            self._note_problem(message["method"], message["params"])
        return message

    def _note_problem(self, method: str, parameters: dict) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.problems.append(str(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.problems.append(parameters["entry"]["text"])
        elif method == "Network.loadingFailed" and not parameters.get("canceled"):
            self.problems.append(f"request failed: {parameters['errorText']}")
