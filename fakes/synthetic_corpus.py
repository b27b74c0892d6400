"""A small corpus as the stages would write it: coloured balls, views by exact ray casting, splats that match."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import Corpus
from pipeline.store.rows import Row
from pipeline.store.schema import ASSETS, CAPTIONS, EMBEDDINGS, GAUSSIANS, INDEX, VIEWS
from pipeline.store.shard_record import ShardRecord

RADIUS = 0.35
DISTANCE = 1.5
ENCODER_DIM = 8


def write_corpus(
    folder: Path, objects: int = 6, shard_size: int = 2, views: int = 6, size: int = 32, num_gaussians: int = 60
) -> Corpus:
    """A corpus of `objects` balls: the last is `heldout`, the one before it `val`, the others `train`.

    The name of the first is `<script>`. PSNR is 30 dB for the first and grows by 1 dB with each object.
    """
    corpus = Corpus(folder)
    rows = [object_row(i, objects, views, size, num_gaussians) for i in range(objects)]
    write_rows(corpus, rows, shard_size)
    return corpus


def write_rows(corpus: Corpus, rows: list[Row], shard_size: int) -> None:
    """Write joined rows as the index and the shards of every table, one row group per object."""
    shards = {row["uid"]: i // shard_size for i, row in enumerate(rows)}
    with corpus.table_writer(corpus.path("index.parquet"), INDEX) as writer:
        writer.write([_index_row(row, shards[row["uid"]]) for row in rows])
    tables = (("assets", ASSETS), ("views", VIEWS), ("gaussians", GAUSSIANS))
    for table, schema in (*tables, ("captions", CAPTIONS), ("embeddings", EMBEDDINGS)):
        for shard in sorted(set(shards.values())):
            with corpus.table_writer(corpus.shard_path(table, shard), schema) as writer:
                for row in rows:
                    if shards[row["uid"]] == shard:
                        writer.write([{name: row[name] for name in schema.names}])
                writer.set_record(_no_record(table))


def object_row(number: int, objects: int, views: int, size: int, num_gaussians: int) -> Row:
    """Every column of one object."""
    random = np.random.default_rng(number)
    base = random.uniform(0.2, 0.8, 3)
    cameras = [look_at_centre(direction * DISTANCE) for direction in fibonacci_sphere(views)]
    intrinsics = np.array([1.8 * size, 1.8 * size, size / 2, size / 2])
    images = [view_of_ball(camera, intrinsics, size, base) for camera in cameras]
    normals = fibonacci_sphere(num_gaussians)
    colors = ball_color(normals, base)
    split = "heldout" if number == objects - 1 else "val" if number == objects - 2 else "train"
    coverage = np.mean([np.asarray(image)[..., 3] for image in images]) / 255
    embeddings = _unit(random.normal(size=(views, ENCODER_DIM)))
    text = _unit(random.normal(size=ENCODER_DIM))
    return {
        "uid": f"ball-{number:03d}",
        "source": "folder",
        "origin_uri": f"balls/{number:03d}.obj",
        "file": f"assets/files/{number:02x}/{number:064x}.obj",
        "sha256": f"{number:064x}",
        "bytes": 1000 + number,
        "format": "obj",
        "up_axis": "y",
        "rotation": np.zeros(0),
        "license": "CC0" if number % 2 == 0 else "CC-BY 3.0",
        "creator": f"Maker {number % 2}",
        "name": "<script>alert(1)</script>" if number == 0 else f"Ball {number}",
        "tags": ["ball", "round"],
        "category": "balls",
        "lvis_category": "",
        "split": split,
        "missing_textures": [],
        "missing_colors": [],
        "parts_fetched": 0,
        "parts_missing": 0,
        "annotations": "",
        "unreadable_textures": [],
        "images": [{"bytes": webp_bytes(image), "path": None} for image in images],
        "width": size,
        "height": size,
        "intrinsics": np.tile(intrinsics, (views, 1)),
        "world_to_camera": np.stack(cameras).reshape(views, 16),
        "center": np.array([1.0, 2.0, 3.0]),
        "scale": 0.5,
        "points": normals * RADIUS,
        "point_normals": normals,
        "point_colors": np.round(colors * 255),
        "engine": "raster",
        "shading": "albedo",
        "samples": 1,
        "triangles": 1280,
        "coverage": coverage,
        "all_black": False,
        "has_animation": None,
        "engine_reason": "",
        "render_seconds": 0.5,
        "num_gaussians": num_gaussians,
        "means": normals * RADIUS,
        "quats": np.tile([1.0, 0.0, 0.0, 0.0], (num_gaussians, 1)),
        "scales": np.full((num_gaussians, 3), 1.2 * RADIUS / np.sqrt(num_gaussians)),
        "opacities": np.full(num_gaussians, 0.95),
        "colors": colors,
        "sh_degree": 0,
        "sh_rest": np.zeros((0, 3)),
        "rasterize_mode": "antialiased",
        "eps2d": 0.1,
        "psnr": 30.0 + number,
        "ssim": 0.95,
        "psnr_object": 28.0 + number,
        "psnr_worst_view": 27.0 + number,
        "heldout_views": np.arange(0, views, 3),
        "fit_width": size,
        "fit_height": size,
        "iterations": 100,
        "backend": "numba",
        "fit_seconds": 1.5,
        "caption": f"A round ball, number {number}.",
        "caption_source": "metadata",
        "view_captions": [],
        "caption_views": np.zeros(0),
        "prompt_id": "",
        "scores": np.zeros(0),
        "encoder": "conse:test",
        "dim": ENCODER_DIM,
        "image_embeddings": embeddings,
        "text_embedding": text,
        "view_weights": embeddings @ text,
    }


def fibonacci_sphere(count: int) -> np.ndarray:
    """Unit vectors [count, 3], evenly spread."""
    i = np.arange(count) + 0.5
    z, turn = 1 - 2 * i / count, np.pi * (1 + np.sqrt(5)) * i
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], 1)


def look_at_centre(position: np.ndarray) -> np.ndarray:
    """world_to_camera [4, 4] (OpenCV axes) of a camera that looks at the origin."""
    forward = -_unit(position)
    right = _unit(np.cross(forward, [0.0, 0.0, 1.0]))
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ position
    return matrix


def ball_color(normals: np.ndarray, base: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] by the outward normal [..., 3]: the base colour, lighter on top."""
    return np.clip(base + 0.2 * normals[..., 2:], 0, 1)


