"""Lists of objects' names as people have them: text, CSV, Parquet or JSON, gzipped or not, on a disk or in a bucket.

Of a table the key is used (see `KEYS`), whatever else it holds. What a file is, its content says, not its ending.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets.fetch.addresses import shown
from pipeline.base.errors import ConfigError

MAX_BYTES = 2_000_000_000  # of a list, unpacked; Cap3D's table of a million captions has 0.2 GB
MAX_JSON_BYTES = 500_000_000  # which is held in memory, all of it
MAX_LINE = 1_000_000  # characters
MAX_NAMES = 20_000_000  # Objaverse-XL has 10 million objects
MAX_NAME = 2_000  # characters; what is longer names nothing
BATCH_ROWS = 65_536
# Columns that name objects, the plainest first: without case, `_`, `-` and blanks.
KEYS = ("uid", "fileidentifier", "sha256")
SPOKEN_KEYS = "uid, file_identifier or sha256"
DELIMITERS = (",", "\t", ";", "|")
UID = re.compile(r"[0-9A-Za-z]{1,64}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_URL = re.compile(r"https?://", re.IGNORECASE)
_OBJAVERSE_FILE = re.compile(r"(?:.*[/\\])?glbs[/\\]\d{3}-\d{3}[/\\]([0-9A-Za-z]{1,64})\.glb(?:\?.*)?", re.IGNORECASE)
_SKETCHFAB_PAGE = re.compile(
    r"https?://(?:www\.)?sketchfab\.com/(?:3d-models|models|show)/(?:[^/?#]*-)?([0-9A-Za-z]{1,64})(?:[/?#].*)?",
    re.IGNORECASE,
)
_GLB_FILE = re.compile(r"(?:.*[/\\])?([0-9A-Za-z]{1,64})\.glb", re.IGNORECASE)
_NO_ROW = re.compile(r'\s*#|"?sep=.')  # a comment, or what Excel writes before the header
_COMMENT = re.compile(r"(?:^|\s)#.*")
_LONG_UID = re.compile(r"[0-9A-Za-z]{20,64}")


def read_names(path: str, setting: str) -> Iterator[str]:
    """The names in a list, as `canonical` spells them, in its order; one that stands there twice comes twice.

    Text: one or more names a line (`UID.glb`, `glbs/000-023/UID.glb` and addresses too), `#` begins a comment. CSV: a
    header with a column of `KEYS`, else the names stand first in the row. Parquet: such a column. JSON: a list of
    names or of objects with such a key, an object whose keys are the names, or one of lists; also one value a line.

    Args:
        setting: the field of the config that gives `path`, for messages.

    Raises:
        ConfigError: the list cannot be read, is none of these forms, is empty or too large.
    """
    name = shown(path) if "://" in path else path
    count = 0
    try:
        with _opened(path) as file:
            for text in _raw_names(file, PurePosixPath(name).name.lower()):
                if uid := canonical(text):
                    count += 1
                    if count > MAX_NAMES:
                        raise ValueError(f"it has more than {MAX_NAMES} names")
                    yield uid
    except UnicodeError as error:
        raise ConfigError(f"{setting}: {name} is not a text, Parquet or gzip file") from error
    except (OSError, EOFError, zlib.error, csv.Error, pa.ArrowException, ValueError, RecursionError) as error:
        reason = " ".join(str(error).replace(path, name).split())[:300] or type(error).__name__
        raise ConfigError(f"{setting}: {name} cannot be read as a list of objects: {reason}") from error
    if not count:
        raise ConfigError(f"{setting}: {name} is empty: it names no object")


def canonical(text: str) -> str:
    """An object's name as sources compare it: a SHA-256 in small letters, a uid without folder and `.glb`, the uid in
    the address of a Sketchfab page, any other address as it is. Letters of uids stay: two that differ in case are two.
    """
    name = text.strip().strip("\"'").strip()[:MAX_NAME]
    if name.isalnum():
        return name.lower() if _SHA256.fullmatch(name) else name
    for form in (_OBJAVERSE_FILE, _SKETCHFAB_PAGE):
        if found := form.fullmatch(name):
            return found[1]
    if not _URL.match(name) and (found := _GLB_FILE.fullmatch(name)):
        return found[1]
    return name


def is_sha256(name: str) -> bool:
    return _SHA256.fullmatch(name) is not None


class _Bounded(io.RawIOBase):
    """A stream that ends in a ValueError when it holds more bytes than a list may."""

    def __init__(self, file: Any):
        super().__init__()
        self._file, self._count = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        self._count += len(data)
        if self._count > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        buffer[: len(data)] = data
        return len(data)


def _opened(path: str) -> Any:
    try:
        return fsspec.open(path, "rb").open()
    except Exception as error:  # each kind of store has errors of its own
        raise ValueError(f"it cannot be opened ({str(error) or type(error).__name__})") from error


def _raw_names(file: Any, file_name: str) -> Iterator[str]:
    magic = file.read(4)
    file.seek(0)
    if magic == b"PAR1":
        return _parquet_names(file)
    unpacked = gzip.GzipFile(fileobj=file) if magic[:2] == b"\x1f\x8b" else file
    stream = io.BufferedReader(_Bounded(unpacked))
    wide = stream.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff")
    # Letters of another encoding are in no name, but may be in the captions beside them.
    text = io.TextIOWrapper(stream, encoding="utf-16" if wide else "utf-8-sig", errors="replace", newline="")
    start, first = [], ""
    for first in _lines(text):
        start.append(first)
        if first.strip():
            break
    if first.lstrip()[:1] in ("[", "{"):
        rest = text.read(MAX_JSON_BYTES)
        if text.read(1):
            raise ValueError(f"JSON of more than {MAX_JSON_BYTES} characters")
        return _json_names("".join(start) + rest)
    return _text_names(chain(start, _lines(text)), ".csv" in file_name or ".tsv" in file_name)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if "\0" in line:
            raise UnicodeError("a zero byte")
        if len(line) == MAX_LINE:
            raise ValueError(f"a line has {MAX_LINE} characters or more")
        yield line


# Text and CSV


def _text_names(lines: Iterator[str], is_table: bool) -> Iterator[str]:
    """The names in lines of text, which are rows of a table if the first of them says so."""
    first = next((line for line in lines if line.strip() and not _NO_ROW.match(line)), "")
    for delimiter in DELIMITERS:
        names = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        places = _key_places([name.strip() for name in names])
        if places:
            return _cells(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), places, delimiter)
    delimiter = next((mark for mark in DELIMITERS if mark in first), "")
    whole_lines = not is_table and _URL.match(first.strip().strip("\"'"))  # addresses may hold commas
    if not delimiter or whole_lines:
        return chain.from_iterable(map(_words, chain([first], lines)))
    rows = csv.reader(chain([first], lines), delimiter=delimiter, skipinitialspace=True)
    row = next(rows)
    if all(_LONG_UID.fullmatch(cell.strip()) and not is_sha256(cell.strip()) for cell in row):  # names, side by side
        return chain.from_iterable(_words(line.replace(delimiter, " ")) for line in chain([first], lines))
    if not _looks_like_name(row[0]):
        raise ValueError(f"it has no column {SPOKEN_KEYS}, only {', '.join(row)[:200]}")
    return _cells(chain([row], rows), [0], delimiter)


def _words(line: str) -> list[str]:
    line = line.strip()
    return [line] if _URL.match(line) else _COMMENT.sub("", line).split()


def _cells(rows: Iterator[list[str]], places: list[int], delimiter: str) -> Iterator[str]:
    """Of each row the first cell at one of the places that is not empty.

    Raises:
        ValueError: a cell holds further rows, since its quote does not end where it should.
    """
    for row in rows:
        if row and not row[0].startswith("#"):
            yield next((row[place] for place in places if place < len(row) and row[place].strip()), "")
        for line in chain.from_iterable(cell.split("\n")[1:] for cell in row if "\n" in cell):
            cells = line.split(delimiter)
            if any(place < len(cells) and _LONG_UID.fullmatch(cells[place].strip()) for place in places):
                raise ValueError(f"a quote before {line[:80]!r} is not closed")


def _looks_like_name(text: str) -> bool:
    """Whether a text can hardly be anything but an object's name: a word may be a heading as well."""
    name = canonical(text)
    if UID.fullmatch(name):
        return name != text.strip() or len(name) >= 20 or any(letter.isdigit() for letter in name)
    return _URL.match(name) is not None


