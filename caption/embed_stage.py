"""The embed stage: views and caption in, vectors of one encoder out."""

import numpy as np
import torch

from caption.config import EmbedConfig
from caption.encoders import load_encoder
from pipeline.compat.devices import cuda_is_available
from pipeline.stages.stage import Failure, Resources, Row, Stage, StageContext
from pipeline.values.pictures import open_view


class EmbedStage(Stage[EmbedConfig]):
    """Embeds all views of a batch of objects in one stream, and their captions."""

    name = "embed"
    reads = {"views": ("images", "width", "height"), "captions": ("caption",)}
    writes = "embeddings"

    def __init__(self, config: EmbedConfig, context: StageContext):
        super().__init__(config, context)
        self.batch_size = config.batch_size

    @classmethod
    def resources(cls, config: EmbedConfig) -> Resources:
        return Resources(gpus=1 if cuda_is_available() else 0, memory_gb=4)

    def setup(self) -> None:
        torch.set_num_threads(self.context.threads)
        self._encoder = load_encoder(self.config, self.context.threads, self.config.image_batch_size)

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        """One row of `embeddings` for every joined row of `views` and `captions`."""
        views = [
            open_view(image["bytes"], (row["width"], row["height"]), f"object {row['uid']}, view {v}")
            for row in batch
            for v, image in enumerate(row["images"])
        ]
        ends = np.cumsum([len(row["images"]) for row in batch])[:-1]
        image_vectors = np.split(self._encoder.encode_images(views), ends)  # B arrays [V, D]
        text_vectors = self._encoder.encode_texts([row["caption"] for row in batch])  # [B, D]
        return [
            self._row(row["uid"], images_VD, text_D)
            for row, images_VD, text_D in zip(batch, image_vectors, text_vectors, strict=True)
        ]

    def _row(self, uid: str, images_VD: np.ndarray, text_D: np.ndarray) -> Row:
        return {
            "uid": uid,
            "encoder": self._encoder.id,
            "dim": self._encoder.dim,
            "image_embeddings": images_VD,
            "text_embedding": text_D,
            "view_weights": images_VD @ text_D,
        }
