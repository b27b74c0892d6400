"""Folders laid out as well-known data sets are: recognised by their shape, and what that tells of each object."""

import gzip
import html
import json
import logging
import re
from abc import ABC
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pipeline.assets.sidecars import Told, told_by
from pipeline.assets.tables.json_entries import entries
from pipeline.values.names import is_safe_uid

logger = logging.getLogger(__name__)

LOOKED_AT = 20  # objects whose folders are looked into before a shape is believed
MAX_TABLE_BYTES = 100_000_000  # of a file that is read whole
MAX_LINE = 10_000_000
MAX_UNPACKED_BYTES = 4_000_000_000  # of one file


class Layout(ABC):
    """One data set's folder."""

    title: ClassVar[str]
    files: ClassVar[re.Pattern[str]]  # paths of its objects' main files, with the group `uid`
    license: ClassVar[str] = ""
    creator: ClassVar[str] = ""

    def __init__(self, root: Path, found: dict[str, re.Match[str]]):
        """`found`: the matches of `files`, by their paths below `root`."""
        self.root, self.found = root, found
        self._uids = Counter(match["uid"] for match in found.values())
        self.prepare()

    @classmethod
    def is_likely(cls, root: Path, found: Sequence[re.Match[str]]) -> bool:
        """Whether more speaks for the data set than the names of these files."""
        return True

    def prepare(self) -> None:
        """Read what the data set tells of all objects in one place."""

    def about(self, match: re.Match[str]) -> Told:
        """What is known of one object beside its uid."""
        return Told()

    def sidecars(self, match: re.Match[str]) -> list[str]:
        """Names of files beside an object's main file that tell about it, if its data set has such."""
        return []

    def told(self, match: re.Match[str]) -> Told:
        """What is known of one object; its uid, too, if no other object has the same and it can name a file."""
        uid = match["uid"] if self._uids[match["uid"]] == 1 and is_safe_uid(match["uid"]) else ""
        return Told(uid=uid).over(self.about(match)).over(Told(license=self.license, creator=self.creator))


class ShapeNetCore(Layout):
    """SYNSET/MODEL/models/model_normalized.obj (v2) or SYNSET/MODEL/model.obj (v1); taxonomy.json names the synsets."""

    title = "ShapeNetCore"
    files = re.compile(
        r"(?P<top>(?:.*/)?)(?P<synset>0\d{7})/(?P<uid>[\w.-]{8,})/(?:models/model_normalized|model)\.obj"
    )

    def prepare(self) -> None:
        self._names: dict[str, list[str]] = {}
        for top in {match["top"] for match in self.found.values()}:
            for entry in _json_list(self.root / top / "taxonomy.json"):
                if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                    names = [name.strip() for name in entry["name"].split(",")]
                    self._names[str(entry.get("synsetId"))] = [name for name in names if name]

    def about(self, match: re.Match[str]) -> Told:
        names = self._names.get(match["synset"]) or [match["synset"]]
        return Told(name=names[0] if match["synset"] in self._names else "", category=names[0], tags=tuple(names[1:]))


class GoogleScannedObjects(Layout):
    """NAME/meshes/model.obj, NAME/materials/textures/texture.png, NAME/metadata.pbtxt, NAME/model.config."""

    title = "Google Scanned Objects"
    files = re.compile(r"(?P<object>(?:.*/)?(?P<uid>[^/]+))/meshes/model\.obj")
    license, creator = "CC-BY-4.0", "Google Research"

    @classmethod
    def is_likely(cls, root: Path, found: Sequence[re.Match[str]]) -> bool:
        signs = ("model.config", "metadata.pbtxt", "materials/textures")
        return all(any((root / match["object"] / sign).exists() for sign in signs) for match in found)

    def about(self, match: re.Match[str]) -> Told:
        folder = self.root / match["object"]
        metadata, config = _text(folder / "metadata.pbtxt"), _text(folder / "model.config")
        name = _first(r'^name:\s*"([^"\n]*)"', metadata) or html.unescape(_first(r"<name>([^<]*)</name>", config))
        category = _first(r'^\s*first:\s*"([^"\n]*)"', metadata)
        return Told(name=_words(name or match["uid"]), category=category)


class AmazonBerkeleyObjects(Layout):
    """3dmodels/original/X/ASIN.glb; listings/metadata/*.json.gz tells of the products, one JSON object a line."""

    title = "Amazon Berkeley Objects"
    files = re.compile(r"(?P<top>(?:.*/)?)(?:3dmodels/)?original/[0-9A-Z]/(?P<uid>[0-9A-Z]{10})\.glb")
    license, creator = "CC-BY-4.0", "Amazon.com"

    def prepare(self) -> None:
        wanted = {match["uid"] for match in self.found.values()}
        tops = {self.root / match["top"].removesuffix("3dmodels/") for match in self.found.values()}
        licences = (file for top in tops for folder in (top, top / "3dmodels") for file in folder.glob("LICENSE-*.txt"))
        self._license = next((file.stem.removeprefix("LICENSE-") for file in sorted(licences)), "")  # it has changed
        self._products: dict[str, Told] = {}
        for file in sorted(file for top in tops for file in (top / "listings/metadata").glob("*.json.gz")):
            for product in _json_lines(file):
                uid = product.get("3dmodel_id")
                if uid in wanted and uid not in self._products:
                    self._products[uid] = _product(product)

    def about(self, match: re.Match[str]) -> Told:
        return Told(license=self._license).over(self._products.get(match["uid"], Told()))


