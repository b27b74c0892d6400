"""Run by tests in a process of its own: has Blender write files with what only it can author. Argument: a folder.

static.glb, static.fbx: a two-coloured column and a ball beside it. animated.glb: the same with the column on a bent,
moving armature, the ball on its way, and lights and a camera beside them.
"""

import json
import os
import struct
import sys
from pathlib import Path

import bpy  # isort: skip

folder = sys.argv[1]
bpy.ops.wm.read_factory_settings(use_empty=True)


def column():
    """A column of 6 rings along z, the lower half red, the upper half blue, and a flag that breaks its symmetry."""
    rings = [[(x, y, z * 0.4) for x, y in ((-0.2, -0.2), (0.2, -0.2), (0.2, 0.2), (-0.2, 0.2))] for z in range(6)]
    points = [point for ring in rings for point in ring] + [(0.9, 0.0, 2.0), (0.9, 0.0, 1.6)]
    faces = [
        (4 * z + i, 4 * z + (i + 1) % 4, 4 * z + 4 + (i + 1) % 4, 4 * z + 4 + i) for z in range(5) for i in range(4)
    ]
    faces += [(3, 2, 1, 0), (20, 21, 22, 23), (21, 22, 24), (17, 25, 18)]
    mesh = bpy.data.meshes.new("column")
    mesh.from_pydata(points, [], faces)
    for color in ((0.6, 0.03, 0.02, 1), (0.03, 0.05, 0.7, 1)):
        material = bpy.data.materials.new("paint")
        material.use_nodes = True
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = color
        mesh.materials.append(material)
    for polygon in mesh.polygons:
        polygon.material_index = int(polygon.center.z > 1)
    item = bpy.data.objects.new("column", mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def bent_armature(item):
    """Two bones; the upper one is bent by a right angle and moves, the armature walks away."""
    armature = bpy.data.objects.new("armature", bpy.data.armatures.new("armature"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    lower, upper = armature.data.edit_bones.new("lower"), armature.data.edit_bones.new("upper")
    lower.head, lower.tail = (0, 0, 0), (0, 0, 1)
    upper.head, upper.tail, upper.parent = (0, 0, 1), (0, 0, 2), lower
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, is_upper in (("lower", False), ("upper", True)):
        group = item.vertex_groups.new(name=name)
        group.add([v.index for v in item.data.vertices if (v.co.z > 1) == is_upper], 1.0, "REPLACE")
    item.parent = armature
    item.modifiers.new("armature", "ARMATURE").object = armature
    pose = armature.pose.bones["upper"]
    pose.rotation_mode = "XYZ"
    for frame, angle, distance in ((1, 1.5, 0.0), (20, -1.5, 5.0)):
        pose.rotation_euler.x, armature.location.x = angle, distance
        pose.keyframe_insert("rotation_euler", frame=frame)
        armature.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(10)


def moving_ball():
    """A ball that passes by."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6, radius=0.3)
    ball = bpy.context.active_object
    ball.data.materials.append(bpy.data.materials.new("ball"))
    for frame, place in ((1, -3.0), (20, 3.0)):
        ball.location = (place, 1.0, 0.5)
        ball.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(10)
    return ball


def put_ball_at_rest(glb, place):
    """The exporter puts the ball's node where its animation begins; a file may as well put it elsewhere."""
    data = glb.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    (node,) = [node for node in document["nodes"] if node["name"] == "Sphere"]
    node["translation"] = [place.x, place.z, -place.y]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    glb.write_bytes(struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest)


item = column()
ball = moving_ball()
motion = ball.animation_data.action
ball.animation_data.action = None  # it stays where it was in frame 10
rest = ball.location.copy()
bpy.ops.export_scene.gltf(filepath=f"{folder}/static.glb")
bpy.ops.export_scene.fbx(filepath=f"{folder}/static.fbx")
ball.animation_data.action = motion
bent_armature(item)
for kind in ("SUN", "POINT"):
    light = bpy.data.objects.new(kind, bpy.data.lights.new(kind, kind))
    light.data.energy, light.location = 1000, (1, 1, 1)
    bpy.context.scene.collection.objects.link(light)
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
bpy.context.scene.collection.objects.link(camera)
bpy.context.scene.camera = camera
bpy.ops.export_scene.gltf(filepath=f"{folder}/animated.glb", export_lights=True, export_cameras=True)
put_ball_at_rest(Path(folder, "animated.glb"), rest)
sys.stdout.flush()
os._exit(0)
