"""Licences as sources write them, and as SPDX does."""

import pytest

from pipeline.values.licences import comparable, spdx


@pytest.mark.parametrize(
    ("written", "identifier"),
    [
        # Sketchfab's, in Objaverse 1.0 and in Objaverse-XL
        ("by", "CC-BY-4.0"),
        ("by-nc", "CC-BY-NC-4.0"),
        ("by-nc-sa", "CC-BY-NC-SA-4.0"),
        ("by-sa", "CC-BY-SA-4.0"),
        ("by-nd", "CC-BY-ND-4.0"),
        ("by-nc-nd", "CC-BY-NC-ND-4.0"),
        ("cc0", "CC0-1.0"),
        ("Creative Commons - Attribution", "CC-BY-4.0"),
        ("Creative Commons - Attribution-NonCommercial", "CC-BY-NC-4.0"),
        ("Creative Commons - Attribution-NonCommercial-ShareAlike", "CC-BY-NC-SA-4.0"),
        ("Creative Commons - Attribution-NonCommercial-NoDerivatives", "CC-BY-NC-ND-4.0"),
        ("Creative Commons - Attribution-ShareAlike", "CC-BY-SA-4.0"),
        ("Creative Commons - Attribution-NoDerivatives", "CC-BY-ND-4.0"),
        ("CC0 Public Domain", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        # GitHub's
        ("MIT License", "MIT"),
        ("Apache License 2.0", "Apache-2.0"),
        ("GNU General Public License v3.0", "GPL-3.0-only"),
        ("GNU General Public License v2.0", "GPL-2.0-only"),
        ("GNU Affero General Public License v3.0", "AGPL-3.0-only"),
        ("GNU Lesser General Public License v2.1", "LGPL-2.1-only"),
        ("Creative Commons Zero v1.0 Universal", "CC0-1.0"),
        ("Creative Commons Attribution Share Alike 4.0 International", "CC-BY-SA-4.0"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("The Unlicense", "Unlicense"),
        ("Mozilla Public License 2.0", "MPL-2.0"),
        ("Do What The F*ck You Want To Public License", "WTFPL"),
        # identifiers in any case, old ones too
        ("mit", "MIT"),
        ("cc-by-sa-3.0", "CC-BY-SA-3.0"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("gpl-2.0+", "GPL-2.0-or-later"),
        ("Apache-2.0", "Apache-2.0"),
        # as people write them
        ("CC-BY 3.0", "CC-BY-3.0"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
        ("Creative Commons Attribution 3.0 (CC-BY 3.0)", "CC-BY-3.0"),
        ("Creative Commons Attribution-Share Alike 2.0 Generic", "CC-BY-SA-2.0"),
        ("Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)", "CC-BY-NC-4.0"),
        ("CC-0", "CC0-1.0"),
        ("Creative Commons Zero (Public Domain)", "CC0-1.0"),
        ("Creative Commons Attribution 3.0 United States license", "CC-BY-3.0-US"),
        ("Creative Commons Attribution 3.0 Unported license", "CC-BY-3.0"),
        ("CC BY 3", "CC-BY-3.0"),
        ("GPLv3", "GPL-3.0-only"),
        ("  Apache License,\n Version 2.0 ", "Apache-2.0"),
        # addresses
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC-BY-NC-SA-4.0"),
        ("http://creativecommons.org/licenses/by/3.0/us/deed.en", "CC-BY-3.0-US"),
        ("https://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0-1.0"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://spdx.org/licenses/BSD-3-Clause.html", "BSD-3-Clause"),
    ],
)
def test_known_spellings(written, identifier):
    assert spdx(written) == identifier
    assert spdx(identifier) == identifier


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Other",
        "Free Standard",
        "Standard",
        "Editorial",
        "Public Domain",
        "by hand",
        "no",
        "CC-BY 3.0 or CC-BY 4.0",
        "CC-BY-9.0",
        "CC-BY 4.0 United States",
        "CC0 attribution",
        "Creative Commons",
        "My own licence",
        "https://creativecommons.org/licenses/by/9.9/",
        "https://creativecommons.org/",
        "https://example.org/licenses/MIT",
        "http://[::1",
    ],
)
def test_what_is_not_known_stays(written):
    assert spdx(written) == written


def test_comparison():
    assert comparable(["MIT License", "cc-by-4.0", "", "OTHER"]) == comparable(["mit", "by", "Other"])
