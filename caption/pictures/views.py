"""Which views a captioner is shown: only good renders, and ones that differ."""

import numpy as np
from PIL import Image

from caption.errors import BadRender
from caption.pictures.subject import Subject

MIN_COVERAGE = 0.01  # mean alpha below which nothing can be recognised
MIN_COLOR_RANGE = 3  # levels of 255: less than this in every channel is one colour
_THUMBNAIL = 16  # pixels a side
_CANDIDATES = 2  # views looked at for each view chosen


def check_render(subject: Subject, views: list[Image.Image]) -> None:
    """Refuse an object whose `views` would mislead a captioner.

    Raises:
        BadRender: the mean coverage is below `MIN_COVERAGE`, textures of colours are missing, or all visible pixels of
            these views have one colour.
    """
    if subject.coverage < MIN_COVERAGE:
        covers = f"object {subject.uid} covers {subject.coverage:.2%} of its views, less than {MIN_COVERAGE:.0%}"
        raise BadRender(covers, "nearly empty")
    if subject.missing_colors:
        names = ", ".join(subject.missing_colors[:3])
        without = f"object {subject.uid} was rendered without {len(subject.missing_colors)} textures: {names}"
        raise BadRender(without, "missing textures")
    if _has_one_color(views):
        raise BadRender(f"object {subject.uid} has one colour in all its views", "one colour")


def _has_one_color(views: list[Image.Image]) -> bool:
    low, high = np.full(3, 255), np.zeros(3, int)
    for view in views:
        rgba = np.asarray(view.convert("RGBA"))
        visible = rgba[rgba[..., 3] > 127, :3]
        if len(visible):
            low, high = np.minimum(low, visible.min(0)), np.maximum(high, visible.max(0))
        if (high - low >= MIN_COLOR_RANGE).any():
            return False
    return True


def thumbnails(views: list[Image.Image]) -> np.ndarray:
    """Features [V, F] of views from their pixels alone: small pictures, colours multiplied by alpha, and alpha."""
    small = [view.convert("RGBa").resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX) for view in views]
    return np.stack([np.asarray(image, np.float32).reshape(-1) / 255 for image in small])


def view_coverage(views: list[Image.Image]) -> np.ndarray:
    """Mean alpha [V] of each view, 0..1."""
    return np.array([np.asarray(view.convert("RGBA").getchannel("A"), np.float32).mean() / 255 for view in views])


def spread_views(total: int, count: int) -> list[int]:
    """Numbers of `count` views (all, where there are no more) evenly spread over 0..total-1."""
    return sorted({int(v) for v in np.linspace(0, total - 1, min(count, total)).round()})


def candidate_views(total: int, count: int) -> list[int]:
    """Numbers of the views to choose `count` from: twice as many and no more, for each must be decoded."""
    return spread_views(total, _CANDIDATES * count)


def choose_views(features: np.ndarray, coverage: np.ndarray, count: int) -> list[int]:
    """Indices of `count` views that show much and differ, best first; all of them where there are no more.

    Farthest-point selection (Gonzalez 1985): the first is the view that covers most; each next one is farthest from
    those chosen, its distance weighted by its coverage. Six views that differ describe an object better than all 28
    (DiffuRank, Luo et al. 2024, arXiv 2404.07984).

    Args:
        features: [V, F], distances between which say how much views differ.
        coverage: [V] in 0..1.
    """
    chosen = [int(coverage.argmax())]
    distance = np.full(len(features), np.inf)  # to the nearest chosen view
    while len(chosen) < min(count, len(features)):
        distance = np.minimum(distance, np.linalg.norm(features - features[chosen[-1]], axis=1))
        score = distance * coverage
        score[chosen] = -1
        chosen.append(int(score.argmax()))
    return chosen
