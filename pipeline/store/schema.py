"""The tables of a corpus: column names and types are public API (docs/dataset.md describes each column).

Every table has one row per object, keyed by `uid`. Apart from `uid` (and what `assets` copies from `index`) a column
name occurs in one table only, so that joined rows are flat dictionaries and `triplets` is the union of the tables.

Arrays are stored as plain lists, so that any Parquet reader opens them:
- `flat(type, k)`: `[N, k]` stored as one flat list of `N * k` values (row-major); `k` is kept in the field's metadata;
- `nested(type)`: `[V, D]` stored as a list of lists.
"""

import pyarrow as pa

IMAGES = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))  # Hugging Face's List(Image)
STRINGS = pa.list_(pa.string())


def flat(name: str, value_type: pa.DataType, width: int) -> pa.Field:
    """A `[N, width]` array (`[N]` for width 1) as one flat list."""
    metadata = {"width": str(width)}
    if pa.types.is_float32(value_type):
        metadata["encoding"] = "BYTE_STREAM_SPLIT"
    return pa.field(name, pa.list_(value_type), metadata=metadata)


def nested(name: str, value_type: pa.DataType) -> pa.Field:
    """A `[V, D]` array as a list of lists."""
    return pa.field(name, pa.list_(pa.list_(value_type)))


def is_large(field: pa.Field) -> bool:
    """Whether a value of this column takes kilobytes: images, and arrays of arrays."""
    is_nested = pa.types.is_list(field.type) and pa.types.is_list(field.type.value_type)
    return is_nested or field.type == IMAGES or b"width" in (field.metadata or {})


INDEX = pa.schema(
    [
        ("uid", pa.string()),
        ("shard", pa.int32()),
        ("source", pa.string()),  # registered name of the asset source
        ("origin_uri", pa.string()),  # where the asset comes from
        ("name", pa.string()),
        ("tags", STRINGS),
        ("category", pa.string()),
        ("lvis_category", pa.string()),
        ("license", pa.string()),
        ("creator", pa.string()),
        ("split", pa.string()),  # train | val | heldout
        ("sha256", pa.string()),  # expected checksum, where the source knows one
        ("details", pa.string()),  # JSON, for the source alone
        ("annotations", pa.string()),  # JSON object: joined columns that are known of it; empty: no table was joined
    ]
)

ASSETS = pa.schema(
    [
        ("uid", pa.string()),
        ("source", pa.string()),
        ("origin_uri", pa.string()),
        ("file", pa.string()),  # path inside the corpus: assets/files/ab/abcd….glb (or .zip with an asset.FORMAT)
        ("sha256", pa.string()),  # of the stored file
        ("bytes", pa.int64()),
        ("format", pa.string()),  # glb, gltf, obj, ply, stl, fbx, dae, usdz, off
        ("up_axis", pa.string()),  # y | z, of the asset's own frame
        ("rotation", pa.list_(pa.float64())),  # [9] row-major, in the asset's own frame; empty: identity
        ("license", pa.string()),
        ("creator", pa.string()),
        ("name", pa.string()),
        ("tags", STRINGS),
        ("category", pa.string()),
        ("lvis_category", pa.string()),
        ("split", pa.string()),
        ("missing_textures", STRINGS),  # textures that the asset names but does not bring
        ("missing_colors", STRINGS),  # those of them that would have given it colours, and not bumps or gloss alone
        ("parts_fetched", pa.int32()),  # files that the main file names, itself or through its MTL files, and that came
        ("parts_missing", pa.int32()),  # … and that did not
        ("annotations", pa.string()),  # JSON object: joined columns that are known of it; empty: no table was joined
    ]
)

VIEWS = pa.schema(
    [
        ("uid", pa.string()),
        ("images", IMAGES),  # [V] RGBA, straight alpha, sRGB, lossless WebP
        ("width", pa.int32()),
        ("height", pa.int32()),
        nested("intrinsics", pa.float64()),  # [V, 4] fx, fy, cx, cy in pixels, pixel centres at .5
        nested("world_to_camera", pa.float64()),  # [V, 16] row-major 4x4, OpenCV axes
        pa.field("center", pa.list_(pa.float64())),  # [3] world = (z_up(asset) - center) * scale
        ("scale", pa.float64()),
        flat("points", pa.float32(), 3),  # seen surface points, world frame
        flat("point_normals", pa.float32(), 3),  # unit to 1/128, facing the camera that saw the point
        flat("point_colors", pa.uint8(), 3),  # sRGB 0..255
        ("engine", pa.string()),  # blenderproc | raster
        ("engine_reason", pa.string()),  # why render.engine: auto took blenderproc; empty where it did not
        ("shading", pa.string()),  # albedo | diffuse | studio
        ("samples", pa.int32()),
        ("triangles", pa.int64()),
        ("unreadable_textures", STRINGS),  # textures that came with the asset but could not be decoded
        ("coverage", pa.float32()),  # mean alpha over all views
        ("all_black", pa.bool_()),  # hardly a pixel of any view shows more than black
        ("has_animation", pa.bool_()),  # the asset's file brings one (shown at rest); null: not known
        ("render_seconds", pa.float32()),
    ]
)

