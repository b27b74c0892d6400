"""A process that renders objects with Blender, one JSON job per line on stdin. The only file that imports bpy.

It is started by `render.blender.process` and shares nothing with the pipeline but files. What Blender prints goes
wherever stdout goes; the protocol has a pipe of its own. A job names a folder; the worker leaves `view_0000.exr`, …
there (passes Combined, Position, Normal; linear light, premultiplied) and, last and atomically, `manifest.json`, which
alone says that the job is done, and how; then it writes a byte to the events pipe. Exit codes mean nothing: Blender may
crash on its way out, even after success.
"""

import argparse
import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

# BlenderProc refuses to be imported outside of its own launcher unless this is set.
os.environ["OUTSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT_BUT_IN_RUN_SCRIPT"] = "1"

import bpy  # isort: skip  (bmesh and mathutils exist only after it)
import bmesh
import numpy as np
from blenderproc.python.camera import CameraUtility
from blenderproc.python.renderer import RendererUtility
from blenderproc.python.utility.Initializer import clean_up
from mathutils import Matrix

from pipeline.base.errors import AssetError
from render.blender import materials as blender_materials
from render.blender import world as blender_world
from render.geometry import normalisation, repeated_faces

PR_SET_PDEATHSIG = 1
CLIP_START, CLIP_END = 0.01, 100.0
DIFFUSE_BOUNCES = 3
STUDIO_BOUNCES = 4  # of glossy and transmitted light
TRANSPARENT_BOUNCES = 32  # layers of leaves and glass along one ray; at Blender's 8, dense plants get black spots
VISIBLE_ALPHA = 0.1  # a surface clearer than this does not count as the place where a ray ends

# Textures stay the files that they are, so that it can be seen where they lie.
USD_OPTIONS = {
    "import_textures_mode": "IMPORT_NONE",
    "import_cameras": False,
    "import_lights": False,
    "create_world_material": False,
    "set_frame_range": False,
    "validate_meshes": False,  # it would move vertices that are not finite to the origin; see `load`
}
IMPORTERS = {
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "gltf": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, use_image_search=False, use_anim=False),
    "dae": lambda path: bpy.ops.wm.collada_import(filepath=path),
    "usdz": lambda path: bpy.ops.wm.usd_import(filepath=path, **USD_OPTIONS),
    "obj": lambda path: bpy.ops.wm.obj_import(filepath=path, forward_axis="Y", up_axis="Z", validate_meshes=True),
    "ply": lambda path: bpy.ops.wm.ply_import(filepath=path, forward_axis="Y", up_axis="Z"),
    "stl": lambda path: bpy.ops.wm.stl_import(filepath=path, forward_axis="Y", up_axis="Z", use_mesh_validate=True),
}
# Formats that cannot say in a material that the vertices' colours are to be shown.
COLORS_WITHOUT_MATERIAL = ("obj", "ply", "stl")


