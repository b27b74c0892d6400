"""Any open_clip model: a name and a pretrained tag, or a path to weights; `hf-hub:` and `local-dir:` names work too."""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from caption.config import EncoderConfig
from caption.encoders.batching import prepared_batches
from caption.weights import weights_hash
from pipeline.base.errors import ConfigError
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.values.pictures import over_background


def from_config(config: EncoderConfig, threads: int, batch_size: int) -> "OpenClipEncoder":
    return OpenClipEncoder(config.model, config.pretrained, config.dtype, batch_size, threads)


def from_details(details: str) -> "OpenClipEncoder":
    model, _, pretrained = details.rpartition(":")  # a model's name may have colons, the weights' may not
    return OpenClipEncoder(model, pretrained)


class OpenClipEncoder:
    """One open_clip model with weights that are there: random ones are refused."""

    def __init__(self, model: str, pretrained: str, dtype: str = "float32", batch_size: int = 64, threads: int = 1):
        """Load the model.

        Args:
            model: name of a model config of open_clip, `hf-hub:ORG/NAME` or `local-dir:FOLDER`.
            pretrained: tag of published weights or path of a file; empty where the model's name brings the weights.
            dtype: of weights and activations: float32, bfloat16 or float16. Vectors are float32 always.
            batch_size: pictures, or texts, that go through the model at once.
            threads: that decode and prepare pictures meanwhile.

        Raises:
            ConfigError: no such model, no such weights, or the hub cannot be reached.
        """
        if ":" in pretrained:
            raise ConfigError(f"embed.pretrained {pretrained!r}: a colon is not allowed; rename the file")
        self._batch_size, self._threads = batch_size, threads
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._dtype = getattr(torch, dtype)
        self._model, self._transform, self._tokenizer = _load(model, pretrained)
        self.id = f"open_clip:{model}:{pretrained}@{weights_hash(self._model)}"
        self._model.to(self._device, self._dtype)
        self.dim = self._encode_tokens(["a"]).shape[1]

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        vectors = [np.empty((0, self.dim), np.float32)]
        for batch in prepared_batches(images, self._prepare, self._batch_size, self._threads):
            features = self._model.encode_image(batch.to(self._device, self._dtype))
            vectors.append(_unit(features))
        return np.concatenate(vectors)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        chunks = [texts[start : start + self._batch_size] for start in range(0, len(texts), self._batch_size)]
        return np.concatenate([np.empty((0, self.dim), np.float32), *map(self._encode_tokens, chunks)])

    @torch.inference_mode()
    def _encode_tokens(self, texts: Sequence[str]) -> np.ndarray:
        return _unit(self._model.encode_text(self._tokenizer(list(texts)).to(self._device)))

    def _prepare(self, image: Image.Image) -> torch.Tensor:
        pixels: torch.Tensor = self._transform(over_background(image))
        return pixels


def _unit(features: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()


def _load(model_name: str, pretrained: str) -> tuple[Any, Any, Any]:
    """The model, its transform of pictures and its tokenizer; open_clip is without types."""
    prepare_torchvision()
    import open_clip

    try:
        model = open_clip.create_model(model_name, pretrained or None, require_pretrained=True, weights_only=True)
        tokenizer = open_clip.get_tokenizer(model_name)
    except (RuntimeError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise ConfigError(f"open_clip model {model_name!r} with weights {pretrained!r}: {error}") from error
    preprocess = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(preprocess, is_train=False)
    return model.eval(), transform, tokenizer
