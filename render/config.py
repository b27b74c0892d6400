"""Config of the render stage."""

from typing import Literal

from pipeline.settings import Section, runtime


class RenderConfig(Section):
    """How assets become views."""

    engine: Literal["blenderproc"] = "blenderproc"
    views: int = 36
    """Views per object, on a Fibonacci sphere."""
    resolution: int = 512
    """Width and height in pixels."""
    fov_deg: float = 40.0
    samples: int = 16
    """Samples per pixel."""
    shading: Literal["albedo", "diffuse"] = "albedo"
    """albedo: the base colour, unlit; diffuse: a uniform white world without highlights."""
    surface_points: int = 40_000
    """At most so many surface points are kept, thinned evenly."""
    max_triangles: int = 5_000_000
    max_texture_pixels: int = 8192 * 8192
    timeout_s: float = runtime(300.0)
    """Time limit for one object; its Blender is killed then."""
    memory_gb: float = runtime(6.0)
    """Address space that one Blender may take."""
    recycle_after: int = runtime(200)
    """Objects after which a Blender process is replaced."""
