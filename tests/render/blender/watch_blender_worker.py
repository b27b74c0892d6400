"""Run by tests in a process of its own: a Blender worker's jobs, looked at from inside. Argument: a file of JSON.

The file has a list of jobs (see render/blender/worker.py); the last line printed is JSON: the renderer's settings, what
is there whenever the worker starts an object with an empty scene, and the names of the images while it renders.
"""

import json
import os
import sys
from pathlib import Path

from render.blender import worker as blender_worker

import bpy  # isort: skip  (the worker sets what BlenderProc needs before)

KINDS = ("objects", "meshes", "materials", "images", "armatures", "actions", "lights", "cameras")
emptied, rendered = [], []
clean_up, render_views = blender_worker.clean_up, blender_worker.render_views


def watched_clean_up(*arguments, **options):
    was_kept = bpy.context.scene.render.use_persistent_data
    clean_up(*arguments, **options)
    left = {kind: [item.name for item in getattr(bpy.data, kind)] for kind in KINDS}
    emptied.append({"persistent_before": was_kept, **left})


def watched_render_views(meshes, job):
    rendered.append([image.filepath for image in bpy.data.images if image.filepath])
    render_views(meshes, job)


blender_worker.set_up(threads=1)
blender_worker.clean_up, blender_worker.render_views = watched_clean_up, watched_render_views
for job in json.loads(Path(sys.argv[1]).read_text()):
    Path(job["folder"]).mkdir()
    blender_worker.run_job(job)
scene = bpy.context.scene
settings = {
    "samples": scene.cycles.samples,
    "denoiser": scene.cycles.use_denoising,
    "adaptive": scene.cycles.use_adaptive_sampling,
    "view_transform": scene.view_settings.view_transform,
    "look": scene.view_settings.look,
    "exposure": scene.view_settings.exposure,
    "gamma": scene.view_settings.gamma,
    "dither": scene.render.dither_intensity,
    "filter": scene.cycles.pixel_filter_type,
    "film_transparent": scene.render.film_transparent,
    "auto_tile": scene.cycles.use_auto_tile,
    "compositing": scene.render.use_compositing,
    "persistent": scene.render.use_persistent_data,
}
print(json.dumps({"settings": settings, "emptied": emptied, "rendered": rendered}), flush=True)
os._exit(0)