def _key_places(names: list[str]) -> list[int]:
    """Where the columns of `KEYS` stand, in the order of `KEYS`."""
    plain = [re.sub(r"[\s_-]", "", name).casefold() for name in names]
    return [plain.index(key) for key in KEYS if key in plain]


# Parquet


def _parquet_names(file: Any) -> Iterator[str]:
    with pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        columns = [names[place] for place in _key_places(names)]
        if not columns:
            raise ValueError(f"it has no column {SPOKEN_KEYS}, only {', '.join(names)[:200]}")
        for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
            places = _key_places(batch.schema.names)
            for values in zip(*(batch.column(place).to_pylist() for place in places), strict=True):
                yield next((_name_of(value) for value in values if value), "")


# JSON


def _json_names(text: str) -> Iterator[str]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        value = [json.loads(line) for line in text.splitlines() if line.strip()]  # one value a line
    return _names_in(value)


def _names_in(value: Any) -> Iterator[str]:
    items = _of_object(value) if isinstance(value, dict) else cast(list[Any], value)
    keyed = False
    for item in items:
        if not isinstance(item, dict):
            yield _name_of(item)
            continue
        keys = list(item)
        places = _key_places(keys)
        keyed = keyed or bool(places)
        if not keyed:
            raise ValueError(f"its objects have no key {SPOKEN_KEYS}, only {', '.join(keys)[:200]}")
        yield next((_name_of(item[keys[place]]) for place in places if item[keys[place]]), _name_of(item)[:200])


def _of_object(mapping: dict[str, Any]) -> list[Any]:
    """What the names are in: the object's keys, its lists, its values, or the object itself."""
    keys, values = list(mapping), list(mapping.values())
    for column in (values[place] for place in _key_places(keys)):
        if isinstance(column, dict):  # as pandas writes tables: column -> number of the row -> value
            return list(column.values())
        return column if isinstance(column, list) else [mapping]
    if _mostly_names(keys):
        return keys
    if all(isinstance(value, list) for value in values):
        return [name for value in values for name in value]
    if all(isinstance(value, str) for value in values) and _mostly_names(values):
        return values
    if all(UID.fullmatch(key) for key in keys):
        return keys
    raise ValueError(f"its keys are no names of objects: {', '.join(keys)[:200]}")


def _mostly_names(texts: list[str]) -> bool:
    sure = sum(_LONG_UID.fullmatch(canonical(text)) is not None or bool(_URL.match(text)) for text in texts)
    return sure > 0 and 2 * sure >= len(texts)


def _name_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else json.dumps(value, default=str)[:MAX_NAME]