GAUSSIANS = pa.schema(
    [
        ("uid", pa.string()),
        ("num_gaussians", pa.int32()),
        flat("means", pa.float32(), 3),  # world frame
        flat("quats", pa.float32(), 4),  # wxyz, unit, w >= 0
        flat("scales", pa.float32(), 3),  # standard deviations, linear
        flat("opacities", pa.float32(), 1),  # in (0, 1)
        flat("colors", pa.float32(), 3),  # sRGB in [0, 1]: without the view-dependent part
        ("sh_degree", pa.int32()),  # of the spherical harmonics, 0..3; 0: colours do not change with the view
        flat("sh_rest", pa.float32(), 3),  # [N * K, 3] coefficients of degree 1 and above, K = (sh_degree + 1)² - 1
        ("rasterize_mode", pa.string()),  # antialiased | classic, as in gsplat
        ("eps2d", pa.float32()),
        ("psnr", pa.float32()),  # dB, mean over held-out views
        ("ssim", pa.float32()),
        ("psnr_object", pa.float32()),  # dB over the object's pixels only
        ("psnr_worst_view", pa.float32()),
        ("heldout_views", pa.list_(pa.int32())),
        ("fit_width", pa.int32()),  # size at which the splat was fitted and measured
        ("fit_height", pa.int32()),
        ("iterations", pa.int32()),
        ("backend", pa.string()),  # numba | gsplat
        ("fit_seconds", pa.float32()),
    ]
)

CAPTIONS = pa.schema(
    [
        ("uid", pa.string()),
        ("caption", pa.string()),
        ("caption_source", pa.string()),  # metadata | vlm:MODEL@REVISION
        ("view_captions", STRINGS),
        ("caption_views", pa.list_(pa.int32())),  # views that the captioner saw
        ("prompt_id", pa.string()),
        ("scores", pa.list_(pa.float32())),
    ]
)

EMBEDDINGS = pa.schema(
    [
        ("uid", pa.string()),
        ("encoder", pa.string()),  # id of the encoder and its weights
        ("dim", pa.int32()),
        nested("image_embeddings", pa.float32()),  # [V, D] unit
        pa.field("text_embedding", pa.list_(pa.float32())),  # [D] unit
        pa.field("view_weights", pa.list_(pa.float32())),  # [V] cosine of text and view: the paper's S_i
    ]
)

ERRORS = pa.schema(
    [
        ("uid", pa.string()),
        ("stage", pa.string()),
        ("error_class", pa.string()),
        ("message", pa.string()),
        ("log_tail", pa.string()),
        ("attempt", pa.int32()),
        ("retryable", pa.bool_()),
    ]
)

# Of the source's entries that are not planned.
UNPLANNED = pa.schema(
    [
        ("entry", pa.string()),  # as the source names it
        ("reason", pa.string()),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "index": INDEX,
    "assets": ASSETS,
    "views": VIEWS,
    "gaussians": GAUSSIANS,
    "captions": CAPTIONS,
    "embeddings": EMBEDDINGS,
}

# Columns that came later: tables of before lack them, and readers take them as null.
ADDED_COLUMNS = frozenset(
    {
        "all_black",
        "annotations",
        "engine_reason",
        "has_animation",
        "missing_colors",
        "parts_fetched",
        "parts_missing",
        "sh_degree",
        "sh_rest",
    }
)

# What a triplet joins, in this order.
TRIPLET_TABLES = ("assets", "captions", "views", "gaussians", "embeddings")

# What the packed objects are divided into, in this order.
SPLITS = ("train", "val", "heldout")

# Wall-clock columns: the only ones in which two runs of one config may differ.
TIMING_COLUMNS = frozenset({"render_seconds", "fit_seconds"})


def triplets_schema() -> pa.Schema:
    """The union of the joined tables' columns, `uid` once and first."""
    fields = [pa.field("uid", pa.string())]
    for table in TRIPLET_TABLES:
        fields += [field for field in TABLES[table] if field.name != "uid"]
    return pa.schema(fields)
