"""The dataset card: README.md as the Hub reads it, made from what was packed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.pack.survey import SPLITS, Survey
from pipeline.schema import TABLES, TRIPLET_TABLES

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

# The Hub's identifiers of licences, by the spellings that asset sources use.
HUB_LICENSES = {
    "CC0": "cc0-1.0",
    "CC0 1.0": "cc0-1.0",
    "CC-0": "cc0-1.0",
    "CC-BY": "cc-by-4.0",
    "CC-BY 3.0": "cc-by-3.0",
    "CC-BY 4.0": "cc-by-4.0",
    "CC-BY-SA": "cc-by-sa-4.0",
    "CC-BY-NC": "cc-by-nc-4.0",
    "CC-BY-NC-SA": "cc-by-nc-sa-4.0",
}
SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

# What a reader may want to know of each gate; missing_TABLE is explained in the template.
GATE_NAMES = {
    "coverage": "covers too little of its views",
    "psnr": "held-out PSNR too low",
    "missing_textures": "names textures that it does not bring",
    "license": "licence not on the list",
    "caption_score": "caption score too low",
    "duplicate": "same content as another object",
    "near_duplicate": "looks like another object",
}


def render_card(survey: Survey, manifest: Mapping[str, Any]) -> str:
    """The card as Markdown with the Hub's YAML header."""
    environment = Environment(
        loader=PackageLoader("pipeline.pack", ""), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = _cell
    splits = {
        split: {
            "rows": sum(item.split == split for item in survey.packed),
            "bytes": sum(entry["bytes"] for entry in manifest["files"] if entry["path"].startswith(f"{split}/")),
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
        measures={column: np.quantile(values, QUANTILES) for column, values in survey.measures.items()},
        quantiles=QUANTILES,
        weak_encoder=any(encoder.startswith("conse") for encoder in survey.counts["encoder"]),
        left_out={GATE_NAMES.get(reason, reason): count for reason, count in manifest["left_out"].items()},
        manifest=manifest,
        columns=[(table, field.name, str(field.type)) for table in TRIPLET_TABLES for field in TABLES[table]],
    )


def _by_frequency(counter: Counter) -> list[tuple[Any, int]]:
    """(value, count), most frequent first, ties by name."""
    return sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))


def _hub_license(counter: Counter) -> str:
    known = {HUB_LICENSES.get(license) for license in counter}
    return known.pop() if len(known) == 1 and None not in known else "other"


def _cell(value: Any) -> str:
    """Text for a cell of a Markdown table: names come from strangers, so nothing in them may be markup."""
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    for character in "\\|`<>[]*_#!":
        text = text.replace(character, f"&#{ord(character)};")
    return text or "(none)"
