"""The record of a finished shard, in the footer of its Parquet file: what made it, from what, and what came out."""

from typing import Any, ClassVar, Self

from pipeline.base.settings import content_hash
from pipeline.store.record import Record

Fingerprints = dict[str, str]  # of rows, by uid, in the shard's order


class ShardRecord(Record):
    """What the runner notes of a shard. All keys are of the first version.

    Reading one of 64 objects takes 40 us, where `json.loads` alone would take 56 (`--status` reads up to 100,000).
    """

    cure: ClassVar[str] = "--repair removes it, so that the next run makes it again"

    stage: str
    config_hash: str  # of `content`
    content: dict[str, dict[str, Any]]  # the settings that decide what the stage writes, by section
    uids_in: int
    rows: int
    failed: int
    seconds: float  # for the objects, over all runs
    setup_seconds: float  # of its workers' stages, where this was their first shard
    cpu_seconds: float
    code_version: str
    fingerprint: str  # of `outputs` and of what failed
    inputs: Fingerprints
    outputs: Fingerprints

    @classmethod
    def of(
        cls,
        stage: str,
        content: dict[str, dict[str, Any]],
        inputs: Fingerprints,
        outputs: Fingerprints,
        *,
        seconds: float,
        setup_seconds: float,
        cpu_seconds: float,
        code_version: str,
    ) -> Self:
        """The record of a shard in which every object of `inputs` that is not among `outputs` failed."""
        return cls(
            stage=stage,
            config_hash=content_hash(content),
            content=content,
            uids_in=len(inputs),
            rows=len(outputs),
            failed=len(inputs) - len(outputs),
            seconds=seconds,
            setup_seconds=setup_seconds,
            cpu_seconds=cpu_seconds,
            code_version=code_version,
            fingerprint=_made(inputs, outputs),
            inputs=inputs,
            outputs=outputs,
        )

    @property
    def agrees_with_itself(self) -> bool:
        """Whether settings, inputs and outputs are those that the hashes beside them were made of."""
        made = (content_hash(self.content), _made(self.inputs, self.outputs))
        return (self.config_hash, self.fingerprint) == made


def _made(inputs: Fingerprints, outputs: Fingerprints) -> str:
    return content_hash({"rows": outputs, "failed": sorted(inputs.keys() - outputs.keys())})
