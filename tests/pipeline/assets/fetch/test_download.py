"""One file over HTTP: every way in which a server may fail ends as the whole file or as one typed error."""

import hashlib
import threading
import time

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import next_address
from pipeline.assets.fetch.download import Downloader
from pipeline.base.errors import AssetError, Timeout, Unreachable
from tests.pipeline.assets.asset_server import (
    AssetServer,
    broken_off,
    dripping,
    endless,
    endless_redirect,
    hung_up,
    silent,
    some_of_the_rest,
    status,
)

DATA = bytes(range(256)) * 4000  # 1 MB
PATH = "/a/chair.glb"
LIMITS = {"requests_per_second": 0, "retries": 2, "backoff_s": 0.01, "read_timeout_s": 0.3, "timeout_s": 5}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with AssetServer() as server:
        server.files[PATH] = DATA
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    """Fetches a path; whatever happens, nothing but the whole file is left behind."""

    def run(path: str = PATH, max_bytes: int = 10**7, sha256: str = "", **config) -> bytes:
        target = tmp_path / "got.glb"
        try:
            url = path if "://" in path else server.url + path
            Downloader(AssetsConfig(**(LIMITS | config))).fetch(url, target, max_bytes, sha256)
        finally:
            left = [file.name for file in tmp_path.iterdir()]
            assert left in ([], ["got.glb"])
        return target.read_bytes()

    return run


def test_a_good_file_takes_one_request(server, fetch):
    assert fetch(sha256=hashlib.sha256(DATA).hexdigest().upper()) == DATA
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [status(500), status(502), status(503), status(408), hung_up, broken_off(0), silent(0, 0.6)],
    ids=["500", "502", "503", "408", "hung up", "no body", "silent"],
)
def test_what_passes_is_tried_again(server, fetch, answer):
    server.answers[PATH] = [answer]
    assert fetch() == DATA
    assert len(server.requests) == 2


def test_a_broken_body_is_taken_up_where_it_broke(server, fetch):
    server.answers[PATH] = [broken_off(300_000), status(503)]
    assert fetch(sha256=hashlib.sha256(DATA).hexdigest()) == DATA
    assert [headers.get("range") for headers in server.asked(PATH)] == [None, "bytes=300000-", "bytes=300000-"]


def test_a_stalled_body_is_taken_up_too(server, fetch):
    server.answers[PATH] = [silent(200_000, 0.6)]
    assert fetch() == DATA
    assert server.asked(PATH)[1]["range"] == "bytes=200000-"


def test_a_body_that_changed_meanwhile_is_not_mixed(server, fetch):
    server.answers[PATH] = [broken_off(300_000, ETag='"older"')]
    assert fetch() == DATA
    assert server.asked(PATH)[1]["if-range"] == '"older"'


@pytest.mark.parametrize("headers", [{"ETag": ""}, {"ETag": 'W/"weak"'}], ids=["no ETag", "weak ETag"])
def test_without_a_strong_etag_all_is_fetched_again(server, fetch, headers):
    server.answers[PATH] = [broken_off(300_000, **headers)]
    assert fetch() == DATA
    assert "range" not in server.asked(PATH)[1]


@pytest.mark.parametrize(
    "odd",
    [
        status(416),
        status(206, Content_Range="bytes 5-8/1024000"),
        status(206, Content_Range="nonsense"),
        status(206),
    ],
    ids=["416", "another part", "no numbers", "no range"],
)
def test_a_server_that_cannot_go_on_is_asked_for_all(server, fetch, odd):
    server.answers[PATH] = [broken_off(300_000), odd]
    assert fetch() == DATA
    assert "range" not in server.asked(PATH)[2]


def test_a_part_of_the_rest_is_not_the_rest(server, fetch):
    server.answers[PATH] = [broken_off(300_000), some_of_the_rest]
    assert fetch(sha256=hashlib.sha256(DATA).hexdigest()) == DATA
    assert [headers.get("range") for headers in server.asked(PATH)] == [None, "bytes=300000-", "bytes=300010-"]


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_kept_to_and_costs_neither_attempt_nor_time(server, fetch, code):
    server.answers[PATH] = [status(code, Retry_After="1")]
    started = time.monotonic()
    assert fetch(retries=0, timeout_s=0.9) == DATA
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("text", ["soon", "9" * 5000, "Mon, 99 Foo 99999999999 99:99:99", "-1"])
def test_a_retry_after_that_means_nothing_leaves_the_back_off(server, fetch, text):
    server.answers[PATH] = [status(503, Retry_After=text)]
    assert fetch() == DATA


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            status(503),
            Unreachable,
            r"HTTP 503 Service Unavailable \(attempts: 3\); try again later",
        ),
        (hung_up, Unreachable, r"the connection failed \(.*\(attempts: 3\)"),
        (broken_off(0), Unreachable, r"the connection failed \(.*\(attempts: 3\)"),
        (silent(0, 0.6), Timeout, r"the server stopped responding \(attempts: 3\)"),
    ],
    ids=["503", "hung up", "no body", "silent"],
)
def test_what_does_not_pass_ends_as_an_error_that_may(server, fetch, answer, error, message):
    server.answers[PATH] = [answer] * 9
    with pytest.raises(error, match=message) as caught:
        fetch()
    assert caught.value.retryable
    assert server.url in str(caught.value)
    assert " at 0x" not in str(caught.value)
    assert len(server.requests) == 3


