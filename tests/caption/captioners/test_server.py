import random
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from zlib import crc32

import pytest

from caption.config import CaptionConfig, EncoderConfig
from caption.stage import CaptionStage
from fakes.tiny_models import SENTENCE, save_smolvlm
from pipeline import Corpus
from pipeline.base.errors import ConfigError
from pipeline.stages.stage import Failure, StageContext
from pipeline.store.rows import table_from_rows
from pipeline.store.schema import CAPTIONS
from tests.caption.loopback import Behaviour, Loopback, pictures_of, text_of
from tests.caption.objects import joined_row


def stage_of(tmp_path, url: str, **section) -> CaptionStage:
    section = {"model": "m", "revision": "r1", "views": 3, "retries": 2, "timeout_s": 20.0} | section
    config = CaptionConfig(captioner="server", server_url=url, **section)
    stage = CaptionStage(config, StageContext(Corpus(tmp_path), tmp_path))
    stage.setup()
    return stage


def test_an_object_is_one_request_with_its_views(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with Loopback(lambda request, number: Behaviour()) as server:
        stage = stage_of(tmp_path, server.url)
        rows = stage.process([joined_row("a"), joined_row("b", seed=1)])
    assert table_from_rows(rows, CAPTIONS).num_rows == 2
    assert rows[0]["caption"] == "A small wooden chair." and rows[0]["caption_source"] == "vlm:m@r1"
    assert len(server.requests) == 2 and server.keys == {"Bearer secret"}
    request = server.requests[0]
    assert (request["temperature"], request["seed"], request["model"]) == (0, 0, "m")
    pictures = pictures_of(request)
    assert len(set(pictures)) == 3 and all(url.startswith("data:image/jpeg;base64,") for url in pictures)
    model = stage._captioner._model
    assert (model.prompt_tokens, model.answer_tokens) == (200, 20)


def test_requests_run_at_once_but_not_more_than_allowed(tmp_path):
    with Loopback(lambda request, number: Behaviour(wait_s=0.3)) as server:
        stage = stage_of(tmp_path, server.url, concurrency=3)
        stage.process([joined_row(str(i), seed=i) for i in range(7)])
    assert server.most_at_once == 3


def test_requests_and_further_attempts_keep_to_the_limit_of_a_minute(tmp_path):
    times = []

    def behave(request, number):
        times.append(time.monotonic())
        return Behaviour("Busy.", 503) if number in (1, 2) else Behaviour()

    with Loopback(behave) as server:
        stage = stage_of(tmp_path, server.url, requests_per_minute=600, concurrency=4)
        rows = stage.process([joined_row(str(i), seed=i) for i in range(6)])
    assert [row["caption"] for row in rows] == ["A small wooden chair."] * 6
    assert len(times) == 8
    assert times[-1] - times[0] > 6.5 * 0.1  # 0.1 s between two: eight begin in 0.7 s or more


def test_a_server_that_fails_at_random_costs_no_object_that_it_answers_in_the_end(tmp_path):
    generator = random.Random(0)

    def behave(request, number):
        status = generator.choice([200, 200, 429, 500, 503])
        return Behaviour("Busy.", status) if status != 200 else Behaviour()

    with Loopback(behave) as server:
        stage = stage_of(tmp_path, server.url, retries=12)
        rows = stage.process([joined_row(str(i), seed=i) for i in range(12)])
    assert [row["uid"] for row in rows] == [str(i) for i in range(12)]
    assert len(server.requests) > 12


def test_what_still_fails_is_the_failure_of_its_own_object(tmp_path):
    """One object's pictures always make the server fail: the others are captioned."""
    rows = [joined_row("a"), joined_row("b", seed=1), joined_row("c", seed=2)]
    bad: set[str] = set()

    def behave(request, number):
        return Behaviour("CUDA out of memory", 500) if bad & set(pictures_of(request)) else Behaviour()

    with Loopback(behave) as server:
        stage = stage_of(tmp_path, server.url, retries=1)
        stage.process([rows[1]])
        bad.update(pictures_of(server.requests[0]))
        results = stage.process(rows)
    assert [result["uid"] for result in (results[0], results[2])] == ["a", "c"]
    assert isinstance(results[1], Failure) and results[1].retryable
    assert results[1].error_class == "ServerFailure" and "out of memory" in results[1].message
    assert len(server.requests) == 1 + 2 + 2


@pytest.mark.parametrize(
    ("behaviour", "error_class", "retryable"),
    [
        (Behaviour(wait_s=1.5), "Timeout", True),
        (Behaviour("image too large", 400), "AssetError", False),
        (Behaviour(raw=b"<html>a proxy's page</html>"), "ServerFailure", True),
        (Behaviour(raw=b'{"choices": []}'), "ServerFailure", True),
        (Behaviour("I'm sorry, I cannot see anything."), "BadCaption", False),
        (Behaviour("A small wooden chair with", finish_reason="length"), "BadCaption", False),
        (Behaviour(""), "BadCaption", False),
    ],
)
def test_failures_are_typed(behaviour, error_class, retryable, tmp_path):
    with Loopback(lambda request, number: behaviour) as server:
        (failure,) = stage_of(tmp_path, server.url, retries=0, timeout_s=0.5).process([joined_row("a")])
    assert (failure.error_class, failure.retryable) == (error_class, retryable)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_the_run(status, tmp_path):
    with Loopback(lambda request, number: Behaviour("no", status)) as server:
        stage = stage_of(tmp_path, server.url)
        with pytest.raises(ConfigError, match="check caption.model, caption.server_url and OPENAI_API_KEY"):
            stage.process([joined_row("a")])


def test_no_server_stops_the_run_before_the_first_object(tmp_path):
    with Loopback(lambda request, number: Behaviour()) as server:
        url = server.url
    with pytest.raises(ConfigError, match="no server answers at"):
        stage_of(tmp_path, url)


def test_a_bad_answer_is_asked_again_with_the_reason(tmp_path):
    answers = ["The image shows nothing I know in the image.", "A round wooden table."]
    with Loopback(lambda request, number: Behaviour(answers[number])) as server:
        (row,) = stage_of(tmp_path, server.url).process([joined_row("a")])
    assert row["caption"] == "A round wooden table."
    assert "was not accepted because it speaks of the picture" in text_of(server.requests[1])
    assert pictures_of(server.requests[0]) == pictures_of(server.requests[1])


def per_view_stage(tmp_path, url: str, tiny_clip, **section) -> CaptionStage:
    scorer = EncoderConfig(model=tiny_clip[0], pretrained=tiny_clip[1])
    return stage_of(tmp_path, url, mode="per-view", scorer=scorer, views=4, keep=2, **section)


def test_captions_of_views_are_scored_and_the_best_merged(tiny_clip, tmp_path):
    def behave(request, number):
        if not pictures_of(request):
            return Behaviour("A wooden chair with a red seat.")
        return Behaviour(f"A chair of kind number{crc32(pictures_of(request)[0].encode())}.")

    with Loopback(behave) as server:
        stage = per_view_stage(tmp_path, server.url, tiny_clip, merge_model="writer")
        (row,) = stage.process([joined_row("a")])
    assert row["caption"] == "A wooden chair with a red seat."
    assert row["caption_source"] == "vlm:m@r1+writer@r1" and row["prompt_id"] == "view-v1+merge-v1"
    assert len(row["view_captions"]) == len(row["caption_views"]) == len(row["scores"]) == 4
    assert list(row["scores"]) == sorted(row["scores"], reverse=True)
    merge = next(request for request in server.requests if not pictures_of(request))
    assert merge["model"] == "writer"
    best, others = row["view_captions"][:2], row["view_captions"][2:]
    assert all(text in text_of(merge) for text in best) and not any(text in text_of(merge) for text in others)
    assert table_from_rows([row], CAPTIONS).num_rows == 1


def test_views_that_get_no_caption_are_left_out_of_the_merge(tiny_clip, tmp_path):
    def behave(request, number):
        if not pictures_of(request):
            return Behaviour("A wooden chair with a red seat.")
        return (
            Behaviour("I cannot tell.") if crc32(pictures_of(request)[0].encode()) % 2 else Behaviour("A wooden chair.")
        )

    with Loopback(behave) as server:
        stage = per_view_stage(tmp_path, server.url, tiny_clip)
        results = stage.process([joined_row(str(i), seed=i) for i in range(3)])
    captioned = [len(result["view_captions"]) for result in results if isinstance(result, dict)]
    assert captioned and min(captioned) > 0 and min(captioned) < 4


@contextmanager
def transformers_serve(model: str, port: int):
    """The server of transformers itself, in a process of its own."""
    command = [sys.executable, "-m", "tests.caption.serve_transformers", "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--device", "cpu", model], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        assert process.poll() is None, process.stdout.read().decode()[-2000:]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_a_real_server_with_a_tiny_model(tmp_path):
    model = save_smolvlm(tmp_path / "tiny-smolvlm")
    with Loopback(lambda request, number: Behaviour()) as server:
        port = int(server.url.split(":")[2].split("/")[0])  # free again in a moment
    with transformers_serve(model, port) as url:
        stage = stage_of(tmp_path, url, model=model, max_new_tokens=20, concurrency=2, timeout_s=120.0)
        rows = stage.process([joined_row("a"), joined_row("b", seed=1)])
    assert [row["caption"] for row in rows] == [SENTENCE.capitalize() + "."] * 2
    assert stage._captioner._model.prompt_tokens > 0