def main() -> None:
    """Read jobs until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    _die_with(arguments.parent)
    resource.setrlimit(resource.RLIMIT_AS, (arguments.memory_bytes, arguments.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    set_up(arguments.threads)
    os.write(arguments.events_fd, b"r")
    for line in sys.stdin:
        run_job(json.loads(line))
        os.write(arguments.events_fd, b"j")
    sys.stdout.flush()
    os._exit(0)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however it dies (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def run_job(job: dict) -> None:
    """Do one job; its manifest says how it ended."""
    try:
        manifest = {"status": "done", **render_object(job)}
    except AssetError as error:
        manifest = {"status": "refused", "message": str(error)}
    except Exception as error:  # the process lives on; the client decides
        traceback.print_exc()
        manifest = {"status": "failed", "message": f"{type(error).__name__}: {error}"}
    sys.stdout.flush()
    temporary = Path(job["folder"], "manifest.json.tmp")
    temporary.write_text(json.dumps(manifest), encoding="utf-8")
    temporary.replace(temporary.with_suffix(""))


def render_object(job: dict) -> dict:
    """Load, normalise and render one asset; returns what the manifest tells about it.

    Raises:
        AssetError: it cannot be loaded, shows nothing or is too large.
    """
    started = time.monotonic()
    clean_up()
    load(job["asset"], job["format"])
    meshes = freeze(np.array(job["to_z_up"]), job["max_triangles"])
    center, scale = normalise(meshes)
    removed = remove_repeated_faces(meshes)
    lost = override_materials(meshes, job["shading"], job["format"], Path(job["root"]))
    loaded = time.monotonic()
    render_views(meshes, job)
    finished = time.monotonic()
    return {
        "center": center.tolist(),
        "scale": scale,
        "triangles": sum(len(mesh.loops) - 2 * len(mesh.polygons) for mesh in meshes),
        "repeated_faces": removed,
        "unreadable_textures": lost,
        "load_seconds": loaded - started,
        "render_seconds": finished - loaded,
    }


def set_up(threads: int) -> None:
    """The renderer's settings, for all objects: BlenderProc's own defaults (1024 samples, denoiser, Filmic) undone."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    clean_up(clean_up_camera=True)
    scene, view_layer = bpy.context.scene, bpy.context.view_layer
    RendererUtility.render_init()
    RendererUtility.set_render_devices(use_only_cpu=True)
    RendererUtility.set_cpu_threads(threads)
    RendererUtility.set_denoiser(None)
    RendererUtility.set_noise_threshold(0)  # adaptive sampling off
    RendererUtility.toggle_light_tree(False)
    RendererUtility.set_output_format("OPEN_EXR_MULTILAYER", 32, enable_transparency=True, view_transform="Standard")
    scene.render.image_settings.exr_codec = "RLE"  # as fast as none, a fifth of the bytes
    scene.render.use_persistent_data = False  # BlenderProc turns it on; see `render_views`
    scene.render.dither_intensity = 0
    scene.render.use_compositing = False
    scene.render.use_sequencer = False
    scene.view_settings.look = "None"
    scene.cycles.pixel_filter_type = "BOX"  # one pixel wide
    scene.cycles.sampling_pattern = "TABULATED_SOBOL"
    scene.cycles.use_auto_tile = False
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    view_layer.use_pass_position = True
    view_layer.use_pass_normal = True
    view_layer.pass_alpha_threshold = VISIBLE_ALPHA


def load(path: str, asset_format: str) -> None:
    """Import the asset file into the empty scene."""
    try:
        IMPORTERS[asset_format](path)
    except RuntimeError as error:  # what bpy makes of every error inside an importer, traceback included
        lines = [line.strip() for line in str(error).splitlines()]
        reasons = [line for line in lines if line and not line.startswith("Location:")]
        reason = reasons[-1] if reasons else str(error)
        raise AssetError(f"Blender cannot read it: {reason.replace(path, Path(path).name)}") from error
    if asset_format == "usdz":  # the other formats are looked into before (`render.files.coordinates`)
        for mesh in bpy.data.meshes:
            used = np.unique(corner_vertices(mesh).clip(0, max(len(mesh.vertices) - 1, 0)))  # nothing is valid yet
            if len(mesh.vertices) and not np.isfinite(vertices(mesh)[used]).all():
                raise AssetError("it has vertices whose coordinates are not finite")
            mesh.validate()


