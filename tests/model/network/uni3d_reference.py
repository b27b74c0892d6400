"""What Uni3D publishes (names, shapes) and what it computes: rebuilt in float64 without timm or our model."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, gelu, layer_norm, linear, silu

# name -> width, blocks, heads, hidden width of the MLP, and whether q, k, v are apart and the MLP is gated
SIZES = {
    "ti": (192, 12, 3, 512, "fused", "packed glu"),
    "s": (384, 12, 6, 1024, "fused", "packed glu"),
    "b": (768, 12, 12, 2048, "apart", "normed glu"),
    "l": (1024, 24, 16, 2730, "apart", "normed glu"),
    "g": (1408, 40, 16, 6144, "fused", "plain"),
}
# one narrow block of each larger kind
NARROW = {"narrow b": (48, 1, 4, 128, *SIZES["b"][4:]), "narrow g": (48, 1, 4, 128, *SIZES["g"][4:])}
PATCHES = {
    "ti": 256,
    "s": 256,
    "b": 1024,
    "l": 1024,
    "g": 1600,
    "narrow b": 4,
    "narrow g": 4,
}  # of the image model, stored and unused


def published_shapes(size: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of `checkpoint['module']`."""
    d, depth, _, hidden, attention, mlp = {**SIZES, **NARROW}[size]
    shapes: dict[str, tuple[int, ...]] = {"logit_scale": ()}

    def norm(name: str, width: int, running: bool = False) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)
        if running:
            shapes[f"{name}.running_mean"] = shapes[f"{name}.running_var"] = (width,)
            shapes[f"{name}.num_batches_tracked"] = ()

    def layer(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    p = "point_encoder"
    shapes[f"{p}.cls_token"] = shapes[f"{p}.cls_pos"] = (1, 1, d)
    layer(f"{p}.encoder.first_conv.0", 128, 6, 1)
    norm(f"{p}.encoder.first_conv.1", 128, running=True)
    layer(f"{p}.encoder.first_conv.3", 256, 128, 1)
    layer(f"{p}.encoder.second_conv.0", 512, 512, 1)
    norm(f"{p}.encoder.second_conv.1", 512, running=True)
    layer(f"{p}.encoder.second_conv.3", 512, 512, 1)
    layer(f"{p}.encoder2trans", d, 512)
    layer(f"{p}.trans2embed", 1024, d)
    layer(f"{p}.pos_embed.0", 128, 3)
    layer(f"{p}.pos_embed.2", d, 128)
    v = f"{p}.visual"
    shapes[f"{v}.cls_token"] = (1, 1, d)
    shapes[f"{v}.pos_embed"] = (1, PATCHES[size] + 1, d)
    layer(f"{v}.patch_embed.proj", d, 3, 14, 14)
    for i in range(depth):
        block = f"{v}.blocks.{i}"
        norm(f"{block}.norm1", d)
        norm(f"{block}.norm2", d)
        layer(f"{block}.attn.proj", d, d)
        if attention == "fused":
            shapes[f"{block}.attn.qkv.weight"] = (3 * d, d)
            shapes[f"{block}.attn.q_bias"] = shapes[f"{block}.attn.v_bias"] = (d,)
        else:
            layer(f"{block}.attn.q_proj", d, d)
            layer(f"{block}.attn.v_proj", d, d)
            shapes[f"{block}.attn.k_proj.weight"] = (d, d)
        if mlp == "normed glu":
            layer(f"{block}.mlp.fc1_g", hidden, d)
            layer(f"{block}.mlp.fc1_x", hidden, d)
            norm(f"{block}.mlp.norm", hidden)
        else:
            layer(f"{block}.mlp.fc1", 2 * hidden if mlp == "packed glu" else hidden, d)
        layer(f"{block}.mlp.fc2", d, hidden)
    norm(f"{v}.fc_norm", d)
    if size in "blg":
        layer(f"{v}.head", 1000, d)
    return shapes


def random_checkpoint(size: str, seed: int = 0, prefix: str = "") -> dict[str, Tensor]:
    """A fp16 state dict with the published names and values of a sensible size."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in published_shapes(size).items():
        if name.endswith("num_batches_tracked"):
            state[prefix + name] = torch.tensor(7)
            continue
        spread = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.2
        value = torch.randn(shape, generator=generator) * spread
        if name.endswith(("running_var", "norm1.weight", "norm2.weight", "norm.weight", "conv.1.weight")):
            value = value.abs() + 0.5
        state[prefix + name] = value.half()
    return state


def reference_forward(size: str, state: dict[str, Tensor], points_N6: np.ndarray, groups: int, k: int) -> Tensor:
    """Feature [1024] of one cloud of [position, colour], as Uni3D computes it in evaluation without patch dropout."""
    state = {name.removeprefix("point_encoder."): value.double() for name, value in state.items()}
    points = torch.from_numpy(points_N6).double()
    centers, patches = _patches(points, groups, k)
    x = linear(_point_net(patches, state), state["encoder2trans.weight"], state["encoder2trans.bias"])
    hidden = gelu(linear(centers, state["pos_embed.0.weight"], state["pos_embed.0.bias"]))
    positions = linear(hidden, state["pos_embed.2.weight"], state["pos_embed.2.bias"])
    x = torch.cat([state["cls_token"][0] + state["cls_pos"][0], x + positions])
    for i in range({**SIZES, **NARROW}[size][1]):
        x = _block(x, {n.removeprefix(f"visual.blocks.{i}."): v for n, v in state.items() if f"blocks.{i}." in n}, size)
    cls = _norm(x[0], state, "visual.fc_norm")  # visual.norm is an identity in all five sizes
    return linear(cls, state["trans2embed.weight"], state["trans2embed.bias"])


def _patches(points: Tensor, groups: int, k: int) -> tuple[Tensor, Tensor]:
    xyz = points[:, :3]
    picked = [0]
    nearest = torch.full((len(xyz),), torch.inf, dtype=torch.float64)
    while len(picked) < groups:
        nearest = torch.minimum(nearest, ((xyz - xyz[picked[-1]]) ** 2).sum(-1))
        nearest[(xyz**2).sum(-1) <= 1e-3] = -1
        picked.append(int(nearest.argmax()))
    centers = xyz[picked]
    neighbours = torch.cdist(centers, xyz).argsort(dim=1)[:, :k]
    patches = points[neighbours].clone()
    patches[..., :3] -= centers[:, None]
    return centers, patches


def _point_net(patches: Tensor, state: dict[str, Tensor]) -> Tensor:
    def pair(x: Tensor, name: str) -> Tensor:
        x = linear(x, state[f"{name}.0.weight"][..., 0], state[f"{name}.0.bias"])
        mean, variance = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
        x = batch_norm(x.flatten(0, 1), mean, variance, state[f"{name}.1.weight"], state[f"{name}.1.bias"]).view_as(x)
        return linear(x.relu(), state[f"{name}.3.weight"][..., 0], state[f"{name}.3.bias"])

    local = pair(patches, "encoder.first_conv")
    patch = local.max(dim=1, keepdim=True).values.expand_as(local)
    return pair(torch.cat([patch, local], dim=-1), "encoder.second_conv").max(dim=1).values


def _block(x: Tensor, state: dict[str, Tensor], size: str) -> Tensor:
    d, _, heads, hidden, attention, mlp = {**SIZES, **NARROW}[size]
    y = _norm(x, state, "norm1")
    if attention == "fused":
        q, k, v = (y @ weight.T for weight in state["attn.qkv.weight"].chunk(3))
        q, v = q + state["attn.q_bias"], v + state["attn.v_bias"]
    else:
        q = linear(y, state["attn.q_proj.weight"], state["attn.q_proj.bias"])
        k = linear(y, state["attn.k_proj.weight"])
        v = linear(y, state["attn.v_proj.weight"], state["attn.v_proj.bias"])
    q, k, v = (tensor.view(len(x), heads, d // heads).transpose(0, 1) for tensor in (q, k, v))
    weights = (q @ k.mT / np.sqrt(d // heads)).softmax(dim=-1)
    mixed = (weights @ v).transpose(0, 1).reshape(len(x), d)
    x = x + linear(mixed, state["attn.proj.weight"], state["attn.proj.bias"])
    y = _norm(x, state, "norm2")
    if mlp == "packed glu":
        gate, value = linear(y, state["mlp.fc1.weight"], state["mlp.fc1.bias"]).split(hidden, dim=-1)
        y = silu(gate) * value
    elif mlp == "normed glu":
        gate = silu(linear(y, state["mlp.fc1_g.weight"], state["mlp.fc1_g.bias"]))
        y = _norm(gate * linear(y, state["mlp.fc1_x.weight"], state["mlp.fc1_x.bias"]), state, "mlp.norm")
    else:
        y = gelu(linear(y, state["mlp.fc1.weight"], state["mlp.fc1.bias"]))
    return x + linear(y, state["mlp.fc2.weight"], state["mlp.fc2.bias"])


def _norm(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)
