"""Why an object has no caption."""

from pipeline.errors import AssetError, PipelineError


class BadRender(AssetError):
    """The views show nothing that could be described: empty, all of one colour, or without their textures.

    Attributes:
        kind: which of these it is, in a few words.
    """

    def __init__(self, message: str, kind: str = ""):
        super().__init__(message)
        self.kind = kind


class ServerFailure(PipelineError):
    """The server of the model failed, though it was asked several times."""

    retryable = True


class BadCaption(PipelineError):
    """The model's answer is not one clean sentence, even when asked again."""
