"""What it means when a server refuses a file: its status, and what it says beside it."""

import re
from http import HTTPStatus

import requests
from urllib3.exceptions import HTTPError

from pipeline.base.errors import AssetError, Missing, QuotaExceeded, Unreachable

REASONS = {
    401: "the server asks for credentials",
    403: "the server denies access",
    404: "there is no such file",
    410: "the file has been withdrawn",
    451: "it is withheld for legal reasons (a takedown notice)",
}
GONE = (404, 410, 451)
QUOTA_STATUS = 509  # what servers of Git's Large File Storage may say; the others say 403, 404, … and words such as
# "This repository is over its data quota. Account responsible for LFS bandwidth should purchase more data packs to
# restore access." or "This repository exceeded its LFS budget. …"
_QUOTA = re.compile(
    rb"\b(?:data|LFS|bandwidth|storage|transfer)[ -](?:quota|budget|bandwidth|limit)|\bdata packs\b", re.IGNORECASE
)
READ_BYTES = 2048  # of what a server says beside its status


class Refusal:
    """An answer without the file. Reads the start of what the server says, as far as it has arrived."""

    def __init__(self, name: str, response: requests.Response):
        """
        Args:
            name: the address as messages name it.
        """
        self._name, self._status = name, response.status_code
        try:
            said = response.raw.read1(READ_BYTES, decode_content=False)
        except (HTTPError, OSError):  # then it says nothing but its status
            said = b""
        self.is_over_quota = self._status == QUOTA_STATUS or bool(_QUOTA.search(said))

    def error(self, cure: str = "") -> AssetError | Unreachable:
        """What the answer means; `cure` is what lets people in who are not let in.

        Missing for a file that is gone, QuotaExceeded for one that is there but whose owner's bandwidth is used up,
        whatever the status is; else AssetError.
        """
        line = status_line(self._status)
        if self.is_over_quota:
            return QuotaExceeded(
                f"{self._name}: the server has it, but says that its owner's quota is used up ({line}); try again later"
            )
        kind = Missing if self._status in GONE else AssetError
        hint = f"; {cure}" if cure and self._status in (401, 403) else ""
        return kind(f"{self._name}: {REASONS.get(self._status, 'the server refuses it')} ({line}){hint}")


def status_line(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return f"HTTP {status} {phrase}".rstrip()
