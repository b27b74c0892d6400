"""Base of every section of the config, and the hash that says whether finished work still fits it."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_RUNTIME: JsonDict = {"runtime": True}  # marks the fields made with `runtime`


class Section(BaseModel):
    """A section of the config: frozen, and unknown keys are errors.

    Fields made with `runtime` change how a stage runs, never what it writes; they are left out of `content`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content(self) -> dict[str, Any]:
        """The fields that decide what the stage writes, as JSON-able values."""
        fields = type(self).model_fields
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if fields[name].json_schema_extra != _RUNTIME}


def runtime(default: Any, **kwargs: Any) -> Any:
    """A field that changes speed or safety, not results: it may differ when a run is resumed."""
    return Field(default, json_schema_extra=_RUNTIME, **kwargs)


def content_hash(value: Any) -> str:
    """16 hex digits that depend on a JSON-able value alone."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
