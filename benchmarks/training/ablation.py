"""Does each part of CLIP-GS earn its place? The same budget for every arm, on objects that training never sees.

    python -m pipeline.run --stage all --config workflows/furniture.yaml --corpus corpora/furniture
    python -m benchmarks.training.ablation --corpus corpora/furniture

Arms, cumulative as in the paper's ablation: `points` (Uni3D's encoder on positions and colours), `attributes` (the same
encoder on all 14 numbers), `gs` (the GS tokenizer), `gs_voting` (and image voting), `gs_voting_pretrained` (the same,
started from the weights of `points`, as the paper starts from Uni3D: its budget is spent on top of theirs). Before
voting an arm contrasts one random view of each object with weight 1, as Uni3D does. A run that is finished is not
repeated, so a stopped ablation goes on. Writes benchmarks/results/ablation.json and ablation.md beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tyro

from benchmarks.record import RESULTS, record
from model.config import EvaluateConfig, TrainConfig
from model.evaluation.evaluate import evaluate
from model.training.train import train
from pipeline import Corpus

ONE_VIEW = {"voting_views": 1, "voting_weights": "uniform"}
ARMS: dict[str, dict] = {
    "points": {"tokenizer": "points", **ONE_VIEW},
    "attributes": {"tokenizer": "attributes", **ONE_VIEW},
    "gs": {"tokenizer": "gs", **ONE_VIEW},
    "gs_voting": {"tokenizer": "gs"},
    "gs_voting_pretrained": {"tokenizer": "gs"},
}
PRETRAINED_FROM = {"gs_voting_pretrained": "points"}
DIRECTIONS = ("text_to_3d", "3d_to_text", "image_to_3d", "3d_to_image")


@dataclass(frozen=True)
class Arguments:
    """Train every arm with every seed on a corpus, and compare them on its held-out split."""

    corpus: str = "corpora/furniture"
    model: str = "tiny"
    seeds: int = 3
    steps: int = 600
    batch_size: int = 32
    warmup_steps: int = 60
    learning_rate: float = 1e-3


def main(arguments: Arguments) -> None:
    """Train, evaluate, write."""
    corpus = Corpus(arguments.corpus)
    results = {(arm, seed): one_run(corpus, arguments, arm, seed) for seed in range(arguments.seeds) for arm in ARMS}
    figures = summarise(results, arguments.seeds)
    record("ablation", figures, notes=" ".join(__doc__.partition("\n\n")[0].split()))
    (RESULTS / "ablation.md").write_text(table(figures, arguments), encoding="utf-8")
    print(table(figures, arguments))


def one_run(corpus: Corpus, arguments: Arguments, arm: str, seed: int) -> dict[str, float]:
    """Figures of one training and its evaluation; read back if they are there already."""
    config = TrainConfig(
        run=f"ablation-{arm}-{seed}",
        model=arguments.model,
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        warmup_steps=arguments.warmup_steps,
        learning_rate=arguments.learning_rate,
        seed=seed,
        init=corpus.path("runs", f"ablation-{PRETRAINED_FROM[arm]}-{seed}") if arm in PRETRAINED_FROM else "",
        **ARMS[arm],
    )
    kept = ("runs", config.run, "ablation.json")
    wanted = config.content()
    if corpus.exists(*kept):
        result = corpus.read_json(*kept)
        if result["config"] == wanted:
            return result["figures"]
    figures = train(corpus, config)
    figures |= evaluate(corpus, EvaluateConfig(run=config.run, splits=("val", "heldout"), zero_shot=False))
    corpus.write_json({"config": wanted, "figures": figures}, *kept)
    return figures


def summarise(results: Mapping[tuple[str, int], Mapping[str, float]], seeds: int) -> dict[str, float]:
    """Means and deviations over the seeds, and the gains in points of held-out R@1 from text to 3D."""
    first = next(iter(results.values()))
    figures: dict[str, float] = {
        "seeds": seeds,
        "steps": first["steps"],
        "train_objects": first["train_objects"],
        "heldout_objects": first["retrieval_heldout_objects"],
        "chance_r1": first["retrieval_heldout_text_to_3d_r1_chance"],
        "chance_r5": first["retrieval_heldout_text_to_3d_r5_chance"],
    }
    for arm in ARMS:
        for direction in DIRECTIONS:
            for k in (1, 5):
                values = _over_seeds(results, arm, f"retrieval_heldout_{direction}_r{k}", seeds)
                figures[f"{arm}_{direction}_r{k}_mean"] = values.mean()
                figures[f"{arm}_{direction}_r{k}_deviation"] = values.std(ddof=1) if seeds > 1 else 0.0
    for name, better, worse in (
        ("gain_attributes_over_points", "attributes", "points"),
        ("gain_tokenizer_over_points", "gs", "points"),
        ("gain_voting_over_tokenizer", "gs_voting", "gs"),
        ("gain_pretraining_over_scratch", "gs_voting_pretrained", "gs_voting"),
    ):
        # seed by seed: both arms of a pair see the same objects in the same order
        pairs = [_over_seeds(results, arm, "retrieval_heldout_text_to_3d_r1", seeds) for arm in (better, worse)]
        gains = 100 * (pairs[0] - pairs[1])
        figures[name] = gains.mean()
        figures[f"{name}_deviation"] = gains.std(ddof=1) if seeds > 1 else 0.0
    figures["encoder_share"] = float(np.mean([result["encoder_share"] for result in results.values()]))
    figures["samples_per_second"] = _over_seeds(results, "gs_voting", "samples_per_second", seeds).mean()
    return {name: float(value) for name, value in figures.items()}


def table(figures: Mapping[str, float], arguments: Arguments) -> str:
    """The arms as a Markdown table."""
    lines = [
        f"{arguments.seeds} seeds, {arguments.steps} steps of {arguments.batch_size} objects, model {arguments.model}; "
        f"{figures['train_objects']:.0f} training and {figures['heldout_objects']:.0f} held-out objects. "
        "Percent, mean ± deviation over seeds.",
        "",
        "| arm | " + " | ".join(f"{name.replace('_', ' ')} R@{k}" for name in DIRECTIONS for k in (1, 5)) + " |",
        "| --- |" + " ---: |" * 8,
    ]
    for arm in ARMS:
        cells = [
            f"{100 * figures[f'{arm}_{name}_r{k}_mean']:.1f} ± {100 * figures[f'{arm}_{name}_r{k}_deviation']:.1f}"
            for name in DIRECTIONS
            for k in (1, 5)
        ]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    chances = [f"{100 * figures[f'chance_r{k}']:.1f}" for _ in DIRECTIONS for k in (1, 5)]
    return "\n".join([*lines, "| chance | " + " | ".join(chances) + " |"]) + "\n"


def _over_seeds(results: Mapping[tuple[str, int], Mapping[str, float]], arm: str, key: str, seeds: int) -> np.ndarray:
    return np.array([results[arm, seed][key] for seed in range(seeds)])


if __name__ == "__main__":
    main(tyro.cli(Arguments))
