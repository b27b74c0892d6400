"""What must hold for any scene: symmetries, hostile numbers, repeats, threads, and clear refusals."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fit_gaussians.rasterize.raster_scenes import (
    HEIGHT,
    WIDTH,
    camera,
    draw,
    gradients,
    random_gaussians,
    settled_pixels,
)

V_IMAGE = torch.randn(1, 1, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(0))
V_ALPHA = torch.randn(1, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


def results(gaussians, view=None, **options):
    return gradients(gaussians, view or camera(), V_IMAGE, V_ALPHA, dtype=torch.float32, **options)


def assert_finite(result):
    for name, tensor in result.items():
        assert torch.isfinite(tensor).all(), name


def quat_product(a, b):
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


@settings(max_examples=15)
@given(
    quat=st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.1),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
    seed=st.integers(0, 100),
)
def test_moving_the_world_changes_nothing(quat, shift, seed):
    gaussians, view = random_gaussians(50, seed), camera()
    quat = torch.nn.functional.normalize(torch.tensor(quat, dtype=torch.float64), dim=0)
    shift = torch.tensor(shift, dtype=torch.float64)
    from fit_gaussians.rasterize.reference import quats_to_rotations

    rotation = quats_to_rotations(quat)
    moved = dict(gaussians, means=gaussians["means"] @ rotation.T + shift, quats=quat_product(quat, gaussians["quats"]))
    back = torch.eye(4, dtype=torch.float64)
    back[:3, :3], back[:3, 3] = rotation.T, -rotation.T @ shift
    moved_view = dict(view, world_to_camera=view["world_to_camera"] @ back)
    settled = settled_pixels(gaussians, view, "antialiased", 0.1)
    image, alpha = draw(gaussians, view)
    moved_image, moved_alpha = draw(moved, moved_view)
    torch.testing.assert_close(moved_image[settled], image[settled], rtol=0, atol=3e-4)
    torch.testing.assert_close(moved_alpha[settled], alpha[settled], rtol=0, atol=3e-4)


def test_order_of_gaussians_does_not_matter():
    gaussians = random_gaussians(300, seed=1)
    permutation = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    shuffled = {name: tensor[:, permutation] for name, tensor in gaussians.items()}
    expected, actual = results(gaussians), results(shuffled)
    assert torch.equal(actual["image"], expected["image"])
    for name in gaussians:
        torch.testing.assert_close(actual[name], expected[name][:, permutation], rtol=1e-5, atol=1e-6)


def test_scale_of_quaternions_does_not_matter():
    gaussians = random_gaussians(100, seed=2)
    expected, settled = draw(gaussians, camera())[0], settled_pixels(gaussians, camera(), "antialiased", 0.1)
    for factor in (1e-18, 1e-3, 1e18, -2.0):
        image, _ = draw(dict(gaussians, quats=gaussians["quats"] * factor), camera())
        torch.testing.assert_close(image[settled], expected[settled], rtol=0, atol=1e-5)


def test_invisible_gaussians_change_nothing_and_get_no_gradient():
    seen = random_gaussians(80, seed=3)
    hidden = random_gaussians(80, seed=4)
    view = camera()
    rotation, translation = view["world_to_camera"][0, 0, :3, :3], view["world_to_camera"][0, 0, :3, 3]
    hidden["opacities"][:, :30] = 0
    hidden["opacities"][:, 30:40] = 0.9 / 255
    behind = torch.tensor([0.1, 0.2, -1.0], dtype=torch.float64)
    beside = torch.tensor([9.0, 0, 2.0], dtype=torch.float64)
    hidden["means"][:, 40:60] = rotation.T @ (behind - translation)
    hidden["means"][:, 60:] = rotation.T @ (beside - translation)
    both = {name: torch.cat([hidden[name], seen[name]], 1) for name in seen}
    expected, actual = results(seen), results(both)
    assert torch.equal(actual["image"], expected["image"])
    for name in seen:
        assert torch.equal(actual[name][:, 80:], expected[name]), name
        assert (actual[name][:, :80] == 0).all(), name


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_few_gaussians(count):
    background = torch.rand(1, 1, 3, generator=torch.Generator().manual_seed(0))
    gaussians = random_gaussians(count, seed=5, size=0.2)
    result = results(gaussians, background=background)
    expected = gradients(
        gaussians, camera(), V_IMAGE, V_ALPHA, dtype=torch.float64, backend="reference", background=background
    )
    settled = settled_pixels(gaussians, camera(), "antialiased", 0.1)
    torch.testing.assert_close(result["image"][settled], expected["image"][settled], rtol=0, atol=1e-5)
    assert_finite(result)


def test_many_gaussians():
    result = results(random_gaussians(100_000, seed=6, size=0.01))
    assert_finite(result)
    assert result["alpha"].max() > 0.99


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (64, 32), (65, 33), (200, 7), (16, 130)])
def test_any_image_size(width, height):
    gaussians, view = random_gaussians(60, seed=7, size=0.1), camera(width=width, height=height)
    image, alpha = draw(gaussians, view, width=width, height=height)
    expected, expected_alpha = draw(
        gaussians, view, width=width, height=height, backend="reference", dtype=torch.float64
    )
    settled = settled_pixels(gaussians, view, "antialiased", 0.1, width, height)
    torch.testing.assert_close(image[settled].double(), expected[settled], rtol=0, atol=2e-5)
    torch.testing.assert_close(alpha[settled].double(), expected_alpha[settled], rtol=0, atol=2e-5)


HOSTILE = st.sampled_from([0.0, 1e-38, 1e-20, 1e-6, 0.3, 1.0, 50.0, 1e6, 1e20, 3e38, -1e-6, -1.0, -1e20])


@settings(max_examples=150)
@given(
    numbers=st.lists(st.tuples(*[HOSTILE] * 10), min_size=1, max_size=12),
    opacity=st.sampled_from([0.0, 1 / 255, 0.5, 1.0]),
    mode=st.sampled_from(["antialiased", "classic"]),
    eps2d=st.sampled_from([0.0, 1e-6, 0.1, 0.3]),
)
def test_hostile_numbers_never_give_nan(numbers, opacity, mode, eps2d):
    numbers = torch.tensor(numbers, dtype=torch.float32)[None]
    count = numbers.shape[1]
    gaussians = {
        "means": numbers[..., :3],
        "quats": numbers[..., 3:7],
        "scales": numbers[..., 7:],
        "opacities": torch.full((1, count), opacity),
        "colors": torch.rand(1, count, 3, generator=torch.Generator().manual_seed(0)),
    }
    assert_finite(results(gaussians, mode=mode, eps2d=eps2d))


@pytest.mark.parametrize("mode", ["antialiased", "classic"])
@pytest.mark.parametrize("scales", [(0, 0, 0), (1e-12, 1e-12, 1e-12), (0.1, 0, 0), (0.1, 0.1, 0), (1e3, 1e-9, 0.1)])
def test_degenerate_scales(scales, mode):
    gaussians = random_gaussians(40, seed=8)
    gaussians["scales"][:] = torch.tensor(scales)
    assert_finite(results(gaussians, mode=mode))


def test_repeats_are_equal_to_the_bit():
    gaussians = random_gaussians(500, seed=9)
    first, second = results(gaussians), results(gaussians)
    for name, tensor in first.items():
        assert torch.equal(second[name], tensor), name


def test_threads_do_not_disturb_each_other():
    scenes = [random_gaussians(300, seed) for seed in (10, 11)]
    expected = [results(scene) for scene in scenes]
    actual = [[], []]

    def work(index):
        for _ in range(20):
            actual[index].append(results(scenes[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(2):
        assert len(actual[index]) == 20
        for result in actual[index]:
            for name, tensor in expected[index].items():
                assert torch.equal(result[name], tensor), name


def test_graphs_may_overlap_and_be_walked_twice():
    gaussians, view = random_gaussians(200, seed=12), camera()
    expected = results(gaussians)["means"]
    leaf = gaussians["means"].float().requires_grad_()
    first = draw(dict(gaussians, means=leaf), view)
    draw(random_gaussians(700, seed=13), view)
    second = draw(dict(gaussians, means=leaf), view)
    for image_and_alpha in (first, first, second):
        leaf.grad = None
        torch.autograd.backward(image_and_alpha, [V_IMAGE, V_ALPHA], retain_graph=True)
        assert torch.equal(leaf.grad.double(), expected)


def test_gradients_of_any_layout():
    gaussians, view = random_gaussians(100, seed=14), camera()
    expected = results(gaussians)["colors"]
    leaf = gaussians["colors"].float().requires_grad_()
    image, alpha = draw(dict(gaussians, colors=leaf), view)
    planar = V_IMAGE.movedim(-1, 2).contiguous().movedim(2, -1)
    torch.autograd.backward([image, alpha], [planar, V_ALPHA])
    assert torch.equal(leaf.grad.double(), expected)


@pytest.mark.parametrize("name", ["means", "quats", "scales", "opacities", "colors", "world_to_camera", "intrinsics"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite_is_refused_by_name(name, value):
    gaussians, view = random_gaussians(20, seed=15), camera()
    {**gaussians, **view}[name].view(-1)[2] = value
    with pytest.raises(ValueError, match=name):
        draw(gaussians, view)


def test_wrong_arguments_are_refused():
    gaussians, view = random_gaussians(5, seed=16), camera()
    with pytest.raises(ValueError, match="colors must have the shape"):
        draw(dict(gaussians, colors=gaussians["colors"][:, :4]), view)
    with pytest.raises(ValueError, match="mode"):
        draw(gaussians, view, mode="sharp")
    with pytest.raises(ValueError, match="backend"):
        draw(gaussians, view, backend="vulkan")
    with pytest.raises(ValueError, match="float32"):
        draw(gaussians, view, dtype=torch.float64)
    with pytest.raises(ValueError, match="0 x 61"):
        draw(gaussians, view, width=0)
    with pytest.raises(ValueError, match="background"):
        draw(gaussians, view, background=torch.zeros(1, 1, HEIGHT, WIDTH + 1, 3))
    with pytest.raises(ValueError, match="eps2d"):
        draw(gaussians, view, eps2d=-1)
