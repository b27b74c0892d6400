"""The dataset card (README.md as the Hub reads it) and CITATION.cff, made from what was packed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.pack.histogram import figure, histogram
from pipeline.pack.survey import Survey
from pipeline.store.joined_table import JoinedTable
from pipeline.store.packed import PackedManifest
from pipeline.store.schema import SPLITS, TABLES, TRIPLET_TABLES
from pipeline.values.licences import spdx

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

# The Hub's identifiers of licences: SPDX's in small letters, of those that it knows.
HUB_LICENSES = frozenset((
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-2.0",
    "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc0-1.0", "epl-2.0", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0",
    "ms-pl", "ofl-1.1", "unlicense", "wtfpl", "zlib",
))  # fmt: skip
SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

# What a gate stops, and the field of the config that sets it, by the reason under which it counts.
GATES = {
    "coverage": ("covers too little of its views", "min_coverage"),
    "psnr": ("held-out PSNR too low", "min_psnr"),
    "missing_textures": ("refers to textures of colours that are missing", "allow_missing_textures"),
    "license": ("licence not on the list", "licenses"),
    "caption_score": ("caption score too low", "min_caption_score"),
    "duplicate": ("same content as another object", "drop_duplicates"),
    "near_duplicate": ("looks like another object", "max_similarity"),
}

ESCAPED = {ord(character): f"&#{ord(character)};" for character in "&\\|`<>[]*_#!"}

# In the measures' order on the card.
MEASURES = {
    "psnr": "dB, mean over the held-out views",
    "psnr_object": "dB, over the object's pixels only",
    "ssim": "mean over the held-out views",
    "coverage": "fraction of a view's pixels that the object covers, mean over all views",
    "num_gaussians": "Gaussians of a splat",
    "caption_score": "best score of the caption, if the captioner gives one",
}


def render_card(survey: Survey, manifest: PackedManifest, joined: Sequence[JoinedTable]) -> str:
    """The card as Markdown with the Hub's YAML header.

    Args:
        joined: tables whose columns the objects have in `annotations`.
    """
    environment = Environment(
        loader=PackageLoader("pipeline.pack", ""), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = _cell
    environment.filters["figure"] = figure
    environment.filters["histogram"] = histogram
    splits = {
        split: {
            "rows": sum(item.split == split for item in survey.packed),
            "bytes": sum(entry.bytes for entry in manifest.files if entry.path.startswith(f"{split}/")),
        }
        for split in SPLITS
    }
    return environment.get_template("card.md.j2").render(
        triplets=len(survey.packed),
        objects=survey.objects,
        license=_hub_license(survey.counts["license"]),
        size=next((name for limit, name in SIZE_CATEGORIES if len(survey.packed) < limit), "n>1M"),
        splits={split: facts for split, facts in splits.items() if facts["rows"]},
        counts={column: _by_frequency(counter) for column, counter in survey.counts.items()},
        measures=[(name, text, survey.measures[name]) for name, text in MEASURES.items() if name in survey.measures],
        quantile=np.quantile,
        quantiles=QUANTILES,
        weak_encoder=any(encoder.startswith("conse") for encoder in survey.counts["encoder"]),
        gates=[
            (text, setting, _setting(manifest.config[setting]), manifest.left_out.get(reason, 0))
            for reason, (text, setting) in GATES.items()
        ],
        missing={reason: count for reason, count in manifest.left_out.items() if reason not in GATES},
        joined=joined,
        manifest=manifest,
        columns=[(table, field.name, str(field.type)) for table in TRIPLET_TABLES for field in TABLES[table]],
    )


def render_citation(manifest: PackedManifest) -> str:
    """CITATION.cff: how to cite this packing."""
    environment = Environment(loader=PackageLoader("pipeline.pack", ""), undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("citation.cff.j2").render(manifest=manifest) + "\n"


def _by_frequency(counter: Counter[Any]) -> list[tuple[Any, int]]:
    """(value, count), most frequent first, ties by name."""
    return sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))


def _hub_license(counter: Counter[str]) -> str:
    names = {spdx(license).lower().removesuffix("-only").removesuffix("-or-later") for license in counter}
    return names.pop() if len(names) == 1 and names <= HUB_LICENSES else "other"


def _setting(value: Any) -> str:
    """A field of the config in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(value) or "any"
    return figure(value) if value else "off"


def _cell(value: Any) -> str:
    """Text for a cell of a Markdown table: names come from strangers, so nothing in them may be markup."""
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return text.translate(ESCAPED) or "(none)"
