"""What the rasterizer draws: one list of triangles with materials and textures, as its loaders leave it."""

from dataclasses import dataclass, field

import numpy as np

from pipeline.base.errors import AssetError

OPAQUE, MASK, BLEND = range(3)  # glTF's alpha modes
REPEAT, CLAMP, MIRROR = range(3)  # glTF's wrap modes
GREY = (0.8, 0.8, 0.8)  # linear; a surface without a material, as in Blender


@dataclass(frozen=True)
class Texture:
    """An image and how coordinates outside of it are taken."""

    pixels: np.ndarray  # [H, W, 4] uint8 sRGB, straight alpha; the first row is at v = 0
    wrap_u: int = REPEAT
    wrap_v: int = REPEAT
    nearest: bool = False  # show texels as squares


@dataclass(frozen=True)
class Material:
    """Colours are linear. The base colour is colour * texture * the vertices' colour; emission is added to it."""

    color: tuple[float, float, float] = GREY
    alpha: float = 1.0
    texture: Texture | None = None
    texture_alpha: bool = False  # whether the texture's alpha channel counts
    alpha_mode: int = OPAQUE
    alpha_cutoff: float = 0.5
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emission_texture: Texture | None = None
    unlit: bool = False  # shows its colour in every shading


@dataclass(frozen=True)
class Part:
    """Triangles that share a material, in the asset's own frame."""

    vertices: np.ndarray  # [N, 3] float64
    faces: np.ndarray  # [F, 3] integers below N
    material: Material
    uvs: np.ndarray | None = None  # [N, 2], v down
    colors: np.ndarray | None = None  # [N, 4] linear; alpha counts as the material's alpha mode says
    normals: np.ndarray | None = None  # [N, 3] of any length; None: the surface is not smoothed
    glow_uvs: np.ndarray | None = None  # [N, 2] of the emission's texture; None: the same as uvs

    def __post_init__(self):
        """
        Raises:
            AssetError: a face names a vertex that is not there, a face uses coordinates that are not finite, or the
                arrays' lengths differ. The kernels check nothing, so that nothing of this may reach them.
        """
        count = len(self.vertices)
        if self.vertices.shape != (count, 3) or self.faces.shape[1:] != (3,):
            raise AssetError(f"vertices {self.vertices.shape} and faces {self.faces.shape} are not lists of triples")
        if len(self.faces) and not (self.faces.min() >= 0 and self.faces.max() < count):
            raise AssetError(f"a face refers to vertex {self.faces.min()} or {self.faces.max()}, but there are {count}")
        if not np.isfinite(self.vertices[self.faces.ravel()]).all():
            raise AssetError("it has vertices whose coordinates are not finite")
        for name, width in (("uvs", 2), ("colors", 4), ("normals", 3), ("glow_uvs", 2)):
            values = getattr(self, name)
            if values is not None and values.shape != (count, width):
                raise AssetError(f"its {name} have the shape {values.shape} for {count} vertices")


@dataclass(frozen=True)
class Loaded:
    """An asset as read from its file."""

    parts: list[Part]
    unreadable_textures: set[str] = field(default_factory=set)
