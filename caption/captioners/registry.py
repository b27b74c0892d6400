"""The captioners. A captioner is one line here and one module (docs/captioning.md), or an installed package adds it."""

from caption.captioners.result import Captioner
from caption.config import CaptionConfig
from pipeline import plugins

# name -> module with `load(config, threads) -> Captioner`; imported only when it is used
CAPTIONERS = {
    "metadata": "caption.captioners.metadata",
    "transformers": "caption.captioners.vlm",
    "server": "caption.captioners.server",
}


def load_captioner(config: CaptionConfig, threads: int = 1) -> Captioner:
    """The captioner that the config names, ready to work.

    Raises:
        ConfigError: no captioner has this name, or its model, server or prompt is not there.
    """
    captioner: Captioner = plugins.load("captioner", config.captioner, CAPTIONERS).load(config, threads)
    return captioner
