"""What iterations and spherical harmonics are worth: a table of dB, CPU seconds and bytes.

    python -m benchmarks.fit.table CORPUS WORK [--objects 8]

Fits the first objects of a rendered corpus by the fit stage in one thread, with 10,000 Gaussians, for each number of
iterations and each degree of spherical harmonics. Figures are means over the objects: held-out PSNR of the image and of
the object's pixels, CPU seconds from the row of views to the stored and measured splat, bytes of its Parquet file. A
finished fit is kept in WORK and not made again.

Prints the table in Markdown, and writes fit_table.json.
"""

import argparse
import itertools
import logging
from pathlib import Path

from benchmarks.fit.corpus import finished, fit_once, make_stage, values, views_of
from benchmarks.record import record
from fit_gaussians.config import FitConfig
from pipeline import Corpus
from pipeline.store.rows import Row

ITERATIONS = (200, 1000, 5000)
SH_DEGREES = (0, 3)
NUM_GAUSSIANS = 10_000
COLUMNS = {"psnr": "image dB", "psnr_object": "object dB", "cpu_s": "CPU s", "bytes": "bytes"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit.table", description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", help="a corpus whose objects are rendered")
    parser.add_argument("work", type=Path, help="folder for the fitted splats")
    parser.add_argument("--objects", type=int, default=8)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("numba").setLevel(logging.WARNING)
    corpus, work = Corpus(arguments.corpus), Corpus(arguments.work.resolve())
    fits: dict[tuple[int, int], list[dict]] = {cell: [] for cell in itertools.product(ITERATIONS, SH_DEGREES)}
    for row in views_of(corpus, arguments.objects):
        of_row = {cell: fit(*cell, row, work) for cell in fits}
        if all(of_row.values()):  # the object can be fitted
            for cell, figures in of_row.items():
                fits[cell].append(figures)
    means = {
        cell: {column: float(values(of_cell, column).mean()) for column in COLUMNS} for cell, of_cell in fits.items()
    }
    figures = {
        f"{column}_{iterations}_sh{degree}": round(value, 3)
        for (iterations, degree), row in means.items()
        for column, value in row.items()
    }
    record(
        "fit_table",
        {"objects": len(fits[ITERATIONS[0], SH_DEGREES[0]]), **figures},
        notes=" ".join(__doc__.split("\n\n")[2].split()),
    )
    print(markdown(means))


def fit(iterations: int, degree: int, row: Row, work: Corpus) -> dict | None:
    """The figures of one fit, made now or earlier; None if the object cannot be fitted."""
    setting = f"table_{iterations}_sh{degree}"
    figures = finished(work, setting, row["uid"])
    if figures is None:
        config = FitConfig(num_gaussians=NUM_GAUSSIANS, sh_degree=degree, backend="numba")
        make_stage(config.model_copy(update={"iterations": 2}), work).process([row])  # loads the kernels' machine code
        stage = make_stage(config.model_copy(update={"iterations": iterations}), work)
        figures = fit_once(stage, row, work, setting)
    return figures


def markdown(means: dict[tuple[int, int], dict[str, float]]) -> str:
    lines = [
        "| iterations | SH degree | " + " | ".join(COLUMNS.values()) + " |",
        "|" + "---|" * (2 + len(COLUMNS)),
    ]
    for (iterations, degree), row in means.items():
        cells = [f"{row['psnr']:.2f}", f"{row['psnr_object']:.2f}", f"{row['cpu_s']:.1f}", f"{row['bytes']:,.0f}"]
        lines.append(f"| {iterations:,} | {degree} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
