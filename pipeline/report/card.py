"""What an object's page shows: its pictures, what was measured and where it comes from."""

from dataclasses import dataclass

from PIL import Image

from pipeline.report.pictures import comparison_sheet
from pipeline.store.rows import Row


@dataclass(frozen=True)
class Card:
    """What can be shown of one object."""

    uid: str
    name: str
    caption: str
    caption_source: str
    sheet: Image.Image  # a line of three tiles per held-out view
    facts: list[tuple[str, str]]  # label, value


def draw_card(row: Row) -> Card:
    """The card of one object that was fitted, from its joined row."""
    return Card(
        uid=row["uid"],
        name=row["name"] or row["uid"],
        caption=row.get("caption", ""),
        caption_source=row.get("caption_source", "no caption"),
        sheet=comparison_sheet(row),
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
        ("caption fits", f"cosine {row['view_weights'].mean():.3f}" if "view_weights" in row else ""),
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
