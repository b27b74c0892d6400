"""The errors that a stage may raise for one object, and the one that stops a run.

A message names the object where it has one, says what is wrong and, where there is one, the cure.
"""


class PipelineError(Exception):
    """Base of the typed failures. `retryable` says whether the same object may succeed on a second attempt."""

    retryable = False
    log_tail: str  # the end of what the process that failed has printed; not there where none was asked


class AssetError(PipelineError):
    """The object itself is at fault (broken, empty, hostile, unsupported): a retry cannot help."""


class Missing(AssetError):
    """The asset is no longer where it was."""


class Modified(AssetError):
    """The file is not the one that was listed: its checksum differs."""


class WorkerCrash(PipelineError):
    """The process that worked on the object died."""

    retryable = True


class Timeout(PipelineError):
    """The object took longer than its time limit and was stopped."""

    retryable = True


class Unreachable(PipelineError):
    """The server of the object could not be reached, was overloaded or closed the connection."""

    retryable = True


class QuotaExceeded(Unreachable):
    """The server has the file, but hands none out until its owner's quota is renewed (Git's Large File Storage)."""


class ConfigError(PipelineError):
    """What the user asked for cannot be run. Stops the run at once: one line, exit code 2."""


class StorageError(PipelineError):
    """The corpus's storage could not be reached, or failed in spite of many attempts.

    No object is at fault: it stops the run, which the same command resumes.
    """

    retryable = True


class ContractError(PipelineError):
    """A stage did not return what its contract asks for: a fault in the stage, not in the object."""
