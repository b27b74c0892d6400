"""Who gets the user's tokens: their own hosts, and nobody else; and nothing that is written or printed has them."""

import logging

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.addresses import shown
from pipeline.assets.fetch.download import Downloader
from pipeline.assets.fetch.hub import HubDataset
from pipeline.assets.fetch.tokens import _announce, token_for
from pipeline.base.errors import AssetError, ConfigError, Missing, PipelineError
from tests.pipeline.assets.asset_server import AssetServer, hung_up, status

HF, GIT = "hf_secret", "ghp_secret"
PATH = "/a/chair.glb"
FAST = {"requests_per_second": 0, "retries": 0, "backoff_s": 0.01, "read_timeout_s": 0.5, "timeout_s": 5}


@pytest.fixture
def tokens(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", HF)
    monkeypatch.setenv("GITHUB_TOKEN", GIT)


@pytest.fixture
def server():
    with AssetServer() as server:
        server.files[PATH] = b"glTF"
        yield server


@pytest.fixture
def stranger():
    with AssetServer() as server:
        server.files[PATH] = b"glTF"
        yield server


@pytest.fixture
def fetch(tmp_path):
    def run(url: str, **config) -> bytes:
        Downloader(AssetsConfig(**(FAST | config))).fetch(url, tmp_path / "got", 10**6)
        return (tmp_path / "got").read_bytes()

    return run


def sent(server: AssetServer, path: str = PATH) -> list[str | None]:
    return [headers.get("authorization") for headers in server.asked(path)]


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://huggingface.co/datasets/x", HF),
        ("https://HuggingFace.co:443/datasets/x", HF),
        ("http://huggingface.co/datasets/x", ""),
        ("https://huggingface.co:8443/datasets/x", ""),
        ("https://cdn.huggingface.co/x", ""),
        ("https://huggingface.co.evil.org/x", ""),
        ("https://evil.org/huggingface.co", ""),
        ("https://huggingface.co@evil.org/x", ""),
        ("https://evil.org\\@huggingface.co/x", ""),
        ("https://evil.org#@huggingface.co/x", ""),
        ("https://github.com/a/b", GIT),
        ("https://raw.githubusercontent.com/a/b/c", GIT),
        ("https://media.githubusercontent.com/media/a", GIT),
        ("https://api.github.com/repos", GIT),
        ("http://raw.githubusercontent.com/a", ""),
        ("https://gist.githubusercontent.com/a", ""),
        ("https://mirror.org/hub/x", HF),
        ("http://mirror.org/hub/x", ""),
        ("https://named.org/x", ""),
        ("file:///data/x", ""),
        ("nonsense", ""),
    ],
)
def test_a_token_is_for_its_own_hosts(tokens, monkeypatch, url, token):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.org/hub")
    assert token_for(url, AssetsConfig(endpoint="https://named.org", github="https://named.org/git")) == token


def test_settings_may_name_servers_of_this_machine(tokens):
    config = AssetsConfig(endpoint="http://127.0.0.1:8/", github="http://127.0.0.1:8/git", github_lfs="http://[::1]:9")
    assert token_for("http://127.0.0.1:8/datasets/x", config) == HF
    assert token_for("http://127.0.0.1:8/git/x", config) == GIT
    assert token_for("http://127.0.0.1:8/github/x", config) == HF
    assert token_for("http://[::1]:9/x", config) == GIT
    assert token_for("http://127.0.0.1:9/x", config) == ""


def test_the_hubs_own_file_is_read(nobody, monkeypatch):
    url, config = "https://huggingface.co/x", AssetsConfig()
    assert token_for(url, config) == ""
    (nobody / "huggingface").mkdir()
    (nobody / "huggingface" / "token").write_text("hf_home\n")
    assert token_for(url, config) == "hf_home"
    (nobody / "other").write_text("hf_path\n")
    monkeypatch.setenv("HF_TOKEN_PATH", str(nobody / "other"))
    assert token_for(url, config) == "hf_path"
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    assert token_for(url, config) == ""
    monkeypatch.setenv("HF_TOKEN", f" {HF}\n")
    assert token_for(url, config) == HF


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "schlüssel", "x" * 20_000])
def test_what_is_no_token_stops_the_run_unseen(monkeypatch, text):
    monkeypatch.setenv("HF_TOKEN", text)
    with pytest.raises(ConfigError, match="HF_TOKEN: it holds no token") as caught:
        token_for("https://huggingface.co/x", AssetsConfig())
    assert text not in str(caught.value)