def test_nobody_at_home_is_unreachable(fetch):
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1/x\.glb: the connection failed"):
        fetch("http://127.0.0.1:1/x.glb")


def test_a_dripping_server_meets_the_time_limit(server, fetch):
    server.answers[PATH] = [dripping(0.05)]
    started = time.monotonic()
    with pytest.raises(Timeout, match=r"incomplete after 0\.5 s .*assets\.timeout_s"):
        fetch(timeout_s=0.5)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 418, 451])
def test_refusals_are_final(server, fetch, code):
    server.answers[PATH] = [status(code)]
    with pytest.raises(AssetError, match=f"{server.url}{PATH}: .*HTTP {code}"):
        fetch()
    assert len(server.requests) == 1


def test_a_wrong_checksum_is_final(server, fetch):
    with pytest.raises(AssetError, match="its SHA-256 is [0-9a-f]{64}, not 0000"):
        fetch(sha256="0" * 64)
    assert len(server.requests) == 1


def test_the_checksum_that_the_hub_names_is_checked(server, fetch):
    server.answers["/hub"] = [
        status(302, Location=PATH, X_Linked_ETag=f'"{hashlib.sha256(DATA).hexdigest()}"'),
        status(302, Location=PATH, X_Linked_ETag=f'"{"1" * 64}"'),
    ]
    assert fetch("/hub") == DATA
    with pytest.raises(AssetError, match="/hub: its SHA-256 is"):
        fetch("/hub")


def test_too_many_bytes_are_refused_announced_or_not(server, fetch):
    with pytest.raises(AssetError, match="1024000 bytes or more; the limit is 1000"):
        fetch(max_bytes=1000)
    server.answers[PATH] = [endless]
    with pytest.raises(AssetError, match="bytes or more; the limit is 1000000"):
        fetch(max_bytes=1_000_000)


def test_redirects_are_followed_and_bounded(server, fetch):
    server.answers["/to"] = [status(302, Location=f"{server.url}{PATH}")]
    assert fetch("/to") == DATA
    server.answers["/round"] = [status(307, Location="round")] * 20
    with pytest.raises(AssetError, match="more than 5 redirects"):
        fetch("/round")
    assert len(server.asked("/round")) == 6


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://:80/x", "http://[::1"]
)
def test_redirects_to_anything_but_http_are_refused(server, fetch, location):
    server.answers[PATH] = [status(302, Location=location)]
    with pytest.raises(AssetError, match="is not an http"):
        fetch()


def test_the_body_of_a_redirect_is_not_read(server, fetch):
    server.answers["/to"] = [endless_redirect(PATH)]
    started = time.monotonic()
    assert fetch("/to") == DATA
    assert time.monotonic() - started < 2


def test_redirects_stay_on_https():
    assert next_address("https://a.org/x/y", "../z") == "https://a.org/z"
    assert next_address("http://a.org/x", "https://b.org/x") == "https://b.org/x"
    with pytest.raises(AssetError, match="from https to http://a.org/x"):
        next_address("https://a.org/x", "http://a.org/x")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y.glb", "http://", "http://[::1/x.glb", "s3://b/x.glb"])
def test_addresses_of_other_schemes_are_refused(fetch, url):
    with pytest.raises(AssetError, match="is not an http"):
        fetch(url)


@pytest.mark.parametrize("url", ["http://a..b/x.glb", "http://127.0.0.1:99999/x.glb", f"http://{'x' * 70}.org/x.glb"])
def test_addresses_that_are_none_are_final(fetch, url):
    with pytest.raises(AssetError):
        fetch(url)


def test_nothing_is_asked_for_packed(server, fetch):
    fetch()
    assert server.requests[0][1]["accept-encoding"] == "identity"


def test_requests_of_all_threads_are_spaced(server, tmp_path):
    downloader = Downloader(AssetsConfig(**(LIMITS | {"requests_per_second": 20})))
    started = time.monotonic()
    threads = [
        threading.Thread(target=downloader.fetch, args=(server.url + PATH, tmp_path / str(i), 10**7)) for i in range(9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 8 / 20
    assert all((tmp_path / str(i)).read_bytes() == DATA for i in range(9))
