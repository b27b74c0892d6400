"""Makes `import torchvision` work beside a CPU-only torch.

The wheel of torchvision on the package index is linked against CUDA; beside a CPU torch its extension does not load,
and the import then fails because the operators that it would have defined are missing. timm, open_clip and transformers
need the Python half only. Call `prepare_torchvision()` before importing any of them.
"""

import importlib.util
import logging

import torch

logger = logging.getLogger(__name__)

_OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: torch.library.Library | None = None  # operators live as long as their library object


def prepare_torchvision() -> None:
    """Define torchvision's operators where its compiled extension cannot; does nothing where torch has CUDA.

    A defined operator has no implementation: calling it raises torch's NotImplementedError, which names the operator.
    """
    global _library
    if _library is not None or torch.version.cuda or importlib.util.find_spec("torchvision") is None:
        return
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for name, declaration in _OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            _library.define(declaration)
    logger.debug("CPU torch: torchvision's compiled operators (nms, roi_align, …) are not available")
