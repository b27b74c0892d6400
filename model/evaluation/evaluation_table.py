"""The evaluation as Markdown: every figure with its interval and its chance, and the paper's marks below."""

from collections.abc import Mapping

HEAD = """# Evaluation of run {run}

Embeddings: `{encoder}`. In brackets: 95% interval (bootstrap over objects), or deviation over episodes.

"""
# CLIP-GS (arXiv 2412.19142), trained without Objaverse-LVIS, and its baselines: R@1, and zero-shot top-1.
PAPER = """
The paper's results on Objaverse-GS, with EVA-CLIP; its data differ, and its gallery is larger than most corpora here:

| model | text to 3D R@1 | 3D to text R@1 | image to 3D R@1 | 3D to image R@1 | zero-shot top-1 / 3 / 5 |
| --- | ---: | ---: | ---: | ---: | ---: |
| CLIP-GS | 36.8% | 30.0% | 75.6% | 56.9% | 48.5% / 70.3% / 77.5% |
| Uni3D | 27.8% | 23.1% | 65.1% | 49.3% | |
| OpenShape | 24.4% | 22.6% | 61.6% | 53.8% | |
| ULIP-2 | 4.5% | 5.3% | 5.6% | 25.0% | |
"""


def markdown(run: str, encoder: str, figures: Mapping[str, float]) -> str:
    """One table; a line per figure, in percent."""
    lines = [f"- {key}: {value:g}" for key, value in figures.items() if key.endswith(("_objects", "_classes"))]
    lines += ["", "| figure | value | | chance |", "| --- | ---: | ---: | ---: |"]
    for key, value in figures.items():
        if f"{key}_chance" in figures:
            lines.append(f"| {key} | {value:.1%} | {_spread(key, figures)} | {figures[f'{key}_chance']:.1%} |")
    return HEAD.format(run=run, encoder=encoder) + "\n".join(lines) + "\n" + PAPER


def _spread(key: str, figures: Mapping[str, float]) -> str:
    if f"{key}_low" in figures:
        return f"({figures[f'{key}_low']:.1%} to {figures[f'{key}_high']:.1%})"
    return f"(± {figures[f'{key}_deviation']:.1%})" if f"{key}_deviation" in figures else ""
