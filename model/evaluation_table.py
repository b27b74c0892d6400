"""The evaluation as Markdown: every figure with its interval and its chance."""

from collections.abc import Mapping


def markdown(run: str, encoder: str, figures: Mapping[str, float]) -> str:
    """One table; a line per figure, in percent."""
    lines = [f"# Evaluation of run {run}", "", f"Embeddings: `{encoder}`. Percent; 95% intervals by bootstrap.", ""]
    lines += [f"- {key}: {value:g}" for key, value in figures.items() if key.endswith(("_objects", "_classes"))]
    lines += ["", "| figure | value | 95% interval | chance |", "| --- | ---: | ---: | ---: |"]
    for key, value in figures.items():
        if f"{key}_chance" not in figures:
            continue
        interval = f"{figures[f'{key}_low']:.1%} – {figures[f'{key}_high']:.1%}" if f"{key}_low" in figures else ""
        lines.append(f"| {key} | {value:.1%} | {interval} | {figures[f'{key}_chance']:.1%} |")
    return "\n".join(lines) + "\n"
