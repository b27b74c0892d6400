"""Servers that limit requests: one pause for all threads and processes, no file is lost, nobody asks too early."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.windows import LONGEST_WAIT_S
from pipeline.assets.stage import AssetsStage
from pipeline.base.errors import AssetError, Unreachable
from tests.pipeline.assets.asset_server import AssetServer, Handler, status, whole

FAST = {"requests_per_second": 0, "retries": 0, "backoff_s": 0.05, "read_timeout_s": 5, "timeout_s": 20}
DATA = b"glTF" * 10


class LimitedServer(AssetServer):
    """Takes `limit` requests below /x/ in a window of `length_s`, and redirects them to /cdn/, which has no limit."""

    def __init__(self, limit: int, length_s: float, form: str):
        super().__init__()
        self.limit, self.length_s, self.form = limit, length_s, form
        self.refused = self.taken = 0
        self._ends, self._left, self._lock = 0.0, 0, threading.Lock()

    def answer(self, handler: Handler, data: bytes) -> None:
        with self._lock:
            now = time.monotonic()
            if now >= self._ends:
                self._ends, self._left = now + self.length_s, self.limit
            is_taken = self._left > 0
            self._left -= is_taken
            self.taken += is_taken
            self.refused += not is_taken
            headers = self._headers(self._left, self._ends - now)
        if is_taken:
            status(302, Location=f"/cdn{handler.path}", **headers)(handler, data)
        else:
            status(429, **headers)(handler, data)

    def _headers(self, left: int, seconds: float) -> dict[str, str]:
        if self.form == "hub":
            policy = f'"fixed window";"resolvers";q={self.limit};w={self.length_s}'
            return {"RateLimit": f'"resolvers";r={left};t={int(seconds)}', "RateLimit_Policy": policy}
        if self.form == "github":
            reset = str(int(time.time() + seconds))
            return {"X_RateLimit_Limit": "30", "X_RateLimit_Remaining": str(left), "X_RateLimit_Reset": reset}
        return {}


@pytest.fixture
def limited():
    """A server with `count` files, and their addresses."""
    servers = []

    def start(count: int, limit: int, length_s: float, form: str) -> tuple[LimitedServer, list[str]]:
        server = LimitedServer(limit, length_s, form)
        servers.append(server)
        for number in range(count):
            server.answers[f"/x/{number}"] = [server.answer] * 1000
            server.files[f"/cdn/x/{number}"] = DATA
        server.__enter__()
        return server, [f"{server.url}/x/{number}" for number in range(count)]

    yield start
    for server in servers:
        server.__exit__()


def fetch_all(urls: list[str], folder: Path, threads: int = 8, **config) -> None:
    downloader = Downloader(AssetsConfig(**(FAST | config)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda n: downloader.fetch(urls[n], folder / str(n), 1000), range(len(urls))))


@pytest.mark.parametrize("form", ["hub", "github"])
def test_a_window_that_is_published_is_never_run_into(limited, tmp_path, caplog, form):
    server, urls = limited(70, limit=30, length_s=1, form=form)
    fetch_all(urls, tmp_path, rate_share=1)
    assert all((tmp_path / str(number)).read_bytes() == DATA for number in range(len(urls)))
    assert server.taken == len(urls)  # a redirect is not a second request of the budget
    assert server.refused <= 1
    assert len(caplog.messages) <= 5  # one for each pause
    assert all("127.0.0.1: " in line and "downloads wait" in line for line in caplog.messages)


def test_the_share_is_this_machines(limited, tmp_path, caplog):
    server, urls = limited(15, limit=40, length_s=3, form="hub")
    fetch_all(urls, tmp_path, rate_share=0.25)
    assert server.refused == 0
    assert "share (0.25 of 40 requests in 3 s) is used up" in caplog.text


def test_without_a_header_only_those_under_way_are_refused(limited, tmp_path, caplog):
    server, urls = limited(40, limit=25, length_s=1.5, form="")
    fetch_all(urls, tmp_path, threads=4)
    assert server.taken == len(urls)
    assert server.refused <= 4 + 6  # those under way, and one for each of the growing pauses
    assert "it refuses requests" in caplog.text


def test_processes_share_a_pause(limited, tmp_path):
    server, urls = limited(200, limit=80, length_s=1, form="hub")
    script = """