def freeze(to_z_up: np.ndarray, max_triangles: int) -> list:
    """Replace all objects by plain meshes in the upright frame, at rest, with every modifier applied.

    What does not render is gone afterwards: the asset's own lights and cameras, armatures, helpers of importers. No
    importer has left animations (`IMPORTERS`, `render.files.animation`).

    Args:
        to_z_up: [3, 3] from the frame in which the importer left the asset.

    Raises:
        AssetError: no faces, or more triangles than `max_triangles`.
    """
    for armature in bpy.data.armatures:
        armature.pose_position = "REST"
    helpers = bpy.data.collections.get("glTF_not_exported")
    hidden = set(helpers.all_objects) if helpers else set()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    depsgraph.update()
    meshes, triangles = [], 0
    for item in [item for item in bpy.context.scene.objects if item.type == "MESH"]:
        if item.hide_render or item in hidden:
            continue
        evaluated = item.evaluated_get(depsgraph)
        mesh = bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=True, depsgraph=depsgraph)
        triangles += len(mesh.loops) - 2 * len(mesh.polygons)
        if triangles > max_triangles:
            raise AssetError(f"it has more than {max_triangles} triangles (render.max_triangles)")
        if len(mesh.polygons):
            matrix = Matrix(to_z_up).to_4x4() @ item.matrix_world
            mesh.transform(matrix)
            if matrix.determinant() < 0:
                mesh.flip_normals()
            meshes.append(mesh)
    for item in [item for item in bpy.data.objects if item != bpy.context.scene.camera]:
        bpy.data.objects.remove(item)
    for mesh in meshes:
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))
    return meshes


def normalise(meshes: list) -> tuple[np.ndarray, float]:
    """Move the meshes so that their bounding box is centred and has diagonal 1; returns (center [3], scale).

    Vertices that no face uses do not count: they cannot be seen.
    """
    used = [vertices(mesh)[np.unique(corner_vertices(mesh))] for mesh in meshes]
    center, scale = normalisation(np.concatenate(used) if used else np.zeros((0, 3)))
    for mesh in meshes:
        mesh.vertices.foreach_set("co", ((vertices(mesh) - center) * scale).astype(np.float32).ravel())
        mesh.update()
    return center, scale


