import subprocess
import sys

import pytest
import torch

from pipeline.compat.torchvision_shim import prepare_torchvision


def run(code: str) -> str:
    """Output of `code` in a fresh interpreter: what is imported first matters here."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_timm_and_open_clip_import_after_it():
    code = (
        "from pipeline.compat.torchvision_shim import prepare_torchvision as p; p(); p(); "
        "import timm, open_clip, torchvision"
    )
    run(f"{code}; print(torchvision.__version__)")


def test_it_stays_out_of_the_way_where_the_extension_is_loaded():
    """Stands for a torchvision that fits its torch: operators that exist already are neither declared nor replaced."""
    code = """
import torch, pipeline.compat.torchvision_shim as shim
shim._extension_loads = lambda: True
shim.prepare_torchvision()
assert not hasattr(torch.ops.torchvision, "nms")
"""
    run(code)


def test_a_missing_operator_says_so():
    prepare_torchvision()
    import torchvision.extension

    if torchvision.extension._has_ops():
        pytest.skip("this torchvision has its operators")
    with pytest.raises(RuntimeError, match="torchvision::nms is not available.*Install the torchvision"):
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
