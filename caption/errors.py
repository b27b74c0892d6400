"""Reasons why an object has no caption."""

from pipeline.base.errors import AssetError, PipelineError


class BadRender(AssetError):
    """The views show nothing to describe: they are empty, of one colour, or without their textures.

    Attributes:
        kind: which of these it is, in a few words.
    """

    def __init__(self, message: str, kind: str = ""):
        super().__init__(message)
        self.kind = kind


class ServerFailure(PipelineError):
    """The model's server failed, despite several attempts."""

    retryable = True


class BadCaption(PipelineError):
    """The model's answer is not one clean sentence, even when asked again."""
