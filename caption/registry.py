"""The captioners. A captioner is one line here and one class (docs/captioning.md)."""

from importlib import import_module

from caption.config import CaptionConfig
from caption.result import Captioner

# name -> its class, made with (config, threads); imported only when it is used
CAPTIONERS = {
    "metadata": "caption.metadata:MetadataCaptioner",
    "transformers": "caption.vlm:TransformersCaptioner",
}


def load_captioner(config: CaptionConfig, threads: int = 1) -> Captioner:
    """The captioner that the config names, ready to work.

    Raises:
        ConfigError: its model or prompt cannot be loaded.
    """
    module, _, attribute = CAPTIONERS[config.captioner].partition(":")
    return getattr(import_module(module), attribute)(config, threads)
