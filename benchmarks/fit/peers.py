"""One step of a fit, forward and backward, beside others that can do it on a CPU: plain torch and Mitsuba 3.

10,000 Gaussians, one view of 256², random gradients of the image; CPU time of the process with one thread, the fastest
of several calls that take turns. `raster` is our kernels as the loop of a fit calls them; `torch` is our reference in
float32: autograd over a sparse list of the pairs of a Gaussian and a pixel. `mitsuba` is the shape `ellipsoids` under
the integrator `volprim_rf_basic`, one ray a pixel, in the variant llvm_ad_rgb (the scalar variants have no gradients);
it traces the same Gaussians in 3D where splatting projects them, and its time leaves out the building of its tree,
which every step of a fit would have to do again.

Needs the extra `bench`, and a shared library of LLVM, version 16 or newer: of version 15 (Debian 12's default) the code
generator fails on this integrator. DRJIT_LIBLLVM_PATH says where it is.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.fit.raster import FOV, NUM_GAUSSIANS, camera, draw, scene
from fit_gaussians.rasterize.kernels.view import CpuView, camera_arrays

SIZE = 256
ROUNDS = 4
DEPTH = 128
"""Gaussians along a ray that Mitsuba looks at; more than twice its default, which would cut deep rays off."""
EXTENT = 3.0
"""Standard deviations after which an ellipsoid ends."""
SH_BAND_0 = 0.28209479177387814
"""Colours are 0.5 + this times the coefficient."""


def peer_figures() -> dict[str, float]:
    """Milliseconds of each, and how many times slower the others are."""
    torch.set_num_threads(1)
    steps = {"raster": (raster_step(), 50), "torch": (torch_step(), 2), "mitsuba": (mitsuba_step(), 2)}
    times = {name: [] for name in steps}
    for name, (step, _) in steps.items():
        step()  # compiles, allocates
        print(f"{name} is ready", flush=True)
    for _ in range(ROUNDS):
        for name, (step, calls) in steps.items():
            times[name] += [cpu_ms(step) for _ in range(calls)]
    fastest = {name: min(values) for name, values in times.items()}
    return {f"{name}_{SIZE}_ms": value for name, value in fastest.items()} | {
        f"ratio_{name}": fastest[name] / fastest["raster"] for name in ("torch", "mitsuba")
    }


def cpu_ms(step: Callable[[], None]) -> float:
    started = time.process_time()
    step()
    return 1e3 * (time.process_time() - started)


def raster_step() -> Callable[[], None]:
    view = CpuView()
    view.load([tensor.detach()[0].numpy() for tensor in scene().values()])
    pose = camera_arrays(*(tensor[0, 0].numpy() for tensor in camera(SIZE).values()))
    image, v_image = np.empty((3, SIZE, SIZE), np.float32), torch.randn(3, SIZE, SIZE).numpy()
    alpha, v_alpha = np.empty((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    white = np.ones((3, 1, 1), np.float32)

    def step() -> None:
        view.forward(NUM_GAUSSIANS, pose, (SIZE, SIZE), white, True, 0.1, image, alpha)
        view.backward(image, alpha, v_image, v_alpha)

    return step


def torch_step() -> Callable[[], None]:
    gaussians, view = scene(), camera(SIZE)
    v_image = torch.randn(1, 1, 3, SIZE, SIZE).movedim(2, -1)

    def step() -> None:
        for tensor in gaussians.values():
            tensor.grad = None
        draw(gaussians, view, SIZE, backend="reference").backward(v_image)

    return step


def mitsuba_step() -> Callable[[], None]:
    import drjit as dr
    import mitsuba as mi

    mi.set_variant("llvm_ad_rgb")
    dr.set_thread_count(1)
    rendered = mi.load_dict(mitsuba_scene(mi))
    parameters = mi.traverse(rendered)
    leaves = [f"gaussians.{name}" for name in ("data", "opacities", "sh_coeffs")]
    for leaf in leaves:
        dr.enable_grad(parameters[leaf])
    parameters.update()
    v_image = mi.TensorXf(np.random.default_rng(0).normal(size=(SIZE, SIZE, 3)).astype(np.float32))

    def step() -> None:
        image = mi.render(rendered, parameters, spp=1)
        dr.backward(dr.sum(image * v_image, axis=None))
        gradients = [dr.grad(parameters[leaf]) for leaf in leaves]
        dr.eval(gradients)
        dr.sync_thread()
        for leaf in leaves:
            dr.set_grad(parameters[leaf], 0)

    return step


def mitsuba_scene(mi) -> dict:
    """The scene and camera of benchmarks/fit/raster.py."""
    arrays = {name: tensor.detach()[0].numpy() for name, tensor in scene().items()}
    quats = arrays["quats"] / np.linalg.norm(arrays["quats"], axis=1, keepdims=True)
    data = np.concatenate([arrays["means"], arrays["scales"], quats[:, [1, 2, 3, 0]]], 1)
    camera_to_world = np.linalg.inv(camera(SIZE)["world_to_camera"][0, 0].double().numpy())
    return {
        "type": "scene",
        "integrator": {"type": "volprim_rf_basic", "max_depth": DEPTH, "srgb_primitives": False},
        "sensor": {
            "type": "perspective",
            "fov": float(np.degrees(FOV)),
            "to_world": mi.ScalarTransform4f(camera_to_world @ np.diag([-1.0, -1, 1, 1])),  # x to the left, y up
            "sampler": {"type": "independent", "sample_count": 1},
            "film": {
                "type": "hdrfilm",
                "width": SIZE,
                "height": SIZE,
                "pixel_format": "rgb",
                "component_format": "float32",
                "rfilter": {"type": "box"},
            },
        },
        "gaussians": {
            "type": "ellipsoids",
            "data": mi.TensorXf(np.ascontiguousarray(data, np.float32)),
            "extent": EXTENT,
            "opacities": mi.TensorXf(np.ascontiguousarray(arrays["opacities"][:, None])),
            "sh_coeffs": mi.TensorXf(((arrays["colors"] - 0.5) / SH_BAND_0).astype(np.float32)),
        },
    }