def remove_repeated_faces(meshes: list) -> int:
    """Delete faces that coincide with an earlier one, within or across meshes; returns how many."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    loops = np.cumsum([0, *(len(mesh.loops) for mesh in meshes)])
    faces = np.cumsum([0, *(len(mesh.polygons) for mesh in meshes)])
    corners = np.concatenate([corner_vertices(mesh) + offset for mesh, offset in zip(meshes, offsets, strict=False)])
    starts = np.concatenate([face_starts(mesh) + offset for mesh, offset in zip(meshes, loops, strict=False)])
    repeated = repeated_faces(corners, starts, np.concatenate([vertices(mesh) for mesh in meshes]))
    for mesh, first, last in zip(meshes, faces, faces[1:], strict=False):
        if repeated[first:last].any():
            _delete_faces(mesh, np.flatnonzero(repeated[first:last]))
    return int(repeated.sum())


def _delete_faces(mesh: "bpy.types.Mesh", indices: np.ndarray) -> None:
    editable = bmesh.new()
    editable.from_mesh(mesh)
    editable.faces.ensure_lookup_table()
    bmesh.ops.delete(editable, geom=[editable.faces[index] for index in indices], context="FACES_ONLY")
    editable.to_mesh(mesh)
    editable.free()
    mesh.update()


def vertices(mesh: "bpy.types.Mesh") -> np.ndarray:
    """[N, 3] float64 positions."""
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


def corner_vertices(mesh: "bpy.types.Mesh") -> np.ndarray:
    """[L] vertex index of every face corner."""
    index = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", index)
    return index


def face_starts(mesh: "bpy.types.Mesh") -> np.ndarray:
    """[F] first corner of every face."""
    start = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", start)
    return start


def override_materials(meshes: list, shading: str, asset_format: str, root: Path) -> list[str]:
    """Make every surface view-independent; returns the names of textures that could not be read below `root`."""
    for mesh in meshes:
        names = mesh.color_attributes
        color = names[max(names.render_color_index, 0)].name if len(names) else None
        if not mesh.materials:
            mesh.materials.append(None)
        for slot, material in enumerate(mesh.materials):
            has_nodes = material is not None and material.use_nodes
            colored = color is not None and asset_format in COLORS_WITHOUT_MATERIAL
            if not has_nodes or (colored and not blender_materials.shows_image(material)):
                mesh.materials[slot] = bpy.data.materials.new("plain")
                blender_materials.plain(mesh.materials[slot], shading, color)
    lost = []
    for material in {material.name: material for mesh in meshes for material in mesh.materials}.values():
        if asset_format == "obj":
            blender_materials.read_as_display_colors(material)
        lost += blender_materials.override(material, shading, lambda image: _is_readable(image, root))
    return sorted(set(lost))


def _is_readable(image: "bpy.types.Image | None", root: Path) -> bool:
    """Whether the image has pixels, and they come from the asset itself."""
    if image is None:
        return False
    if image.source == "FILE" and image.packed_file is None:
        path = Path(bpy.path.abspath(image.filepath)).resolve()
        if not path.is_relative_to(root.resolve()) or not path.is_file():
            return False
    return min(image.size) > 0  # decodes it


def render_views(meshes: list, job: dict) -> None:
    """One multilayer EXR file per camera of the job."""
    scene, resolution = bpy.context.scene, job["resolution"]
    RendererUtility.set_max_amount_of_samples(job["samples"])
    # White light from everywhere for `diffuse`; emission, as in `albedo`, needs neither light nor bounces.
    diffuse = 0 if job["shading"] == "albedo" else DIFFUSE_BOUNCES
    glossy = STUDIO_BOUNCES if job["shading"] == "studio" else 0
    make_light = blender_world.make_studio if job["shading"] == "studio" else blender_world.make_white
    make_light(scene.world)
    RendererUtility.set_light_bounces(diffuse, glossy, 0, diffuse + glossy, glossy, TRANSPARENT_BOUNCES, 0)
    CameraUtility.set_intrinsics_from_blender_params(
        math.radians(job["fov_deg"]), resolution, resolution, CLIP_START, CLIP_END, 1, 1, 0, 0, "FOV"
    )
    world_N4 = np.concatenate([vertices(mesh) for mesh in meshes])
    world_N4 = np.concatenate([world_N4, np.ones((len(world_N4), 1))], axis=1)
    # The scene is built once for all views; it must never be kept for the next object, whose textures it would show.
    scene.render.use_persistent_data = True
    try:
        for view, world_to_camera in enumerate(np.array(job["world_to_camera"])):
            camera_to_world = np.linalg.inv(world_to_camera) @ np.diag([1, -1, -1, 1])  # OpenCV to OpenGL axes
            scene.camera.matrix_world = Matrix(camera_to_world)
            scene.cycles.seed = view
            scene.render.filepath = str(Path(job["folder"], f"view_{view:04d}.exr"))
            _limit_to(scene.render, world_N4 @ world_to_camera[:3].T, job)
            bpy.ops.render.render(write_still=True)
    finally:
        scene.render.use_persistent_data = False


def _limit_to(settings: "bpy.types.RenderSettings", camera_N3: np.ndarray, job: dict) -> None:
    """Render only the rectangle that the projected vertices span, a pixel wider: half of the time, the same image."""
    resolution = job["resolution"]
    focal = 0.5 / math.tan(math.radians(job["fov_deg"]) / 2)
    image_N2 = camera_N3[:, :2] / camera_N3[:, 2:] * focal + 0.5  # 0..1, y down
    low = np.floor(image_N2.min(axis=0) * resolution) - 1
    high = np.ceil(image_N2.max(axis=0) * resolution) + 1
    # Blender cuts fractions of pixels off: aim at a pixel's middle. Its y goes up.
    (left, top), (right, bottom) = (np.clip(low, 0, resolution) + 0.25) / resolution, (high + 0.25) / resolution
    settings.use_border, settings.use_crop_to_border = True, False
    settings.border_min_x, settings.border_max_x = left, min(right, 1)
    settings.border_min_y, settings.border_max_y = max(1 - bottom, 0), min(1 - top + 0.5 / resolution, 1)


if __name__ == "__main__":
    main()