def test_the_hub_gets_it_and_a_redirect_does_not(tokens, server, stranger, fetch):
    server.answers[PATH] = [status(302, Location=f"{stranger.url}{PATH}")]
    assert fetch(server.url + PATH, endpoint=server.url) == b"glTF"
    assert sent(server) == [f"Bearer {HF}"]
    assert sent(stranger) == [None]


def test_a_chain_that_comes_back_does_not_bring_it_back(tokens, server, stranger, fetch):
    server.answers["/start"] = [status(302, Location="/next")]
    server.answers["/next"] = [status(302, Location=f"{stranger.url}/away")]
    stranger.answers["/away"] = [status(302, Location=f"{server.url}{PATH}")]
    assert fetch(f"{server.url}/start", endpoint=server.url) == b"glTF"
    assert [sent(server, "/start"), sent(server, "/next"), sent(server)] == [[f"Bearer {HF}"]] * 2 + [[None]]


def test_a_stranger_that_leads_to_the_hub_does_not_bring_it_there(tokens, server, stranger, fetch):
    stranger.answers["/x"] = [status(302, Location=f"{server.url}{PATH}")]
    assert fetch(f"{stranger.url}/x", endpoint=server.url) == b"glTF"
    assert sent(server) == [None]


def test_a_new_attempt_sends_it_again(tokens, server, fetch):
    server.answers[PATH] = [status(503)]
    fetch(server.url + PATH, endpoint=server.url, retries=1)
    assert sent(server) == [f"Bearer {HF}"] * 2


def test_passwords_of_netrc_stay_with_the_first_server(nobody, server, stranger, fetch):
    (nobody / "netrc").write_text("default login me password netrc_secret\n")
    (nobody / "netrc").chmod(0o600)
    server.answers[PATH] = [status(302, Location=f"{stranger.url}{PATH}")]
    fetch(server.url + PATH)
    assert sent(server)[0].startswith("Basic ")
    assert sent(stranger) == [None]


def test_a_token_comes_before_netrc(nobody, tokens, server, fetch):
    (nobody / "netrc").write_text("default login me password netrc_secret\n")
    fetch(server.url + PATH, endpoint=server.url)
    assert sent(server) == [f"Bearer {HF}"]


def test_a_proxy_does_not_see_what_is_for_this_machine(tokens, server, stranger, fetch, monkeypatch):
    for variable in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HTTP_PROXY", stranger.url)
    fetch(server.url + PATH, endpoint=server.url)
    assert sent(server) == [f"Bearer {HF}"]
    assert not stranger.requests


def test_an_endpoint_of_the_corpus_alone_gets_none_and_one_line_says_so(tokens, monkeypatch, tmp_path, caplog):
    _announce.cache_clear()
    config = AssetsConfig(endpoint="https://mirror.org", cache=str(tmp_path))
    hub = HubDataset(config, Downloader(config), "datasets/x/y", "0", 1)
    hub.kept("index").parent.mkdir(parents=True)
    hub.kept("index").write_bytes(b"x")
    for _ in range(3):
        hub.read("index", bool)
    [line] = caplog.messages
    assert "https://mirror.org: HF_TOKEN is not sent to this address" in line
    assert "HF_ENDPOINT" in line
    caplog.clear()
    _announce.cache_clear()
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.org/")
    hub.read("index", bool)
    assert not caplog.messages
    assert token_for("https://mirror.org/x", config) == HF


