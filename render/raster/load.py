"""Asset file -> the flat arrays that the kernels draw, in the world frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.color import srgb_to_linear
from render.engine import Unsupported
from render.geometry import normalisation, repeated_faces
from render.raster.gltf_mesh import load_gltf
from render.raster.obj import load_obj
from render.raster.scene import OPAQUE, Loaded, Material, Part, Texture

LARGEST = 1e6  # of texture coordinates, colours and factors: products of them must stay finite


class Surface(NamedTuple):
    """Triangles with their looks, as the kernels take them: every index is valid, every number finite.

    N vertices, F triangles, M materials, K textures. Colours are linear.
    """

    vertices: np.ndarray  # [N, 3] float64, world
    faces: np.ndarray  # [F, 3] int64
    normals: np.ndarray  # [F, 3] float32, unit
    vertex_normals: np.ndarray  # [N, 3] float32, unit; zeros where the surface is not smoothed
    uvs: np.ndarray  # [N, 2] float64, v down
    glow_uvs: np.ndarray  # [N, 2] float64, of the emission's texture; the same array as uvs where they are the same
    colors: np.ndarray  # [N, 4] float32, factors of the base colour and alpha
    face_materials: np.ndarray  # [F] int64
    base: np.ndarray  # [M, 4] float32, colour and alpha
    emission: np.ndarray  # [M, 3] float32
    textures: np.ndarray  # [M, 2] int64: of the base colour, of the emission; -1: none
    alpha_modes: np.ndarray  # [M] int64
    alpha_cutoffs: np.ndarray  # [M] float32
    texture_alphas: np.ndarray  # [M] bool, whether the texture's alpha counts
    colored: np.ndarray  # [M] bool, whether the vertices' colours count
    unlit: np.ndarray  # [M] bool, whether light makes no difference
    texels: np.ndarray  # [bytes] uint8, the textures' RGBA one after the other
    layouts: np.ndarray  # [K, 6] int64: first byte, width, height, wrap_u, wrap_v, nearest


@dataclass(frozen=True)
class LoadedAsset:
    """A surface, and where it comes from: world = (to_z_up @ asset - center) * scale."""

    surface: Surface
    center: np.ndarray  # [3]
    scale: float
    unreadable_textures: list[str]


@np.errstate(invalid="ignore", over="ignore")  # what comes out infinite or NaN is refused by checks of its own
def load(path: Path, to_z_up: np.ndarray, max_triangles: int, root: Path | None = None) -> LoadedAsset:
    """Read an asset that `render.files.guards` has checked.

    Args:
        to_z_up: [3, 3] from the asset's own frame to the upright one.
        root: the folder that the asset was unpacked into; without one, the main file's own. Nothing else is read.

    Raises:
        AssetError: it is broken, too large, or this engine cannot show it as it is meant.
    """
    loaded = _read(path, max_triangles, root or path.parent)
    parts = [part for part in loaded.parts if len(part.faces)]
    if not parts:
        raise AssetError("it has no faces")
    if sum(len(part.faces) for part in parts) > max_triangles:
        raise AssetError(f"it has more than {max_triangles} triangles (render.max_triangles)")
    # Vertices that no face uses would count for the bounding box, and need not be finite.
    parts = [_without_unused_vertices(part) for part in parts]
    vertices = np.concatenate([part.vertices for part in parts]) @ to_z_up.T
    center, scale = normalisation(vertices)
    normals = np.concatenate([_unit(part.normals, len(part.vertices)) for part in parts]) @ to_z_up.T
    surface = _surface(parts, (vertices - center) * scale, normals)
    return LoadedAsset(surface, center, scale, sorted(loaded.unreadable_textures))


def _read(path: Path, max_triangles: int, root: Path) -> Loaded:
    match path.suffix:
        case ".glb" | ".gltf":
            return load_gltf(path, max_triangles, root)
        case ".obj":
            return load_obj(path, root)
        case ".ply" | ".stl":
            return _load_plain(path)
    raise Unsupported(f"its format is {path.suffix[1:]}")


def _load_plain(path: Path) -> Loaded:
    """PLY and STL: one mesh, with a colour per vertex or none."""
    import trimesh  # 75 MB with all that it imports: only workers that need it have it

    try:
        with path.open("rb") as file:
            mesh: Any = trimesh.load(file, file_type=path.suffix[1:], force="mesh", process=False)
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    except Exception as error:  # the readers raise all kinds of errors on broken files
        raise AssetError(f"it is not a readable {path.suffix[1:]} file: {type(error).__name__}: {error}") from error
    if path.suffix == ".ply" and mesh.visual.kind == "vertex":
        white = Material(color=(1.0, 1.0, 1.0))
        return Loaded([Part(vertices, faces, white, colors=linear_vertex_colors(mesh.visual.vertex_colors))])
    return Loaded([Part(vertices, faces, Material())])


def linear_vertex_colors(srgb_bytes: np.ndarray) -> np.ndarray:
    """[N, 4] linear and opaque, of [N, 4] uint8."""
    colors = np.ones((len(srgb_bytes), 4))
    colors[:, :3] = srgb_to_linear(np.asarray(srgb_bytes)[:, :3] / 255)
    return colors


def _without_unused_vertices(part: Part) -> Part:
    used, faces = np.unique(part.faces, return_inverse=True)
    attributes = (part.uvs, part.colors, part.normals, part.glow_uvs)
    kept = (None if values is None else values[used] for values in attributes)
    return Part(part.vertices[used], faces.reshape(-1, 3), part.material, *kept)


def _unit(normals: np.ndarray | None, count: int) -> np.ndarray:
    """[count, 3] of length 1, or zeros where there is no normal."""
    vectors = _finite(normals, count, 3, 0.0)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def _surface(parts: list[Part], vertices: np.ndarray, vertex_normals: np.ndarray) -> Surface:
    """All parts as one list of triangles, without repeated and degenerate ones.

    Args:
        vertices, vertex_normals: [N, 3] those of all parts, in the world frame.
    """
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = np.concatenate([part.faces + offset for part, offset in zip(parts, offsets, strict=False)])
    face_materials = np.repeat(np.arange(len(parts)), [len(part.faces) for part in parts])
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    doubled_areas = np.linalg.norm(normals, axis=1)
    kept = (doubled_areas > 0) & ~repeated_faces(faces.ravel(), np.arange(0, faces.size, 3), vertices)
    if not kept.any():
        raise AssetError("none of its faces has an area")
    materials = [part.material for part in parts]
    texels, layouts, numbers = _texture_table(materials)
    uvs, glow_uvs = np.concatenate([_finite(part.uvs, len(part.vertices), 2, 0.0) for part in parts]), None
    if any(part.glow_uvs is not None for part in parts):
        own = [part.uvs if part.glow_uvs is None else part.glow_uvs for part in parts]
        glow_uvs = np.concatenate(
            [_finite(values, len(part.vertices), 2, 0.0) for values, part in zip(own, parts, strict=True)]
        )
    return Surface(
        vertices=np.ascontiguousarray(vertices),
        faces=np.ascontiguousarray(faces[kept], np.int64),
        normals=(normals[kept] / doubled_areas[kept, None]).astype(np.float32),
        vertex_normals=vertex_normals.astype(np.float32),
        uvs=uvs,
        glow_uvs=uvs if glow_uvs is None else glow_uvs,
        colors=np.concatenate([_finite(part.colors, len(part.vertices), 4, 1.0) for part in parts]).astype(np.float32),
        face_materials=face_materials[kept],
        base=_factors([(*material.color, material.alpha) for material in materials]),
        emission=_factors([material.emission for material in materials]),
        textures=numbers,
        alpha_modes=np.array([_alpha_mode(part) for part in parts]),
        alpha_cutoffs=np.array([material.alpha_cutoff for material in materials], np.float32),
        texture_alphas=np.array([material.texture_alpha for material in materials]),
        colored=np.array([part.colors is not None for part in parts]),
        unlit=np.array([material.unlit for material in materials]),
        texels=texels,
        layouts=layouts,
    )


def without_emission(surface: Surface) -> Surface:
    """The surface as light from elsewhere alone shows it."""
    textures = surface.textures.copy()
    textures[:, 1] = -1
    return surface._replace(emission=np.zeros_like(surface.emission), textures=textures)


def _alpha_mode(part: Part) -> int:
    """The material's, but OPAQUE (by far the fastest to draw) where nothing can make it clear."""
    material = part.material
    whole = material.alpha >= 1 and not (material.texture and material.texture_alpha) and part.colors is None
    return OPAQUE if whole else material.alpha_mode


