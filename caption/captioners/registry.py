"""The captioners. A captioner is one line here and one module (docs/captioning.md)."""

from importlib import import_module

from caption.captioners.result import Captioner
from caption.config import CaptionConfig

# name -> module with `load(config, threads) -> Captioner`; imported only when it is used
CAPTIONERS = {
    "metadata": "caption.captioners.metadata",
    "transformers": "caption.captioners.vlm",
    "server": "caption.captioners.server",
}


def load_captioner(config: CaptionConfig, threads: int = 1) -> Captioner:
    """The captioner that the config names, ready to work.

    Raises:
        ConfigError: its model, server or prompt is not there.
    """
    return import_module(CAPTIONERS[config.captioner]).load(config, threads)