def view_of_ball(world_to_camera: np.ndarray, intrinsics: np.ndarray, size: int, base: np.ndarray) -> Image.Image:
    """RGBA view [size, size] of the ball, one ray through each pixel centre."""
    fx, fy, cx, cy = intrinsics
    y, x = np.mgrid[:size, :size] + 0.5
    rays = _unit(np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], -1)) @ world_to_camera[:3, :3]
    origin = -world_to_camera[:3, :3].T @ world_to_camera[:3, 3]
    half = rays @ origin
    root = half**2 - (origin @ origin - RADIUS**2)
    normals = (origin + rays * (-half - np.sqrt(np.maximum(root, 0)))[..., None]) / RADIUS
    alpha = (root > 0)[..., None]
    pixels = np.concatenate([ball_color(normals, base), np.ones_like(alpha)], -1) * alpha
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))


def webp_bytes(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def _no_record(table: str) -> ShardRecord:
    """The record of a shard that no stage made."""
    return ShardRecord.of(table, {}, {}, {}, seconds=0.0, setup_seconds=0.0, cpu_seconds=0.0, code_version="synthetic")


def _index_row(row: Row, shard: int) -> Row:
    known = {name: row[name] for name in INDEX.names if name in row}
    return {**known, "shard": shard, "details": "{}"}


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
