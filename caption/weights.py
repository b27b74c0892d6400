"""A short hash of the weights that a module really holds."""

import hashlib

import torch


def weights_hash(*modules: torch.nn.Module) -> str:
    """12 hex digits of SHA-256 over names, types, shapes and bytes of all parameters and persistent buffers."""
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