class Toys4K(Layout):
    """CATEGORY/CATEGORY_NNN/mesh.obj, or in another format."""

    title = "Toys4K"
    files = re.compile(r"(?:.*/)?(?P<category>[a-z][a-z_]*)/(?P<uid>(?P=category)_\d{3})/mesh\.[a-z]+")

    def about(self, match: re.Match[str]) -> Told:
        return Told(name=_words(match["category"]), category=_words(match["category"]))


class ModelNet(Layout):
    """CATEGORY/train/NAME.off and CATEGORY/test/NAME.off: ModelNet10 and ModelNet40."""

    title = "ModelNet"
    files = re.compile(r"(?:.*/)?(?P<category>[^/]+)/(?P<split>train|test)/(?P<uid>[^/]+)\.off")

    def about(self, match: re.Match[str]) -> Told:
        split = "heldout" if match["split"] == "test" else ""
        return Told(name=_words(match["category"]), category=_words(match["category"]), split=split)


class TexVerse(Layout):
    """UID.glb or UID_SIZE.glb, and metadata.json with an entry for each uid, or UID.json beside each."""

    title = "TexVerse"
    files = re.compile(r"(?P<folder>(?:.*/)?)(?P<uid>[0-9A-Za-z]{20,64})(?:_\d{1,4}k?)?\.glb")

    @classmethod
    def is_likely(cls, root: Path, found: Sequence[re.Match[str]]) -> bool:
        if all((root / match["folder"] / f"{match['uid']}.json").is_file() for match in found):
            return True
        tables = [root / name for name in ("metadata.json", "caption.json", "captions.json")]
        return any(_has_uids(table) for table in tables if table.is_file())

    def prepare(self) -> None:
        wanted = {match["uid"] for match in self.found.values()}
        self._entries: dict[str, Told] = {}
        table = self.root / "metadata.json"
        if table.is_file():
            try:
                for key, entry in entries(table):
                    told = told_by(entry)[0] if isinstance(entry, dict) else Told()
                    if (key or told.uid) in wanted:
                        self._entries[key or told.uid] = told
            except (OSError, ValueError) as error:
                logger.warning("%s: no more than %d entries can be read (%s)", table, len(self._entries), error)

    def sidecars(self, match: re.Match[str]) -> list[str]:
        return [f"{match['uid']}.json"]

    def about(self, match: re.Match[str]) -> Told:
        return self._entries.get(match["uid"], Told())


LAYOUTS: tuple[type[Layout], ...] = (
    ShapeNetCore,
    GoogleScannedObjects,
    AmazonBerkeleyObjects,
    Toys4K,
    ModelNet,
    TexVerse,
)


def recognised(root: Path, files: Sequence[str]) -> Layout | None:
    """The layout of the folder `root`, if more than half of its asset `files` (paths below it) lie as one has them."""
    for layout in LAYOUTS:
        matches = {file: match for file in files if (match := layout.files.fullmatch(file))}
        if 2 * len(matches) > len(files) and layout.is_likely(root, list(islice(matches.values(), LOOKED_AT))):
            logger.info("%s is laid out as %s: so are %d of its %d files", root, layout.title, len(matches), len(files))
            return layout(root, matches)
    return None


def _has_uids(table: Path) -> bool:
    """Whether the entries of a JSON file, the first ones at least, are of uids."""
    try:
        found = list(islice(entries(table), LOOKED_AT))
    except (OSError, ValueError):
        return False
    uids = [key or (told_by(entry)[0].uid if isinstance(entry, dict) else "") for key, entry in found]
    return bool(uids) and all(re.fullmatch(r"[0-9A-Za-z]{20,64}", uid) for uid in uids)


def _product(product: dict[str, Any]) -> Told:
    return Told(
        name=_in_english(product.get("item_name")),
        category=_words(_in_english(product.get("product_type")).lower()),
        tags=tuple(filter(None, (_in_english(product.get(key)) for key in ("color", "material", "brand")))),
    )


def _in_english(values: Any) -> str:
    """Of values by language the American English one, else any English, else the first; those without language too."""
    rows = [row for row in values if isinstance(row, dict)] if isinstance(values, list) else []
    rows = [row for row in rows if isinstance(row.get("value"), str)]
    rows.sort(key=lambda row: (row.get("language_tag") != "en_US", not str(row.get("language_tag")).startswith("en")))
    return " ".join(rows[0]["value"].split()) if rows else ""


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a compressed file; where it is damaged it ends, with a warning."""
    try:
        with gzip.open(file) as lines:
            while line := lines.readline(MAX_LINE):
                if lines.tell() > MAX_UNPACKED_BYTES:
                    raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry
    except (OSError, EOFError, ValueError, RecursionError) as error:
        logger.warning("%s: it cannot be read to its end (%s)", file, error)


def _json_list(file: Path) -> list[Any]:
    """The entries of a list; none, with a warning, where it cannot be read."""
    if not file.is_file():
        return []
    try:
        if file.stat().st_size > MAX_TABLE_BYTES:
            raise ValueError(f"it has more than {MAX_TABLE_BYTES} bytes")
        content: Any = json.loads(file.read_bytes())
        if not isinstance(content, list):
            raise ValueError("it is not a list")
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s: it cannot be read (%s)", file, error)
        return []
    return content


def _text(file: Path) -> str:
    """The beginning of a small text file; nothing where there is none."""
    if not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as text:
        return text.read(100_000)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1].strip() if found else ""


def _words(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name).strip()
