"""Pictures and tiny models that the tests of this package share."""

import json
from pathlib import Path

import pytest
import torch

from pipeline.compat.torchvision_shim import prepare_torchvision

TINY_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> tuple[str, str]:
    """Name and weights' path of a tiny open_clip model that open_clip knows."""
    prepare_torchvision()
    import open_clip

    folder: Path = tmp_path_factory.mktemp("open_clip")
    (folder / "tiny-test.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-test", load_weights=False)
    torch.save(model.state_dict(), folder / "tiny.pt")
    return "tiny-test", str(folder / "tiny.pt")
