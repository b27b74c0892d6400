"""What each choice of the fit's recipe is worth: one changed at a time, on the views of a rendered corpus.

    python -m benchmarks.fit.choices CORPUS [--objects 8]

The base is 10,000 Gaussians and 300 iterations with everything else as shipped. Every figure is a mean over the
objects: dB over the image and over the object's pixels in the held-out views, and CPU seconds of the optimiser.

Writes fit_choices.json.
"""

import argparse
import time

from benchmarks.fit.corpus import views_of
from benchmarks.record import record
from fit_gaussians.config import FitConfig
from fit_gaussians.cpu.fit import fit_on_cpu
from fit_gaussians.metrics import measure
from fit_gaussians.recipe.recipe import Recipe
from fit_gaussians.stage import prepare
from pipeline import Corpus
from pipeline.store.rows import Row

BASE = FitConfig(num_gaussians=10_000, iterations=300, backend="numba")
SHIPPED = Recipe()
# name -> changes of the config, changes of the recipe
CHOICES: dict[str, tuple[dict, dict]] = {
    "base": ({}, {}),
    "gaussians_5k": ({"num_gaussians": 5_000}, {}),
    "gaussians_20k": ({"num_gaussians": 20_000}, {}),
    "iterations_100": ({"iterations": 100}, {}),
    "iterations_1000": ({"iterations": 1000}, {}),
    "early_stop_0.02_of_1000": ({"iterations": 1000, "early_stop": 0.02}, {}),
    "classic_eps2d_0.3": ({"rasterize_mode": "classic", "eps2d": 0.3}, {}),
    "eps2d_0.05": ({"eps2d": 0.05}, {}),
    "eps2d_0.3": ({"eps2d": 0.3}, {}),
    "no_ssim": ({"ssim_weight": 0}, {}),
    "ssim_every_step": ({"ssim_every": 1}, {}),
    "no_alpha_loss": ({"alpha_weight": 0}, {}),
    "sh_degree_3": ({"sh_degree": 3}, {}),
    "sh_degree_3_rate_triple": ({"sh_degree": 3}, {"sh_rest_share": 3 * SHIPPED.sh_rest_share}),
    "relocate_every_25": ({"relocate_every": 25}, {}),
    "adam_0.9_0.999": ({}, {"betas": (0.9, 0.999)}),
    "decay_to_0.05": ({}, {"final_rate": 0.05}),
    "decay_to_0.2": ({}, {"final_rate": 0.2}),
    "means_rate_half": ({}, {"means_rate": SHIPPED.means_rate / 2}),
    "means_rate_double": ({}, {"means_rate": SHIPPED.means_rate * 2}),
    "quats_rate_double": ({}, {"quats_rate": SHIPPED.quats_rate * 2}),
    "scales_rate_half": ({}, {"scales_rate": SHIPPED.scales_rate / 2}),
    "colors_rate_half": ({}, {"colors_rate": SHIPPED.colors_rate / 2}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a corpus whose objects are rendered")
    parser.add_argument("--objects", type=int, default=8)
    arguments = parser.parse_args()
    rows = list(views_of(Corpus(arguments.corpus), arguments.objects))
    fit(rows[0], BASE.model_copy(update={"iterations": 3}), SHIPPED)  # the kernels' machine code is loaded, or compiled
    figures: dict[str, float] = {"objects": len(rows)}
    for name, (config, recipe) in CHOICES.items():
        results = [fit(row, BASE.model_copy(update=config), Recipe(**recipe)) for row in rows]
        for key, values in zip(("psnr", "psnr_object", "cpu_s"), zip(*results, strict=True), strict=True):
            figures[f"{key}_{name}"] = round(sum(values) / len(values), 2)
        print(name, *(figures[f"{key}_{name}"] for key in ("psnr", "psnr_object", "cpu_s")), flush=True)
    record("fit_choices", figures, notes=" ".join(__doc__.split("\n\n")[2].split()))


def fit(row: Row, config: FitConfig, recipe: Recipe) -> tuple[float, float, float]:
    """PSNR of the image and of the object on the held-out views, and CPU seconds of the optimiser."""
    task = prepare(row, config)
    started = time.process_time()
    splat, _ = fit_on_cpu(task.initial, task.train, task.seed, config, recipe)
    cpu_s = time.process_time() - started
    quality = measure(splat, task.heldout, config.rasterize_mode, config.eps2d, "numba", "cpu")
    return quality.psnr, quality.psnr_object, cpu_s


if __name__ == "__main__":
    main()
