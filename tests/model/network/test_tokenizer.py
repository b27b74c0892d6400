import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from model.data.batches import stack_patches
from model.data.patches import make_patches
from model.network.encoder import ClipGS, PatchBatch
from model.network.registry import load_model_config, model_names
from model.network.tokenizer import GaussianRefinement, raw_attributes, refined_attributes, rotation_matrices
from tests.model.synthetic_triplets import random_gaussians

SMALL = {"groups": 8, "group_size": 16, "embed_dim": 24}


def batch_of(count: int, **config) -> PatchBatch:
    rng = np.random.default_rng(0)
    tiny = load_model_config("tiny", **SMALL, **config)
    return stack_patches(
        make_patches(random_gaussians(rng, 200), tiny.groups, tiny.group_size, tiny.orders) for _ in range(count)
    )


def test_quaternions_become_rotations(rng):
    quats = random_gaussians(rng, 100)[:, 10:]
    expected = Rotation.from_quat(quats, scalar_first=True).as_matrix()
    np.testing.assert_allclose(rotation_matrices(torch.from_numpy(quats)).numpy(), expected, atol=1e-6)


def test_attributes_are_sigmoids_of_the_raw_values_of_a_file(rng):
    gaussians = torch.from_numpy(random_gaussians(rng, 100)).double()
    raw = raw_attributes(gaussians)
    refined = refined_attributes(gaussians)
    assert refined.shape == (100, 19)
    torch.testing.assert_close(refined[:, 6:10], torch.sigmoid(raw[:, 6:10]))
    torch.testing.assert_close(raw[:, 7:10], gaussians[:, 7:10].log())


def test_refinement_is_four_convolutions_that_halve_twice():
    config = load_model_config("tiny", **SMALL)
    block = GaussianRefinement(config, 40)
    convolutions = [layer for layer in block.layers if isinstance(layer, torch.nn.Conv1d)]
    assert [layer.kernel_size for layer in convolutions] == [(3,)] * 4
    assert [layer.stride for layer in convolutions] == [(1,), (1,), (2,), (2,)]
    assert convolutions[0].in_channels == 19 and convolutions[-1].out_channels == 40
    kinds = [type(layer).__name__ for layer in block.layers]
    assert kinds == ["Conv1d", "BatchNorm1d", "ReLU"] * 4
    assert block.layers(torch.zeros(2, 19, 16)).shape == (2, 40, 4)


@pytest.mark.parametrize("fusion", ["mean", "channels"])
@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_refinement_reads_the_patch_in_the_given_orders(fusion, pooling):
    """Shuffling a patch and its orders alike changes nothing; other orders change the result."""
    patches = batch_of(2)
    config = load_model_config("tiny", **SMALL, order_fusion=fusion, pooling=pooling)
    torch.manual_seed(0)
    block = GaussianRefinement(config, 40).eval()
    attributes = refined_attributes(patches.gaussians)
    result = block(attributes, patches.orders)
    assert result.shape == (2, 8, 40)
    shuffle = torch.randperm(16)
    shuffled = block(attributes[:, :, shuffle], torch.argsort(shuffle)[patches.orders])
    torch.testing.assert_close(shuffled, result)
    assert not torch.allclose(block(attributes, patches.orders.flip(-1)), result)


@pytest.mark.parametrize("tokenizer", ["points", "attributes", "gs"])
def test_every_parameter_gets_a_gradient(tokenizer):
    torch.manual_seed(0)
    model = ClipGS(load_model_config("tiny", **SMALL, tokenizer=tokenizer))
    features, scale = model(batch_of(3))
    (features[:, :5].sum() * scale).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    still = [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert still == [name for name in still if name.endswith("first_conv.0.bias")]  # a batch norm takes it away


def test_gs_attributes_reach_the_features_only_with_their_tokenizer():
    patches = batch_of(2)
    changed = PatchBatch(patches.gaussians.clone(), patches.centers, patches.orders)
    changed.gaussians[..., 6:] = changed.gaussians[..., 6:].flip(2)
    for tokenizer, expected in (("points", True), ("attributes", False), ("gs", False)):
        torch.manual_seed(0)
        model = ClipGS(load_model_config("tiny", **SMALL, tokenizer=tokenizer)).eval()
        assert torch.equal(model(patches)[0], model(changed)[0]) == expected


def test_features_of_one_object_do_not_depend_on_the_batch():
    model = ClipGS(load_model_config("tiny", **SMALL)).eval()
    patches = batch_of(3)
    torch.testing.assert_close(model(patches[1:2])[0], model(patches)[0][1:2])


def test_temperature_is_bounded():
    model = ClipGS(load_model_config("tiny", **SMALL)).eval()
    patches = batch_of(1)
    for value, expected in ((0.5, np.exp(0.5)), (9.0, 100.0), (-3.0, 1.0)):
        model.logit_scale.data.fill_(value)
        assert model(patches)[1].item() == pytest.approx(expected, rel=1e-5)


def test_all_model_files_are_valid():
    assert set(model_names()) == {"tiny", "ti", "s", "b", "l", "g"}
    for name in model_names():
        assert load_model_config(name).name == name
