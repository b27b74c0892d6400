"""A model as a folder: `model.safetensors` and `model.json` (its config, and the encoder whose space it shares)."""

import os

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from model.network.encoder import ClipGS
from model.network.registry import parse_model_config
from pipeline.base.errors import ConfigError
from pipeline.store.corpus_store import CorpusStore

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


def save_pretrained(model: ClipGS, encoder: str, target: CorpusStore, *parts: str) -> None:
    """Write weights and description to a folder inside a corpus (or inside any other folder or bucket).

    Args:
        encoder: id of the image and text encoder that the model was aligned with.
        parts: the folder's path inside `target`; none: `target` itself.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with target.atomic_file(target.path(*parts, WEIGHTS)) as file:
        file.write_bytes(save(state))
    target.write_json({"model": model.config.model_dump(mode="json"), "encoder": encoder}, *parts, DESCRIPTION)


def from_pretrained(folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> tuple[ClipGS, str]:
    """The model (in evaluation mode) and its encoder's id.

    Raises:
        ConfigError: the folder holds no model, or weights that do not fit its description.
    """
    source = CorpusStore(folder)
    if not source.exists(DESCRIPTION):
        raise ConfigError(f"{os.fspath(folder)} has no trained model ({DESCRIPTION}); run the train stage first")
    description = source.read_json(DESCRIPTION)
    model = ClipGS(parse_model_config(description["model"]))
    try:
        model.load_state_dict(load(source.read_bytes(WEIGHTS)))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ConfigError(f"{os.fspath(folder)}: {WEIGHTS} does not fit {DESCRIPTION}: {error}") from error
    return model.to(device).eval(), description["encoder"]
