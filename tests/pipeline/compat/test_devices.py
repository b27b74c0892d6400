"""Whether torch has a CUDA device is asked of torch only where there is a driver."""

import subprocess
import sys

import pytest
import torch

from pipeline.compat.devices import cuda_is_available


def test_says_what_torch_says():
    assert cuda_is_available() == torch.cuda.is_available()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_a_driver_torch_is_not_imported():
    code = (
        "import sys; from pipeline.compat.devices import cuda_is_available; "
        "cuda_is_available(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"
