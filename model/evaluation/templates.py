"""The 64 sentence templates of zero-shot evaluation in ULIP, OpenShape and Uni3D (most are CLIP's for ImageNet)."""

_ARTICLES = ("a", "the")
_LOOKS = ("nice", "cool", "weird", "small", "large", "clean", "dirty", "hard to see")
_PHOTOS = (
    "good photo", "bad photo", "bright photo", "dark photo", "low resolution photo", "cropped photo", "close-up photo",
    "jpeg corrupted photo", "blurry photo", "pixelated photo", "black and white photo",
)  # fmt: skip
_MATERIALS = ("a plastic", "the plastic", "a toy", "the toy", "a plushie", "the plushie", "a cartoon", "the cartoon",
              "an embroidered", "the embroidered", "a painting of a", "a painting of the")  # fmt: skip

TEMPLATES = (
    "a point cloud model of {}.",
    *(f"There is {article} {{}} in the scene." for article in _ARTICLES),
    *(f"a photo of {word} {{}} in the scene." for word in ("a", "the", "one")),
    *(f"itap of {word} {{}}." for word in ("a", "my", "the")),
    *(f"a photo of {word} {{}}." for word in ("a", "my", "the", "one", "many")),
    *(f"a photo of {article} {look} {{}}." for look in _LOOKS for article in _ARTICLES),
    *(
        # one template of the published list has no full stop
        f"a {photo} of {article} {{}}" + ("" if (photo, article) == ("black and white photo", "a") else ".")
        for photo in _PHOTOS
        for article in _ARTICLES
    ),
    *(f"{material} {{}}." for material in _MATERIALS),
)
