import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """As the stage runs: one thread per object."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