def _finite(values: np.ndarray | None, count: int, width: int, default: float) -> np.ndarray:
    """[count, width] float64; what is missing or not finite becomes the default, what is absurd is cut."""
    if values is None:
        return np.full((count, width), default)
    numbers = np.nan_to_num(values.astype(np.float64), nan=default, posinf=default, neginf=default)
    return np.clip(numbers, -LARGEST, LARGEST)


def _factors(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.clip(np.nan_to_num(np.array(rows, np.float64)), 0, LARGEST).astype(np.float32)


def _texture_table(materials: list[Material]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(texels, layouts [K, 6], texture numbers [M, 2]); images that several textures share are stored once."""
    texels: list[np.ndarray] = []
    starts: dict[int, int] = {}
    layouts: list[tuple[int, ...]] = []
    end = 0

    def number(texture: Texture | None) -> int:
        nonlocal end
        if texture is None:
            return -1
        pixels = texture.pixels
        if id(pixels) not in starts:
            starts[id(pixels)], end = end, end + pixels.size
            texels.append(pixels.reshape(-1))
        height, width = pixels.shape[:2]
        layout = (starts[id(pixels)], width, height, texture.wrap_u, texture.wrap_v, int(texture.nearest))
        if layout not in layouts:
            layouts.append(layout)
        return layouts.index(layout)

    numbers = [(number(material.texture), number(material.emission_texture)) for material in materials]
    flat = np.concatenate(texels) if texels else np.zeros(0, np.uint8)
    return flat, np.array(layouts, np.int64).reshape(-1, 6), np.array(numbers, np.int64)
