"""Tests of this folder drive the real Blender, which is published for Python 3.11 only."""

import pytest

from render.auto_engine import blender_is_installed


@pytest.fixture(autouse=True, scope="session")
def needs_blender() -> None:
    if not blender_is_installed():
        pytest.skip("needs Blender (bpy)")
