"""Makes `import torchvision` work beside a CPU-only torch.

The wheel of torchvision on the package index is linked against CUDA; beside a CPU torch its extension does not load,
and the import then fails because the operators that it would have defined are missing. timm, open_clip and transformers
need the Python half only. Call `prepare_torchvision()` before importing any of them.
"""

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch

logger = logging.getLogger(__name__)

# What torchvision's Python half looks up at import.
_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: torch.library.Library | None = None  # operators live as long as their library object


def prepare_torchvision() -> None:
    """Let `import torchvision` succeed; does nothing where its extension loads or torchvision is not installed.

    Where the extension does not load, the two operators that the import needs are declared. Calling one of them raises
    a RuntimeError that names it and the cure; nothing is computed in its place.
    """
    global _library
    if _library is not None or _extension_loads():
        return
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for name, declaration in _OPERATORS.items():
        _library.define(declaration)
        _library.impl(name, _missing(name), "CPU")
    logger.info("torchvision's compiled operators (nms, roi_align, …) do not load beside torch %s", torch.__version__)


def _extension_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # nothing to prepare
    (folder,) = spec.submodule_search_locations
    extensions = [*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")]
    try:
        for extension in extensions:
            torch.ops.load_library(extension)  # loading it again at torchvision's own import does no harm
    except OSError:
        return False
    return bool(extensions)


def _missing(name: str) -> Callable[..., NoReturn]:
    def operator(*args: object) -> NoReturn:
        raise RuntimeError(
            f"torchvision::{name} is not available: torchvision's compiled extension does not load beside torch "
            f"{torch.__version__}. Install the torchvision that was built for this torch."
        )

    return operator
