"""Thrift's compact protocol, in which Parquet writes its footers and page headers.

A struct is `{field id: (type, value)}`, a list `(element type, values)`; what the numbers mean is the caller's to know
(parquet.thrift of apache/parquet-format). Source: "Thrift Compact Protocol", doc/specs/thrift-compact-protocol.md of
apache/thrift.
"""

from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
STOP = 0
DOUBLE_BYTES = 8

Struct = dict[int, tuple[int, Any]]


def decode(data: memoryview | bytes, start: int = 0) -> tuple[Struct, int]:
    """The struct at `start` and the place of the byte after it.

    Raises:
        ValueError, IndexError: there is no such struct.
    """
    reader = _Reader(data, start)
    return reader.struct(), reader.at


def encode(struct: Struct) -> bytes:
    """The struct's bytes."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: memoryview | bytes, at: int):
        self.data, self.at = data, at

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while True:
            header = self.data[self.at]
            self.at += 1
            if header == STOP:
                return fields
            number = number + (header >> 4) if header >> 4 else self.integer()
            kind = header & 15
            if I16 <= kind <= I64:  # most are, and this is where the time goes
                fields[number] = (kind, self.integer())
            else:
                fields[number] = (kind, kind == TRUE if kind <= FALSE else self.value(kind))

    def value(self, kind: int) -> Any:
        """A value of any type but a bool that is a field, which its type says."""
        if I16 <= kind <= I64:
            return self.integer()
        if kind == BINARY:
            return self.take(self.varint())
        if kind == STRUCT:
            return self.struct()
        if kind in (LIST, SET):
            header = self.take(1)[0]
            size = self.varint() if header >> 4 == 15 else header >> 4
            return header & 15, [self.value(header & 15) for _ in range(size)]
        if kind in (TRUE, FALSE):  # the elements of a list
            return self.take(1)[0] == TRUE
        if kind == BYTE:
            return self.take(1)[0]
        if kind == DOUBLE:
            return self.take(DOUBLE_BYTES)
        raise ValueError(f"not Parquet's Thrift: type {kind}")

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise IndexError("truncated Thrift data")
        taken = bytes(self.data[self.at : end])
        self.at = end
        return taken

    def varint(self) -> int:
        data, at = self.data, self.at
        result = shift = 0
        while (byte := data[at]) > 127:
            result |= (byte & 127) << shift
            shift += 7
            at += 1
        self.at = at + 1
        return result | byte << shift

    def integer(self) -> int:
        """A zigzag varint."""
        number = self.varint()
        return (number >> 1) ^ -(number & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for number, (kind, value) in sorted(struct.items()):
        if kind in (TRUE, FALSE):
            kind = TRUE if value else FALSE
        if number - last <= 15:
            out.append((number - last) << 4 | kind)
        else:
            out.append(kind)
            _write_integer(out, number)
        if kind not in (TRUE, FALSE):
            _write_value(out, kind, value)
        last = number
    out.append(STOP)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if I16 <= kind <= I64:
        _write_integer(out, value)
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind in (LIST, SET):
        element, values = value
        if len(values) < 15:
            out.append(len(values) << 4 | element)
        else:
            out.append(15 << 4 | element)
            _write_varint(out, len(values))
        for item in values:
            _write_value(out, element, item)
    elif kind in (TRUE, FALSE):
        out.append(TRUE if value else FALSE)
    elif kind == BYTE:
        out.append(value)
    elif kind == DOUBLE:
        out += value
    else:
        raise ValueError(f"not Parquet's Thrift: type {kind}")


def _write_varint(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _write_integer(out: bytearray, number: int) -> None:
    _write_varint(out, (number << 1) ^ (number >> 63))
