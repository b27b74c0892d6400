"""Initial weights of a training run: a published Uni3D checkpoint, or a model that this project trained."""

from pathlib import Path

from model.network.encoder import ClipGS
from model.network.pretrained import from_pretrained
from model.network.uni3d import LoadReport, load_state, load_uni3d


def initialise(model: ClipGS, source: str) -> LoadReport:
    """Copy the weights at `source` into `model` and report what was loaded.

    Args:
        source: a `.pt` file of Uni3D, or a folder or bucket that `save_pretrained` wrote.

    Raises:
        ConfigError: nothing there, or weights of another size.
    """
    if source.endswith((".pt", ".pth")):
        return load_uni3d(model, Path(source))
    pretrained, _ = from_pretrained(source)
    return load_state(model, pretrained.state_dict(), source)
