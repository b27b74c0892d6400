"""Analytic scenes for the tests: their true Gaussians, and a row of `views` rendered from them."""

import io
import math

import numpy as np
from PIL import Image

from fit_gaussians.draw import draw
from fit_gaussians.recipe.initialise import quats_to_normal
from pipeline.store.rows import Row
from pipeline.values.splat import Gaussians

FOV = math.radians(40)


def sphere_points(count: int, radius: float = 0.35) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, normals [N, 3] and colours [N, 3] uint8 of a sphere with smooth stripes; a Fibonacci lattice."""
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    normals = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], 1)
    colors = 0.5 + 0.4 * np.sin(normals @ np.array([[9.0, 2, 0], [0, 7, 3], [4, 0, 8]]))
    return normals * radius, normals, (colors * 255).astype(np.uint8)


def splat_of(points: np.ndarray, normals: np.ndarray, colors: np.ndarray, spacing: float) -> Gaussians:
    """A solid-looking splat of flat Gaussians."""
    n = len(points)
    return Gaussians(
        means=points.astype(np.float32),
        quats=quats_to_normal(normals),
        scales=np.tile(np.array([0.6, 0.6, 0.05], np.float32) * np.float32(spacing), (n, 1)),
        opacities=np.full(n, 0.98, np.float32),
        colors=(colors / 255).astype(np.float32),
    )


def cameras(views: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """world_to_camera [V, 16] and intrinsics [V, 4] of cameras around the unit-diagonal object at the origin."""
    index = np.arange(views) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / views), np.pi * (1 + 5**0.5) * index
    directions = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], 1)
    matrices = []
    for eye in directions * (0.52 / math.sin(FOV / 2)):
        forward = -eye / np.linalg.norm(eye)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        matrix = np.eye(4)
        matrix[:3] = np.concatenate([rotation, -rotation @ eye[:, None]], 1)
        matrices.append(matrix.reshape(16))
    focal = size / 2 / math.tan(FOV / 2)
    return np.stack(matrices), np.tile([focal, focal, size / 2, size / 2], (views, 1))


def render_rgba(splat: Gaussians, world_to_camera: np.ndarray, intrinsics: np.ndarray, size: int) -> list[np.ndarray]:
    """The views as [H, W, 4] uint8, straight alpha."""
    images, alphas = draw(splat, world_to_camera, intrinsics, size, size, mode="antialiased", eps2d=0.1)
    rgba = []
    for image, alpha in zip(images, alphas, strict=True):
        straight = (image / np.maximum(alpha, 1e-6)[..., None]).clip(0, 1)
        rgba.append((np.concatenate([straight, alpha[..., None]], 2) * 255 + 0.5).astype(np.uint8))
    return rgba


def encode(rgba: np.ndarray) -> dict:
    """An element of the `images` column."""
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def views_row(
    splat: Gaussians, points: np.ndarray, normals: np.ndarray, colors: np.ndarray, *, views=12, size=64, uid="sphere"
) -> Row:
    """The columns of `views` that the fit stage reads."""
    world_to_camera, intrinsics = cameras(views, size)
    return {
        "uid": uid,
        "images": [encode(rgba) for rgba in render_rgba(splat, world_to_camera, intrinsics, size)],
        "width": size,
        "height": size,
        "intrinsics": intrinsics,
        "world_to_camera": world_to_camera,
        "points": points.astype(np.float32),
        "point_normals": normals.astype(np.float32),
        "point_colors": colors,
    }


def sphere_row(*, views: int = 12, size: int = 64, uid: str = "sphere", points: int = 4000) -> Row:
    """A striped sphere."""
    dense = sphere_points(6000)
    splat = splat_of(*dense, spacing=0.35 * math.sqrt(4 * math.pi / 6000))
    return views_row(splat, *sphere_points(points), views=views, size=size, uid=uid)
