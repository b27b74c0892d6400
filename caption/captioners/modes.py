"""Which way of asking a vision-language model the config names."""

from caption.captioners.per_view import PerViewCaptioner
from caption.captioners.questions import VisionModel
from caption.captioners.vision import TogetherCaptioner, VisionCaptioner
from caption.config import CaptionConfig
from caption.encoders import load_encoder


def vision_captioner(config: CaptionConfig, model: VisionModel, merger: VisionModel, threads: int) -> VisionCaptioner:
    """The captioner of `caption.mode`.

    Args:
        merger: the chat model that merges captions of single views, where the mode asks for it.
        threads: that prepare pictures.
    """
    if config.mode == "per-view":
        return PerViewCaptioner(config, model, load_encoder(config.scorer, threads), threads, merger)
    chooser = load_encoder(config.scorer, threads) if config.choose_by == "embedding" else None
    return TogetherCaptioner(config, model, chooser, threads)
