"""Zero-shot classification of a published point-cloud test set: `python -m model.evaluate_points FILES --run …`.

Every point becomes a grey ball (model/evaluation/point_sets.py), so the figures are of shape alone and stand beside
those of point-cloud models. The paper's ModelNet-GS is another thing: splats that were fitted to renders of the meshes.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from model.evaluation.label_sets import label_set
from model.evaluation.point_sets import read_point_set, splat_of_points
from model.evaluation.retrieval import with_interval
from model.evaluation.zero_shot import class_average, class_vectors, top_k_hits
from model.splat_encoder import load_encoder
from pipeline.base.errors import ConfigError, PipelineError
from pipeline.base.exit_code import exit_code

TOP_KS = (1, 3, 5)
CLOUDS_AT_ONCE = 64


@dataclass(frozen=True)
class Arguments:
    """Classify the point clouds of ModelNet40 or ScanObjectNN with a trained model."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """HDF5 files of the test split: ply_data_test0.h5 ply_data_test1.h5, or test_objectdataset.h5."""
    run: str
    """Folder of the trained model: CORPUS/runs/NAME."""
    classes: str = "modelnet40"
    """modelnet40, scanobjectnn, or a JSON file of names, in the order of the labels."""
    output: str = ""
    """JSON file for the figures, which are printed as well."""


def main(arguments: Arguments) -> dict[str, float]:
    """The figures: `zero_shot_topK`, the class average, and chance beside each.

    Raises:
        ConfigError: files that are no such set, no such classes or model.
    """
    if not arguments.files:
        raise ConfigError("name at least one HDF5 file")
    classes = label_set(arguments.classes)
    clouds, labels = read_point_set(arguments.files, len(classes))
    if not len(clouds):
        raise ConfigError(f"{arguments.files[0]} holds no clouds")
    encoder = load_encoder(arguments.run)
    features = []
    for start in range(0, len(clouds), CLOUDS_AT_ONCE):
        features.append(encoder.encode([splat_of_points(cloud) for cloud in clouds[start : start + CLOUDS_AT_ONCE]]))
    from caption.encoders import load_encoder_by_id  # heavy: after everything that can be wrong

    vectors = class_vectors(classes, load_encoder_by_id(encoder.encoder).encode_texts)
    figures = point_figures(np.concatenate(features), labels, vectors)
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def point_figures(features: np.ndarray, labels: np.ndarray, vectors: np.ndarray) -> dict[str, float]:
    """Figures of features [N, D] with class numbers [N] against class vectors [C, D]."""
    figures: dict[str, float] = {"objects": len(labels), "classes": len(vectors)}
    hits = top_k_hits(features, labels, vectors, TOP_KS)
    for k, values in zip(TOP_KS, hits, strict=True):
        figures |= with_interval(f"zero_shot_top{k}", values, min(k, len(vectors)) / len(vectors))
    figures["zero_shot_class_average_top1"] = class_average(hits[0], labels)
    return {name: float(value) for name, value in figures.items()}


def _command() -> int:
    try:
        print(json.dumps(main(tyro.cli(Arguments)), indent=2))
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(exit_code(_command))
