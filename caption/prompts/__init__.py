"""Prompts are text files here; a file's name is the prompt's id. A prompt that changes gets a new name."""

from pathlib import Path

from pipeline.base.errors import ConfigError

_FOLDER = Path(__file__).parent


def load_prompt(id: str) -> str:
    """The text of a prompt.

    Raises:
        ConfigError: there is no prompt of this id.
    """
    ids = sorted(file.stem for file in _FOLDER.glob("*.txt"))
    if id not in ids:
        raise ConfigError(f"unknown prompt {id!r}; there are: {', '.join(ids)}")
    return (_FOLDER / f"{id}.txt").read_text(encoding="utf-8").strip()
