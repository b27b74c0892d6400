"""The formats of assets that are read: the assets stage checks them, the renderers open them."""

ASSET_FORMATS = ("glb", "gltf", "obj", "ply", "stl", "fbx", "dae", "usdz", "off")
USD_LAYERS = (".usd", ".usda", ".usdc")  # what the first member of a USDZ archive may be
