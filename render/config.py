"""Config of the render stage."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.base.settings import Section, runtime
from render.view_sets import directions


class RenderConfig(Section):
    """How assets become views."""

    engine: Literal["auto", "raster", "blenderproc"] = "auto"
    """raster: many times faster; blenderproc: the reference; auto: raster, or blenderproc where raster cannot."""
    views: int = Field(36, ge=2, le=1000)
    """Views per object."""
    view_set: Literal["fibonacci", "hammersley", "rings", "fixed12", "fixed24", "fixed36", "fixed150"] = "fibonacci"
    """Camera placement; a fixed set has the number of views in its name."""
    jitter_deg: float = Field(0.0, ge=0, le=45)
    """Maximum random angle by which each camera is moved around the object, seeded by the uid."""
    resolution: int = Field(512, ge=4, le=8192)
    """Width and height in pixels."""
    fov_deg: float = Field(40.0, ge=1, le=150)
    """Field of view."""
    samples: int = Field(16, ge=1, le=65536)
    """Samples per pixel; a square number for the raster engine."""
    shading: Literal["albedo", "diffuse", "studio"] = "albedo"
    """albedo: base colour, unlit; diffuse: uniform white environment, no highlights; studio: full materials under grey
    light from above, blenderproc only; its colours depend on the view, so splats fit it less well."""
    surface_points: int = Field(40_000, ge=1)
    """Maximum number of surface points, evenly thinned."""
    max_triangles: int = Field(5_000_000, ge=1)
    """Assets with more triangles are refused."""
    max_texture_pixels: int = Field(8192 * 8192, ge=1)
    """Assets with a larger texture are refused."""
    timeout_s: float = runtime(300.0, gt=0)
    """Time limit for one object, after which its Blender process or raster worker is killed."""
    memory_gb: float = runtime(6.0, gt=0)
    """Address-space limit of a Blender process."""
    recycle_after: int = runtime(200, ge=1)
    """Objects after which a Blender process is restarted."""
    recycle_gb: float = runtime(2.0, gt=0)
    """Resident memory above which it is restarted before the next object."""

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