import sys
from pathlib import Path
from tests.pipeline.assets.fetch.test_windows import fetch_all
fetch_all(sys.argv[2:], Path(sys.argv[1]))
"""
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder), *urls[number::2]], stderr=subprocess.PIPE, text=True
        )
        for number, folder in enumerate(folders)
    ]
    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert sum(len(list(folder.iterdir())) for folder in folders) == len(urls)
    assert server.refused <= 0.02 * len(urls)


def test_a_pause_of_one_is_a_pause_of_all(nobody, tmp_path):
    with AssetServer() as server:
        server.files["/a"] = server.files["/b"] = DATA
        server.answers["/a"] = [status(429, Retry_After="1")]
        threads = [threading.Thread(target=fetch_all, args=([f"{server.url}/a"], tmp_path))]
        threads[0].start()
        while not any(file.stat().st_size for file in nobody.glob("clip-gs-windows-*/*.json")):
            time.sleep(0.01)
        started = time.monotonic()
        (tmp_path / "other").mkdir()
        fetch_all([f"{server.url}/b"], tmp_path / "other")  # a Downloader of its own, as another process has
        threads[0].join()
        assert time.monotonic() - started > 0.5
        assert len(server.asked("/b")) == 1


def test_a_command_that_begins_within_a_pause_says_why_it_waits(tmp_path, caplog, monkeypatch):
    with AssetServer() as server:
        server.files["/a"] = DATA
        server.answers["/first"] = [status(404, RateLimit='"x";r=0;t=2')]
        with pytest.raises(AssetError):
            fetch_all([f"{server.url}/first"], tmp_path)
        assert len(caplog.messages) == 1
        monkeypatch.setattr("os.getpgrp", lambda: 1)
        fetch_all([f"{server.url}/a"], tmp_path)
        assert len(caplog.messages) == 2


def test_answers_that_are_no_refusals_are_answers(tmp_path):
    with AssetServer() as server:
        server.answers["/gone"] = [status(404, RateLimit='"x";r=0;t=1')]
        server.answers["/denied"] = [status(403, RateLimit='"x";r=0;t=0'), status(403)]
        with pytest.raises(AssetError, match="no such file"):
            fetch_all([f"{server.url}/gone"], tmp_path)
        with pytest.raises(AssetError, match="denies access"):
            fetch_all([f"{server.url}/denied"], tmp_path)
        assert len(server.asked("/denied")) == 2


def test_a_closed_server_behind_a_redirect_is_waited_for(tmp_path):
    with AssetServer() as hub, AssetServer() as cdn:
        cdn.files["/a"] = DATA
        cdn.answers["/a"] = [status(429, Retry_After="1")]
        hub.answers["/a"] = [status(302, Location=f"{cdn.url}/a")] * 9
        fetch_all([f"{hub.url}/a"], tmp_path)
        assert len(cdn.asked("/a")) == 2


@pytest.mark.parametrize(
    "headers", [{"Retry_After": "7200"}, {"RateLimit": '"x";r=0;t=99999999'}, {"X_RateLimit_Remaining": "0"}]
)
def test_a_server_that_stays_closed_is_out_of_reach(tmp_path, monkeypatch, headers):
    if "X_RateLimit_Remaining" in headers:
        monkeypatch.setattr("pipeline.assets.fetch.download.LONGEST_WAIT_S", 0.5)
    with AssetServer() as server:
        server.answers["/a"] = [status(429, **headers)] * 99
        with pytest.raises(Unreachable, match=r"/a: 127\.0\.0\.1 takes no requests for \d+ s .* try again later"):
            fetch_all([f"{server.url}/a"], tmp_path)
        asked = len(server.requests)
        assert asked <= 5
        if "X_RateLimit_Remaining" not in headers:
            with pytest.raises(Unreachable):
                fetch_all([f"{server.url}/a"], tmp_path)
            assert len(server.requests) == asked


def test_one_file_that_is_always_refused_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.assets.fetch.download.LONGEST_WAIT_S", 8)
    with AssetServer() as server:
        server.answers["/x"] = [status(429)] * 999
        paths = [f"/{number}" for number in range(200)]
        server.files = dict.fromkeys(paths, DATA)
        with ThreadPoolExecutor(1) as pool:
            refused = pool.submit(fetch_all, [f"{server.url}/x"], tmp_path)
            fetch_all([server.url + path for path in paths], tmp_path, threads=4)
            with pytest.raises(Unreachable):
                refused.result()
        assert len(server.asked("/x")) <= 12


def test_a_worker_that_waits_is_not_killed():
    config = AssetsConfig()
    assert AssetsStage.timeout_s(config) > config.timeout_s + LONGEST_WAIT_S


def test_whoever_stops_does_not_wait(tmp_path):
    with AssetServer() as server, ThreadPoolExecutor(1) as pool:
        server.files["/b"] = DATA
        server.answers["/a"] = [status(429, Retry_After="600")]
        downloader = Downloader(AssetsConfig(**FAST))
        waiting = pool.submit(downloader.fetch, f"{server.url}/a", tmp_path / "a", 100)
        while not server.requests:
            time.sleep(0.01)
        downloader.stop()
        with pytest.raises(Unreachable, match="stopped"):
            waiting.result(timeout=60)
    with AssetServer() as server:
        server.files["/b"] = DATA
        downloader.fetch(f"{server.url}/b", tmp_path / "b", 100)


def test_a_lost_first_request_holds_nobody_up(tmp_path):
    with AssetServer() as server:
        server.files["/a"] = DATA
        server.answers["/a"] = [status(429, Retry_After="0"), lambda handler, data: handler.finish(), whole]
        started = time.monotonic()
        fetch_all([f"{server.url}/a"], tmp_path, retries=1)
        assert time.monotonic() - started < 10
