"""Every material, made to look the same from all sides: its base colour, unlit (`albedo`) or matte (`diffuse`).

Only `studio` leaves materials as they are, highlights and all.

Works on the node trees that Blender's importers build. It is part of the worker, but needs no `bpy` of its own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.values.color import srgb_to_linear

Node = Any  # bpy.types.Node
Material = Any  # bpy.types.Material

GLOW = "glow"  # label of the node that shows the material's own light
GREY = (0.8, 0.8, 0.8, 1.0)  # Blender's own colour of a surface without a material


def override(material: Material, shading: str, readable: Callable[[Any], bool]) -> list[str]:
    """Replace the material's shader; its colour and alpha sockets keep what feeds them.

    Materials without a Principled shader (glTF's unlit ones) are unlit already and stay, as do all of `studio`.

    Args:
        material: a material with nodes.
        shading: albedo, diffuse or studio.
        readable: whether an image (or None) has pixels.

    Returns:
        Names of the textures that could not be read; the material's plain colour shows in their place, where Blender
        would paint magenta.
    """
    nodes, links = material.node_tree.nodes, material.node_tree.links
    output = material.node_tree.get_output_node("CYCLES") or nodes.new("ShaderNodeOutputMaterial")
    for socket in output.inputs:
        if socket.name != "Surface":
            _unlink(links, socket)
    principled = _find_principled(output.inputs["Surface"])
    if principled is not None and shading != "studio":
        shader = _unlit(nodes, links, principled) if shading == "albedo" else _matte(nodes, links, principled)
        links.new(_with_alpha(nodes, links, shader, principled.inputs["Alpha"]), output.inputs["Surface"])
    # Light that surfaces throw on each other is no part of a colour, and a lamp per triangle costs minutes.
    material.cycles.emission_sampling = "NONE"
    return _drop_unreadable(links, output, readable)


def read_as_display_colors(material: Material) -> None:
    """Take the material's plain colours for sRGB values, as the programs that write MTL files mean them.

    Blender's importer takes them for linear light, and everything comes out pale.
    """
    for node in material.node_tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            for socket in (node.inputs["Base Color"], node.inputs["Emission Color"]):
                red, green, blue, alpha = socket.default_value
                linear = srgb_to_linear(np.clip([red, green, blue], 0, 1))
                socket.default_value = (*linear, alpha)


def plain(material: Material, shading: str, color_attribute: str | None) -> None:
    """Fill a new material: the mesh's colour attribute, or grey."""
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    shader = nodes.new("ShaderNodeEmission" if shading == "albedo" else "ShaderNodeBsdfDiffuse")
    shader.inputs["Color"].default_value = GREY
    if color_attribute is not None:
        colors = nodes.new("ShaderNodeVertexColor")
        colors.layer_name = color_attribute
        links.new(colors.outputs["Color"], shader.inputs["Color"])
    links.new(shader.outputs[0], output.inputs["Surface"])
    material.cycles.emission_sampling = "NONE"


def shows_image(material: Material) -> bool:
    """Whether an image has a part in the material's colour."""
    output = material.node_tree.get_output_node("CYCLES")
    return output is not None and any(node.type == "TEX_IMAGE" for node in _upstream(output))


def _unlit(nodes: Any, links: Any, principled: Node) -> Any:
    """Base colour plus the light that the material itself gives off."""
    base = nodes.new("ShaderNodeEmission")
    _copy_input(links, principled.inputs["Base Color"], base.inputs["Color"])
    strength = principled.inputs["Emission Strength"]
    color = principled.inputs["Emission Color"]
    dark = not color.is_linked and max(color.default_value[:3]) == 0
    if dark or (not strength.is_linked and strength.default_value == 0):
        return base.outputs[0]
    glow, both = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeAddShader")
    glow.label = GLOW
    _copy_input(links, color, glow.inputs["Color"])
    _copy_input(links, strength, glow.inputs["Strength"])
    links.new(base.outputs[0], both.inputs[0])
    links.new(glow.outputs[0], both.inputs[1])
    return both.outputs[0]


def _matte(nodes: Any, links: Any, principled: Node) -> Any:
    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    _copy_input(links, principled.inputs["Base Color"], diffuse.inputs["Color"])
    return diffuse.outputs[0]


def _with_alpha(nodes: Any, links: Any, shader: Any, alpha: Any) -> Any:
    if not alpha.is_linked and alpha.default_value >= 1:
        return shader
    clear, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
    _copy_input(links, alpha, mix.inputs[0])
    links.new(clear.outputs[0], mix.inputs[1])
    links.new(shader, mix.inputs[2])
    return mix.outputs[0]


def _copy_input(links: Any, source: Any, target: Any) -> None:
    """Feed `target` as `source` is fed: by the same link, or by its value."""
    target.default_value = source.default_value
    if source.is_linked:
        links.new(source.links[0].from_socket, target)


def _unlink(links: Any, socket: Any) -> None:
    for link in list(socket.links):
        links.remove(link)


def _upstream(node: Node) -> Iterator[Node]:
    """Every node that feeds `node`, `node` excluded."""
    pending, seen = [node], set()
    while pending:
        for socket in pending.pop().inputs:
            for link in socket.links:
                if link.from_node.name not in seen:
                    seen.add(link.from_node.name)
                    pending.append(link.from_node)
                    yield link.from_node


def _find_principled(surface: Any) -> Node | None:
    if not surface.is_linked:
        return None
    first = surface.links[0].from_node
    nodes = [first, *_upstream(first)]
    return next((node for node in nodes if node.type == "BSDF_PRINCIPLED"), None)


def _drop_unreadable(links: Any, output: Node, readable: Callable[[Any], bool]) -> list[str]:
    """Cut off image nodes without pixels: a shader falls back to its own colour, a factor to 1, a glow to none."""
    lost = []
    for node in [node for node in _upstream(output) if node.type == "TEX_IMAGE" and not readable(node.image)]:
        lost.append(node.image.name if node.image else node.name)
        for link in [link for socket in node.outputs for link in socket.links]:
            target = link.to_socket
            links.remove(link)
            if target.node.label == GLOW or target.name == "Emission Color":
                target.default_value = (0.0, 0.0, 0.0, 1.0)
            elif target.node.type not in ("EMISSION", "BSDF_DIFFUSE", "BSDF_PRINCIPLED", "NORMAL_MAP"):
                target.default_value = [1.0] * len(target.default_value) if target.type == "RGBA" else 1.0
    return lost
