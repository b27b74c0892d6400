"""Which meshes a glTF file shows, and where: its tree of nodes (section 3.5 of the specification)."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import Document
from pipeline.values.quaternions import rotation_rows

MAX_DEPTH = 500  # of the tree; also what ends a cycle


class ShownMesh(NamedTuple):
    """A mesh at a node."""

    mesh: dict[str, Any]
    matrix: np.ndarray  # [4, 4] from the node's frame to the asset's
    weights: list[float]  # of its morph targets, at rest
    skin: int | None


class Tree:
    """The default scene's nodes, with their parents and matrices.

    Raises:
        AssetError: the nodes are no tree.
    """

    def __init__(self, document: Document):
        self.nodes, scenes = document.get("nodes", []), document.get("scenes", [])
        self._meshes = document.get("meshes", [])
        self.parents = {child: index for index, node in enumerate(self.nodes) for child in node.get("children", [])}
        roots = scenes[document.get("scene", 0)].get("nodes", []) if scenes else set(range(len(self.nodes)))
        self.matrices: dict[int, np.ndarray] = {}  # [4, 4] to the asset's frame, in the order of a walk
        pending = [(index, np.eye(4), 0) for index in roots if scenes or index not in self.parents]
        while pending:
            index, above, depth = pending.pop()
            if depth > MAX_DEPTH or index in self.matrices:
                raise AssetError("its nodes do not form a tree")
            self.matrices[index] = above @ local_matrix(self.nodes[index])
            children = self.nodes[index].get("children", [])
            pending += [(child, self.matrices[index], depth + 1) for child in children]

    def shown_meshes(self) -> list[ShownMesh]:
        shown = []
        for index, matrix in self.matrices.items():
            node = self.nodes[index]
            if "mesh" in node:
                mesh = self._meshes[node["mesh"]]
                weights = node.get("weights", mesh.get("weights", []))
                shown.append(ShownMesh(mesh, matrix, weights, node.get("skin")))
        return shown

    def path(self, index: int) -> list[int]:
        """The nodes from a root to this one."""
        path = [index]
        while path[-1] in self.parents:
            path.append(self.parents[path[-1]])
            if len(path) > MAX_DEPTH:
                raise AssetError("its nodes do not form a tree")
        return path[::-1]


def local_matrix(node: dict[str, Any]) -> np.ndarray:
    """[4, 4] of a node: its matrix (column-major), or translation * rotation * scale (section 3.5.3)."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", [0, 0, 0, 1]), np.float64)
    rotation = np.array(rotation_rows(w, x, y, z))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array(node.get("scale", [1, 1, 1]), np.float64)
    matrix[:3, 3] = node.get("translation", [0, 0, 0])
    return matrix
