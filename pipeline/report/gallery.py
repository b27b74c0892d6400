"""One card of the contact sheet: an object's pictures, what was measured and where it comes from."""

from dataclasses import dataclass

from pipeline.report.pictures import comparison_sheet, data_uri
from pipeline.rows import Row

SEARCHED = ("uid", "name", "caption", "category", "creator", "license", "source", "split")


@dataclass(frozen=True)
class Card:
    """What the page shows of one object."""

    uid: str
    name: str
    psnr: float
    caption: str
    caption_source: str
    sheet: str  # data URI
    lines: int  # views on the sheet
    search_text: str  # what the filter of the gallery looks through, in lower case
    facts: list[tuple[str, str]]  # label, value
    place: int = 0  # in the ranking by PSNR, 0 is the best
    badge: str = ""  # best | median | worst, or none
    href: str = ""  # of the object's own page


def draw_card(row: Row) -> Card:
    """The card of one object that was fitted, from its joined row; its place is for the caller to say."""
    sheet = comparison_sheet(row)
    tile = sheet.width // 3
    return Card(
        uid=row["uid"],
        name=row["name"] or row["uid"],
        psnr=row["psnr"],
        caption=row.get("caption", ""),
        caption_source=row.get("caption_source", "no caption"),
        sheet=data_uri(sheet),
        lines=sheet.height // tile,
        search_text=" ".join([*(row.get(name) or "" for name in SEARCHED), *row["tags"]]).lower(),
        facts=_facts(row),
    )


def _facts(row: Row) -> list[tuple[str, str]]:
    facts = [
        ("PSNR", f"{row['psnr']:.2f} dB"),
        ("on the object", f"{row['psnr_object']:.2f} dB"),
        ("worst view", f"{row['psnr_worst_view']:.2f} dB"),
        ("SSIM", f"{row['ssim']:.4f}"),
        ("Gaussians", f"{row['num_gaussians']:,}"),
        ("fit", f"{row['iterations']} iterations, {row['fit_seconds']:.1f} s, {row['backend']}"),
        ("rasterizer", f"{row['rasterize_mode']}, eps2d {row['eps2d']:.2g}"),
        ("views", f"{len(row['images'])} of {row['width']}×{row['height']}, {row['engine']}, {row['shading']}"),
        ("triangles", f"{row['triangles']:,}"),
        ("coverage", f"{row['coverage']:.1%}"),
        ("split", row["split"]),
        ("category", row["category"]),
        ("tags", ", ".join(row["tags"])),
        ("creator", row["creator"]),
        ("licence", row["license"]),
        ("source", row["source"]),
        ("origin", row["origin_uri"]),
        ("file", f"{row['format']}, {row['bytes'] / 1e3:,.0f} kB"),
        ("missing textures", ", ".join(row["missing_textures"])),
        ("uid", row["uid"]),
    ]
    return [(label, value) for label, value in facts if value]
