"""What every test of assets needs: nothing of the developer's own reaches it, or is reached by it."""

import tempfile

import pytest


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path_factory):
    """A user without tokens, passwords and proxies, with a folder of their own for temporary files."""
    for variable in ("HF_TOKEN", "GITHUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path_factory.mktemp("nobody")
    monkeypatch.setenv("HF_HOME", str(home / "huggingface"))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return home
