"""Where an asset's textures lie if they do not lie where it says: the folders that data sets and exporters use."""

from pathlib import PurePosixPath

from pipeline.assets.files.gather import AssetFiles

# Of an object's folder: OBJ exporters, downloads from Sketchfab (source/, textures/), Google Scanned Objects
# (meshes/, materials/textures/)
TEXTURES = ("", "textures", "texture", "tex", "images", "maps", "materials", "materials/textures")
MODELS = frozenset({"fbx", "gltf", "mesh", "meshes", "model", "models", "obj", "scene", "source"})


def in_known_places(files: AssetFiles, name: str, main: PurePosixPath) -> PurePosixPath | None:
    """The one file called `name` beside the main file, or in a folder for textures of the object; None if there is no
    such file, or more than one.

    An object's folder is that of its main file, or the one above it if that is called as folders for models are.
    """
    beside = main.parent
    folder = beside.parent if beside.name.lower() in MODELS else beside
    places = dict.fromkeys(place / name for place in (beside, *(folder / place for place in TEXTURES)))
    found = {path if files.size(path) is not None else files.similar(path) for path in places} - {None}
    return found.pop() if len(found) == 1 else None
