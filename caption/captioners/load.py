"""Loads the captioner that the config names (caption/registry.py, docs/captioning.md)."""

from caption.captioners.result import Captioner
from caption.config import CaptionConfig
from caption.registry import CAPTIONERS
from pipeline.base import plugins


def load_captioner(config: CaptionConfig, threads: int = 1) -> Captioner:
    """The captioner that the config names, ready to work.

    Raises:
        ConfigError: its model, server or prompt is not there, or an installed package that adds it is at fault.
    """
    captioner: Captioner = plugins.load("captioner", config.captioner, CAPTIONERS).load(config, threads)
    return captioner
