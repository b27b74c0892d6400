"""Config of the render stage."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.settings import Section, runtime
from render.view_sets import directions


class RenderConfig(Section):
    """How assets become views."""

    engine: Literal["auto", "raster", "blenderproc"] = "auto"
    """raster: many times faster; blenderproc: the reference; auto: raster, or blenderproc where raster cannot."""
    views: int = 36
    """Views per object."""
    view_set: Literal["fibonacci", "hammersley", "rings", "fixed12", "fixed24", "fixed36", "fixed150"] = "fibonacci"
    """Where the cameras stand; a fixed set has as many views as its name says."""
    jitter_deg: float = Field(0.0, ge=0, le=45)
    """Each camera is turned away by up to this angle, for every object in another way (by its uid)."""
    resolution: int = 512
    """Width and height in pixels."""
    fov_deg: float = 40.0
    samples: int = 16
    """Samples per pixel; a square number where the raster engine draws."""
    shading: Literal["albedo", "diffuse", "studio"] = "albedo"
    """albedo: the base colour, unlit; diffuse: a uniform white world without highlights; studio: whole materials under
    grey light from above, which only blenderproc shows; it changes with the view, so splats fit it worse."""
    surface_points: int = 40_000
    """At most so many surface points are kept, thinned evenly."""
    max_triangles: int = 5_000_000
    max_texture_pixels: int = 8192 * 8192
    timeout_s: float = runtime(300.0)
    """Time limit for one object; its Blender, or the worker of the raster engine, is killed then."""
    memory_gb: float = runtime(6.0)
    """Address space that one Blender may take."""
    recycle_after: int = runtime(200)
    """Objects after which a Blender process is replaced."""
    recycle_gb: float = runtime(2.0)
    """Resident memory beyond which it is replaced before the next object."""

    @model_validator(mode="after")
    def _views_of_the_set(self) -> Self:
        directions(self.view_set, self.views)
        return self

    @model_validator(mode="after")
    def _raster_can_do_it(self) -> Self:
        if self.engine == "raster" and self.shading == "studio":
            raise ValueError("shading studio needs engine: blenderproc or auto, not raster")
        if self.engine == "blenderproc" or self.shading == "studio":
            return self
        if self.samples < 1 or math.isqrt(self.samples) ** 2 != self.samples:
            raise ValueError(
                f"engine {self.engine} needs a square number of samples per pixel (16, 25, …), not {self.samples}"
            )
        return self
