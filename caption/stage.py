"""The caption stage: metadata and views in, one sentence out."""

from caption.captioners.load import load_captioner
from caption.captioners.result import Caption
from caption.config import CaptionConfig
from caption.pictures.subject import ASSET_COLUMNS, VIEW_COLUMNS, Subject
from pipeline.compat.devices import cuda_is_available
from pipeline.stages.stage import Failure, Resources, Row, Stage, StageContext

OBJECTS = 32
"""Objects given to a model's captioner at once, so that it prepares some while the model works on others."""


class CaptionStage(Stage[CaptionConfig]):
    """Captions objects by the registered captioner that the config names."""

    name = "caption"
    reads = {"assets": ASSET_COLUMNS, "views": VIEW_COLUMNS}
    writes = "captions"

    def __init__(self, config: CaptionConfig, context: StageContext):
        super().__init__(config, context)
        self.batch_size = OBJECTS if config.captioner != "metadata" else 1

    @classmethod
    def resources(cls, config: CaptionConfig) -> Resources:
        if config.captioner != "transformers":
            return Resources()
        return Resources(cpus=2, gpus=1 if cuda_is_available() else 0, memory_gb=8)

    def setup(self) -> None:
        self._captioner = load_captioner(self.config, self.context.threads)

    def process(self, batch: list[Row]) -> list[Row | Failure]:
        """One row of `captions`, or one failure, for every joined row of `assets` and `views`."""
        subjects = [Subject.from_row(row) for row in batch]
        results = self._captioner.caption(subjects)
        return [self._row(subject.uid, result) for subject, result in zip(subjects, results, strict=True)]

    def _row(self, uid: str, result: Caption | Exception) -> Row | Failure:
        if isinstance(result, Exception):
            return Failure.from_exception(uid, result)
        return {
            "uid": uid,
            "caption": result.text,
            "caption_source": self._captioner.source,
            "view_captions": list(result.view_captions),
            "caption_views": list(result.views),
            "prompt_id": result.prompt_id,
            "scores": list(result.scores),
        }
