"""How many errors mypy finds in a source tree, by the rules of today's pyproject.toml."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# Numba kernels and code inside of Blender are exempt today, by name; this is where they stood before they had rooms.
_KERNELS = (
    "autograd binning blend blend_backward cpu ewa fit_step jit layout loss loss_kernel projection projection_backward "
    "shade tiles transfer simd.*"
)
BEFORE_ROOMS: Mapping[str, Sequence[str]] = {
    "fit_gaussians.rasterize.kernels.*": [f"fit_gaussians.rasterize.{name}" for name in _KERNELS.split()],
    "render.blender.worker": ["render.blender_worker"],
    "render.blender.materials": ["render.blender_materials"],
    "render.blender.world": ["render.blender_world"],
}


def count_typing_errors(tree: Path, pyproject: str, moved: Mapping[str, Sequence[str]]) -> int:
    """Run mypy on the product's packages in `tree`.

    Args:
        pyproject: text of the pyproject.toml that holds the rules.
        moved: patterns of modules in those rules, and what they are in this tree.

    Raises:
        RuntimeError: mypy gave up before it had checked everything.
        ValueError: the rules do not name what is said to have moved.
    """
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "pyproject.toml"
        rules.write_text(rules_for(pyproject, moved), encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--config-file", str(rules), "--cache-dir", f"{folder}/cache"]
        ended = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    found = re.search(r"^Found (\d+) errors? in \d+ files? \(checked", ended.stdout, re.MULTILINE)
    if ended.returncode == 0:
        return 0
    if ended.returncode != 1 or not found:
        raise RuntimeError(f"mypy did not check {tree} to the end: {(ended.stdout + ended.stderr)[-500:]}")
    return int(found[1])


def rules_for(pyproject: str, moved: Mapping[str, Sequence[str]]) -> str:
    """The text of a pyproject.toml with the modules named as in another tree."""
    for today, before in moved.items():
        if f'"{today}"' not in pyproject:
            raise ValueError(f"pyproject.toml has no rule for {today}: say in {Path(__file__).name} what it is now")
        pyproject = pyproject.replace(f'"{today}"', ", ".join(f'"{module}"' for module in before))
    return pyproject
