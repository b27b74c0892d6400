"""Which version of the code makes a table."""

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = "clip-gs-corpus"


@cache
def code_version() -> str:
    """The package's version and, in a git checkout, its commit (`+` where the working tree differs from it)."""
    root = Path(__file__).parents[2]
    number = version(PACKAGE)
    if not (root / ".git").exists():
        return number
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return number
    return f"{number}-{done.stdout.strip()}" if done.returncode == 0 else number
