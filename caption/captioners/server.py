"""A vision-language model behind any OpenAI-compatible server: vLLM, SGLang, `transformers serve`."""

import base64
import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import openai
from openai.types.chat import ChatCompletion, ChatCompletionContentPartParam
from PIL import Image

from caption.captioners.modes import vision_captioner
from caption.captioners.pacing import Pace
from caption.captioners.questions import Question, Reply
from caption.captioners.vision import VisionCaptioner
from caption.config import CaptionConfig
from caption.errors import ServerFailure
from pipeline.base.errors import AssetError, ConfigError, Timeout
from pipeline.values.pictures import over_background

logger = logging.getLogger(__name__)

_JPEG_QUALITY = 95


def load(config: CaptionConfig, threads: int) -> VisionCaptioner:
    """Captioner by server; `caption.merge_model` may name another model of the same server for merging."""
    model = ServerModel(config, config.model)
    merger = ServerModel(config, config.merge_model) if config.merge_model else model
    return vision_captioner(config, model, merger, threads)


class ServerModel:
    """One model of one server, asked by many threads at once.

    A request that times out, is rejected (429) or fails in the server (5xx) is sent again by the client, after
    pauses that grow or that the server asks for (Retry-After), and counts for `caption.requests_per_minute` like any
    other. What then still fails is a failure of its own object.

    Attributes:
        prompt_tokens, answer_tokens: used so far, as the server counts them.
    """

    is_chat = True

    def __init__(self, config: CaptionConfig, model: str):
        """Connect.

        Raises:
            ConfigError: no model is named, or no server answers at `caption.server_url`.
        """
        if not model:
            raise ConfigError("caption.model is empty: name a model that the server serves")
        self.source = f"vlm:{model}@{config.revision}"
        self.batch_size = max(config.batch_size, 2 * config.concurrency)  # enough that none of the threads waits long
        self._config = config
        self._name = model
        pace = Pace(config.requests_per_minute) if config.requests_per_minute else None
        self._client = openai.OpenAI(
            base_url=config.server_url,
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            timeout=config.timeout_s,
            max_retries=config.retries,
            http_client=openai.DefaultHttpx2Client(event_hooks={"request": [pace.wait]}) if pace else None,
        )
        self.prompt_tokens = self.answer_tokens = 0
        self._check_server()

    def answer(self, questions: list[Question]) -> list[Reply | Exception]:
        """The server's reply to every question.

        Raises:
            ConfigError: the server refuses the key or does not know the model.
        """
        with ThreadPoolExecutor(self._config.concurrency) as pool:
            replies = list(pool.map(self._answer, questions))
        for reply in replies:
            if isinstance(reply, ConfigError):
                raise reply
        return replies

    def _answer(self, question: Question) -> Reply | Exception:
        content: list[ChatCompletionContentPartParam] = [
            {"type": "image_url", "image_url": {"url": _data_url(image)}} for image in question.images
        ]
        content.append({"type": "text", "text": question.text})
        try:
            completion = self._client.chat.completions.create(
                model=self._name,
                messages=[{"role": "user", "content": content}],
                max_tokens=self._config.max_new_tokens,
                temperature=0,
                seed=0,
            )
        except openai.APIError as error:
            return self._failure(error)
        except ValueError as error:
            return ServerFailure(f"{self._config.server_url} returned something other than JSON: {error}")
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            return ServerFailure(f"{self._config.server_url} returned no completion")
        if completion.usage:
            self.prompt_tokens += completion.usage.prompt_tokens
            self.answer_tokens += completion.usage.completion_tokens
        choice = completion.choices[0]
        return Reply(choice.message.content or "", complete=choice.finish_reason != "length")

    def _failure(self, error: openai.APIError) -> Exception:
        """Our typed error for the client's, once its retries are used up."""
        where = f"{self._config.server_url}, model {self._name}"
        reason = " ".join(str(error).split())[:300]
        if isinstance(error, openai.APITimeoutError):
            return Timeout(
                f"{where}: no answer within {self._config.timeout_s:g} s, after {self._config.retries + 1} attempts"
            )
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError | openai.NotFoundError):
            return ConfigError(f"{where}: {reason}; check caption.model, caption.server_url and OPENAI_API_KEY")
        if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
            return AssetError(f"{where} refuses the request: {reason}")
        return ServerFailure(f"{where}: {reason}, after {self._config.retries + 1} attempts")

    def _check_server(self) -> None:
        try:
            self._client.with_options(max_retries=1, timeout=10).models.list()
        except openai.APIConnectionError as error:
            url = self._config.server_url
            raise ConfigError(
                f"no server answers at {url} (caption.server_url); start one: docs/captioning.md"
            ) from error
        except openai.APIStatusError as error:
            logger.info("%s does not list its models (%s); continuing", self._config.server_url, error.status_code)


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    over_background(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
