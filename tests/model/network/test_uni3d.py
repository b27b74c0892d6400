import numpy as np
import pytest
import torch

from model.data.batches import stack_patches
from model.data.patches import make_patches
from model.network.encoder import ClipGS
from model.network.registry import load_model_config
from model.network.uni3d import load_state, load_uni3d
from pipeline.base.errors import ConfigError
from tests.model.network.uni3d_reference import NARROW, SIZES, published_shapes, random_checkpoint, reference_forward
from tests.model.synthetic_triplets import random_gaussians

GROUPS, GROUP_SIZE = 32, 16


def point_feature(model: ClipGS, gaussians: np.ndarray, training: bool = False) -> torch.Tensor:
    """Our feature of one splat in float64."""
    patches = stack_patches([make_patches(gaussians, GROUPS, GROUP_SIZE, ())])
    patches.gaussians, patches.centers = patches.gaussians.double(), patches.centers.double()
    with torch.no_grad():
        return model.double().train(training).point_encoder(patches)[0]


@pytest.mark.parametrize("size", SIZES)
def test_every_published_size_loads_to_the_last_key(size):
    """Shapes alone (meta device), so that the billion parameters of g fit."""
    with torch.device("meta"):
        model = ClipGS(load_model_config(size))
        state = {name: torch.empty(shape, dtype=torch.float16) for name, shape in published_shapes(size).items()}
    report = load_state(model, state, size)
    assert not report.mismatched and not report.unexpected
    assert all(name.startswith("point_encoder.gs_refinement.") for name in report.missing) and report.missing
    assert set(report.loaded) | set(report.unused) == state.keys()
    parts = {name.removeprefix("point_encoder.visual.").split(".")[0] for name in report.unused}
    assert parts == {"cls_token", "pos_embed", "patch_embed"} | ({"head"} if size in "blg" else set())
    for word in ("loaded", "missing", "unused", "gs_refinement"):
        assert word in str(report)


@pytest.mark.parametrize("size", ["ti", "s"])
def test_point_branch_computes_what_uni3d_computes(size, tmp_path):
    state = random_checkpoint(size, prefix="module.")
    torch.save({"module": state, "epoch": 3}, tmp_path / "model.pt")
    config = load_model_config(size, groups=GROUPS, group_size=GROUP_SIZE, tokenizer="points")
    model = ClipGS(config, patch_dropout=0.5)
    report = load_uni3d(model, tmp_path / "model.pt")
    assert not report.missing
    assert model.logit_scale.item() == state["module.logit_scale"].item()
    gaussians = random_gaussians(np.random.default_rng(0), 300)
    gaussians[0, :3] = 0.01  # the start, although within the skipped ball; others there are skipped
    gaussians[1:20, :3] *= 0.02
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    expected = reference_forward(size, plain, gaussians[:, :6], GROUPS, GROUP_SIZE)
    feature = point_feature(model, gaussians)
    torch.testing.assert_close(feature, expected, rtol=1e-6, atol=1e-8)
    assert not torch.allclose(point_feature(model, gaussians, training=True), feature)


@pytest.mark.parametrize("size", NARROW)
def test_blocks_of_larger_sizes_compute_what_uni3d_computes(size):
    """q, k, v apart with a normed gated MLP (b, l), and a plain MLP (g)."""
    width, depth, heads, hidden = NARROW[size][:4]
    overrides = {"embed_dim": width, "depth": depth, "num_heads": heads, "mlp_ratio": hidden / width}
    changes = {"groups": GROUPS, "group_size": GROUP_SIZE, "tokenizer": "points", "timm_overrides": overrides}
    model = ClipGS(load_model_config(size[-1], **changes))
    state = random_checkpoint(size)
    assert not load_state(model, state, size).missing
    gaussians = random_gaussians(np.random.default_rng(1), 100)
    expected = reference_forward(size, state, gaussians[:, :6], GROUPS, GROUP_SIZE)
    torch.testing.assert_close(point_feature(model, gaussians), expected, rtol=1e-6, atol=1e-8)


def test_another_embedding_space_keeps_its_own_projection():
    model = ClipGS(load_model_config("ti", embed_dim=384))
    report = load_state(model, random_checkpoint("ti"), "ti")
    assert set(report.mismatched) == {"point_encoder.trans2embed.weight", "point_encoder.trans2embed.bias"}
    assert "mismatched" in str(report)


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    model = ClipGS(load_model_config("tiny"))
    with pytest.raises(ConfigError, match="cannot read"):
        load_uni3d(model, tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    with pytest.raises(ConfigError, match="not a checkpoint"):
        load_uni3d(model, tmp_path / "text.pt")
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match="no 'module'"):
        load_uni3d(model, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match="a different size"):
        load_state(model, random_checkpoint("ti"), "ti")


def test_pickled_code_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save({"module": {"logit_scale": Trap()}}, tmp_path / "trap.pt")
    with pytest.raises(ConfigError, match="safely"):
        load_uni3d(ClipGS(load_model_config("tiny")), tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()
