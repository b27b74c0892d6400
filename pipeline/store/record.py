"""Records: small JSON objects that say what a corpus, a table or a packing was made of; typed, and checked when read.

On disk a record is a plain JSON object, in which versions differ: keys of a newer version are kept, and those that have
come since the first version have a default here.
"""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """Base of all records."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    cure: ClassVar[str]  # what to do about a damaged one

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The record that a JSON text holds.

        Raises:
            ValueError: it holds none; one line says what is wrong.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{key}: {first['msg']}" if key else first["msg"]) from None

    def as_json(self) -> dict[str, Any]:
        """The keys that it was made of or read with, in order, as JSON-able values."""
        return self.model_dump(exclude_unset=True)
