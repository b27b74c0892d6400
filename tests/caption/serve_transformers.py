"""`transformers serve`, also where torchvision's compiled half does not load: pictures are then decoded by Pillow."""

import io
import sys

import numpy as np
import torch
from PIL import Image

from pipeline.compat.torchvision_shim import prepare_torchvision


def decode_with_pillow(data: torch.Tensor, mode: str = "RGB", **kwargs) -> torch.Tensor:
    """[3, H, W] uint8, as `torchvision.io.decode_image` gives it."""
    image = Image.open(io.BytesIO(data.numpy().tobytes())).convert("RGB")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


if __name__ == "__main__":
    prepare_torchvision()
    import torchvision.io
    from torchvision.extension import _has_ops

    if not _has_ops():
        torchvision.io.decode_image = decode_with_pillow
    from transformers.cli.transformers import main

    sys.exit(main())
