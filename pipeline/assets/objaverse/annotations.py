"""What Sketchfab says of an object of Objaverse, as the dataset's annotations keep it, and the columns made of it."""

import sys
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.values.licences import spdx


class Label(BaseModel):
    """A tag or a category."""

    name: str | None = None


class User(BaseModel):
    displayName: str | None = None
    username: str | None = None


class Annotation(BaseModel):
    """What is used of an object's annotation (the names are the file's)."""

    name: str | None = None
    tags: list[Label] | None = None
    categories: list[Label] | None = None
    user: User | None = None
    license: str | None = None
    viewerUrl: str | None = None


ANNOTATIONS = TypeAdapter(dict[str, Annotation])  # of the objects of one folder below glbs/


def annotation_of(value: Any) -> tuple[Annotation, str]:
    """What can be used of an object's annotation, and the first thing that is wrong with the rest (empty: nothing)."""
    try:
        return Annotation.model_validate(value), ""
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
    for fault in faults:
        value = _without(value, fault["loc"])
    return Annotation.model_validate(value), f"{'.'.join(map(str, faults[0]['loc']))} {faults[0]['msg']}".strip()


def _without(value: Any, place: tuple[int | str, ...]) -> Any:
    """A copy of the value, with null where `place` leads, or an empty object where that is in a list, or everything."""
    if not place:
        return {}
    first, rest = place[0], place[1:]
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[first] = _without(copy[first], rest)
    else:
        copy[first] = None if isinstance(copy, dict) else {}
    return copy


def described(annotation: Annotation, uid: str) -> dict[str, Any]:
    """The columns of the index that an annotation gives: origin_uri, name, tags, category, license, creator.

    Texts that many objects share are interned: a plan holds 800,000 rows.
    """
    user, page = annotation.user, annotation.viewerUrl or ""
    return {
        "origin_uri": page if page.startswith(("https://", "http://")) else f"https://sketchfab.com/3d-models/{uid}",
        "name": annotation.name or "",
        "tags": [sys.intern(tag.name) for tag in annotation.tags or () if tag.name],
        "category": sys.intern(next((label.name for label in annotation.categories or () if label.name), "")),
        "license": spdx(annotation.license or ""),
        "creator": sys.intern((user.displayName or user.username or "") if user else ""),
    }
