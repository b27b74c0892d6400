"""Tables of what others know of Objaverse's objects, by name: their form, licence and citation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownTable:
    """A published table."""

    license: str  # of the table itself, as its card on the hub or its repository states it
    citation: str
    columns: tuple[str, ...] = ()  # that are kept; empty: all but the keys
    json_lists: tuple[str, ...] = ()  # columns that hold a JSON list of texts as text
    value: str = "value"  # column for the values of a JSON object whose names are keys
    by_value: bool = False  # a JSON object of the other direction: {value: [keys]}


# In `assets.annotations`, NAME:FILE; several files of one name are one table.
KNOWN_TABLES = {
    # Cap3D_automated_Objaverse_full.csv: no header; uid of 1.0 or SHA-256 of XL, caption
    "cap3d": KnownTable(
        "ODC-By-1.0", "Luo et al., Scalable 3D Captioning with Pretrained Models, arXiv 2306.07279", ("caption",)
    ),
    # ObjaverseXL_sketchfab.csv, ObjaverseXL_github.csv: sha256, file_identifier, aesthetic_score, captions (JSON list)
    "trellis500k": KnownTable(
        "MIT",
        "Xiang et al., Structured 3D Latents for Scalable and Versatile 3D Generation, arXiv 2412.01506",
        ("aesthetic_score", "captions"),
        json_lists=("captions",),
    ),
    # annotated_800k.json, or Parquet: UID, style, score (0 to 3), density, is_multi_object, is_scene, is_figure,
    # is_transparent, is_single_color; flags are the texts "true" and "false"
    "objaverse-pp": KnownTable(
        "ODC-By-1.0",
        "Lin et al., Objaverse++: Curated 3D Object Dataset with Quality Annotations, arXiv 2504.07334",
    ),
    # caption.json: {uid: caption}; metadata.json: {uid: {name, tags, …}}
    "texverse": KnownTable(
        "ODC-By-1.0",
        "Zhang et al., TexVerse: A Universe of 3D Objects with High-Resolution Textures, arXiv 2508.10868",
        value="caption",
    ),
    # lvis-annotations.json.gz of Objaverse 1.0: {category: [uids]}
    "lvis": KnownTable(
        "ODC-By-1.0",
        "Deitke et al., Objaverse: A Universe of Annotated 3D Objects, arXiv 2212.08051",
        value="lvis_label",
        by_value=True,
    ),
}
