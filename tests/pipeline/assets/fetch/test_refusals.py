"""What a server's refusal means, by its status and by its words."""

import pytest

from pipeline.assets.config import AssetsConfig
from pipeline.assets.fetch.download import Downloader
from pipeline.base.errors import AssetError, Missing, QuotaExceeded, Unreachable
from tests.pipeline.assets.asset_server import Answer, AssetServer
from tests.pipeline.assets.objaverse_hub import FAST

OVER = "This repository is over its data quota. Account responsible for LFS bandwidth should purchase more data packs."
BUDGET = '{"message": "batch response: This repository exceeded its LFS budget. The account should increase it."}'
RATE = "Too Many Requests: you have reached the quota of your rate limit, 3000 requests in 5 minutes"


def saying(code: int, words: str) -> Answer:
    def answer(handler, data: bytes) -> None:
        handler.head(code, len(words))
        handler.wfile.write(words.encode())

    return answer


@pytest.mark.parametrize(
    ("code", "words", "kind", "part"),
    [
        (403, OVER, QuotaExceeded, "owner's quota is used up (HTTP 403 Forbidden)"),
        (404, BUDGET, QuotaExceeded, "owner's quota is used up (HTTP 404"),
        (429, OVER, QuotaExceeded, "owner's quota is used up (HTTP 429"),
        (509, "", QuotaExceeded, "owner's quota is used up (HTTP 509"),
        (429, RATE, Unreachable, "takes no requests"),
        (404, "404: Not Found", Missing, "there is no such file (HTTP 404 Not Found)"),
        (451, "Repository unavailable due to DMCA takedown.", Missing, "withheld for legal reasons"),
        (403, "no", AssetError, "denies access"),
        (400, "400: Invalid request", AssetError, "the server refuses it (HTTP 400 Bad Request)"),
    ],
)
def test_a_refusal_is_called_by_its_name(tmp_path, monkeypatch, code, words, kind, part):
    monkeypatch.setattr("pipeline.assets.fetch.download.LONGEST_WAIT_S", 0)
    with AssetServer() as server:
        server.answers["/a.obj"] = [saying(code, words)] * 9
        with pytest.raises(kind) as caught:
            Downloader(AssetsConfig(**FAST)).fetch(f"{server.url}/a.obj", tmp_path / "a", 1000)
        assert type(caught.value) is kind
        assert part in str(caught.value)
        assert f"{server.url}/a.obj" in str(caught.value)
        assert len(server.requests) == 1
    assert caught.value.retryable == issubclass(kind, Unreachable)
