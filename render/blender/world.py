"""The light around an object in Blender: white from everywhere, or a neutral studio made of nodes alone.

Works on node trees. It is part of the worker, but needs no `bpy` of its own.
"""

from typing import Any

World = Any  # bpy.types.World

# Studio: height of the direction (0: below, 1: above) and the light that comes from there. All grey, so that colours
# stay what they are; brighter above, with a soft box that shiny surfaces show.
STUDIO = ((0.0, 0.30), (0.45, 0.45), (0.75, 0.75), (0.86, 0.85), (0.90, 1.0))
STUDIO_STRENGTH = 1.5


def make_white(world: World) -> None:
    """The same white light from every direction."""
    background = _background(world)
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = 1.0


def make_studio(world: World) -> None:
    """Grey light that grows with height."""
    background = _background(world)
    nodes, links = world.node_tree.nodes, world.node_tree.links
    direction, height = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
    to_unit, ramp = nodes.new("ShaderNodeMapRange"), nodes.new("ShaderNodeValToRGB")
    to_unit.inputs["From Min"].default_value, to_unit.inputs["From Max"].default_value = -1.0, 1.0
    stops = ramp.color_ramp.elements
    while len(stops) < len(STUDIO):
        stops.new(1.0)
    for stop, (place, light) in zip(stops, STUDIO, strict=True):
        stop.position, stop.color = place, (light, light, light, 1.0)
    links.new(direction.outputs["Generated"], height.inputs[0])
    links.new(height.outputs["Z"], to_unit.inputs["Value"])
    links.new(to_unit.outputs[0], ramp.inputs["Fac"])
    links.new(ramp.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = STUDIO_STRENGTH


def _background(world: World) -> Any:
    """The world's only light, after whatever made light before is gone."""
    world.use_nodes = True
    nodes = world.node_tree.nodes
    nodes.clear()
    background, output = nodes.new("ShaderNodeBackground"), nodes.new("ShaderNodeOutputWorld")
    world.node_tree.links.new(background.outputs[0], output.inputs["Surface"])
    return background
