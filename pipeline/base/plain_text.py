"""Text of strangers (names, addresses, messages about them) made safe for terminals, logs and tables."""

import re

# What moves the cursor, colours, rings, hides or turns text around: control characters but for line ends and tabs,
# marks of writing direction, separators that some viewers take for line ends, halves of characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def plain_text(text: str) -> str:
    r"""The text with everything that is not plainly text written as an escape: ESC becomes `\x1b`."""
    return _UNSAFE.sub(_escaped, text)


def plain_line(text: str) -> str:
    """The same in one line: runs of blanks and line ends are one blank."""
    return plain_text(" ".join(text.split()))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
