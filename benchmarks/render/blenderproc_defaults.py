"""One view of an OBJ, PLY, STL or glTF file with BlenderProc's default settings, in this process: what they cost.

python benchmarks/render/blenderproc_defaults.py MODEL VIEW.png

1,024 samples with adaptive sampling, Intel's denoiser, Filmic. `bproc.init` itself fails outside of BlenderProc's own
launcher; its steps are done here one by one.
"""

import os
import sys
from pathlib import Path

os.environ["OUTSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT_BUT_IN_RUN_SCRIPT"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import bpy  # isort: skip  (what follows exists only after it)
import numpy as np
from blenderproc.python.renderer import RendererUtility
from blenderproc.python.utility.Initializer import _Initializer, clean_up
from mathutils import Matrix

from pipeline.values.frames import z_up_matrix
from render.blender import worker as blender_worker
from render.cameras import fibonacci_cameras


def main(model: Path, view: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    clean_up(clean_up_camera=True)
    bpy.context.scene.render.engine = "CYCLES"
    RendererUtility.set_render_devices(use_only_cpu=True)
    _Initializer.set_default_parameters()
    RendererUtility.set_cpu_threads(1)
    blender_worker.load(str(model), model.suffix[1:])
    blender_worker.normalise(blender_worker.freeze(z_up_matrix("y", None), 5_000_000))
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "POINT"))
    lamp.data.energy, lamp.location = 100, (1, -1, 2)
    bpy.context.scene.collection.objects.link(lamp)
    world_to_camera = fibonacci_cameras(4, 512, 40.0).world_to_camera[1]  # one of those that benchmarks.render times
    bpy.context.scene.camera.matrix_world = Matrix(np.linalg.inv(world_to_camera) @ np.diag([1, -1, -1, 1]))
    bpy.context.scene.render.filepath = str(view)
    bpy.ops.render.render(write_still=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
