"""`from model import load_encoder, from_pretrained`: what users of a trained model call."""

import subprocess
import sys

import pytest

import model


def test_the_public_names_are_those_of_their_homes():
    from model.network.pretrained import from_pretrained
    from model.splat_encoder import load_encoder

    assert (model.from_pretrained, model.load_encoder) == (from_pretrained, load_encoder)
    assert model.__all__ == ["from_pretrained", "load_encoder"]


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="no attribute 'load_decoder'"):
        model.load_decoder  # noqa: B018


def test_importing_the_package_alone_stays_light():
    script = "import sys, model, model.config; assert not {'torch', 'timm', 'pyarrow', 'ray'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