@pytest.mark.parametrize(
    ("variables", "endpoint", "code", "cure"),
    [
        ({}, True, 401, "set HF_TOKEN, and accept the dataset's terms on its page"),
        ({"HF_TOKEN": HF}, True, 401, "the token of HF_TOKEN was sent and is not enough"),
        ({"HF_TOKEN": HF}, True, 403, "the server denies access .* renew it, and accept the dataset's terms"),
        ({}, False, 401, r"credentials are taken from ~/\.netrc"),
    ],
)
def test_who_is_not_let_in_hears_the_cure(monkeypatch, server, fetch, variables, endpoint, code, cure):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server.answers[PATH] = [status(code)] * 2
    with pytest.raises(AssetError, match=cure):
        fetch(server.url + PATH, endpoint=server.url if endpoint else "")


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_token_that_has_expired_loses_no_file(tokens, server, tmp_path, caplog, code):
    """The hub answers 401 to such a token, GitHub 404, for files that anybody may have."""
    server.answers[PATH] = [status(code)]
    downloader = Downloader(AssetsConfig(**FAST, endpoint=server.url))
    for _ in range(3):
        downloader.fetch(server.url + PATH, tmp_path / "got", 100)
    assert sent(server) == [f"Bearer {HF}", None, None, None]
    assert caplog.messages == ["127.0.0.1 does not accept HF_TOKEN (renew it); going on without it"]


def test_a_token_that_works_is_not_doubted(tokens, server, tmp_path):
    downloader = Downloader(AssetsConfig(**FAST, endpoint=server.url))
    for count in (2, 1):  # requests for a file that is not there: the second without the token
        with pytest.raises(Missing):
            downloader.fetch(f"{server.url}/gone{count}", tmp_path / "got", 100)
        assert len(server.asked(f"/gone{count}")) == count
        downloader.fetch(server.url + PATH, tmp_path / "got", 100)
    assert sent(server) == [f"Bearer {HF}"] * 2


@pytest.mark.parametrize(
    ("answers", "url"),
    [
        ([status(404)], ""),
        ([status(403)], ""),
        ([hung_up], ""),
        ([status(302, Location="https://u:signed_secret@127.0.0.1:1/x?sig=signed_secret")], ""),
        ([status(302, Location="ftp://u:signed_secret@x/y?sig=signed_secret")], ""),
        ([status(302, Location="http://127.0.0.1:99999/x?sig=signed_secret")], ""),
        ([status(302, Location="http://a..b/x?sig=signed_secret")], ""),
        ([], "http://u:signed_secret@127.0.0.1:1/x?sig=signed_secret"),
        ([], "http://u:signed/_secret@x?sig=signed_secret"),
    ],
)
def test_no_message_names_a_secret(tokens, server, fetch, caplog, answers, url):
    caplog.set_level(logging.DEBUG)
    path = f"{PATH}?sig=signed_secret"
    server.answers[path] = answers * 2
    with pytest.raises(PipelineError) as caught:
        fetch(url or server.url + path, endpoint=server.url, retries=1)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "secret" not in str(caught.value) + caplog.text


def test_passwords_are_not_for_settings_that_a_corpus_keeps():
    for name in ("endpoint", "github", "github_lfs", "github_git"):
        with pytest.raises(ConfigError, match=rf"assets\.{name}: https://mirror\.org/x: .*netrc") as caught:
            Downloader(AssetsConfig(**{name: "https://me:secret@mirror.org/x"}))
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://h/a%20b.glb", "https://h/a%20b.glb"),
        ("https://u:p@h:8/a?X-Sig=abc&b#f", "https://h:8/a?…"),
        ("https://u:p@h\\@g/", "https://h\\@g/"),
        ("https://h/@scope/x@1", "https://h/@scope/x@1"),
        ("https://u:p/w@h/x?y", "https:…h/x?…"),
        ("https://h/a\r\nINFO b", "https://h/a INFO b"),
    ],
)
def test_how_addresses_are_shown(url, text):
    assert shown(url) == text
