"""Skinned meshes at rest: in the pose in which the skin was bound to its joints, not in that of the file's nodes.

Blender shows armatures at rest the same way: it takes the bind pose from the inverse bind matrices, as far as they tell
(its joints do not scale), and places it where the armature is, the deepest node that holds all joints.
"""

from typing import Any

import numpy as np

from pipeline.base.errors import AssetError
from pipeline.values.gltf import Document
from render.raster.gltf_buffers import Buffers
from render.raster.gltf_nodes import Tree, local_matrix


class Skins:
    """The file's skins; each is read once."""

    def __init__(self, document: Document, tree: Tree, buffers: Buffers):
        self._skins, self._tree, self._buffers = document.get("skins", []), tree, buffers
        self._read: dict[int, np.ndarray] = {}

    def vertex_matrices(self, skin: int, attributes: dict[str, int]) -> np.ndarray:
        """[N, 4, 4] from the mesh's frame to the asset's for every vertex of a primitive.

        Raises:
            AssetError: it names a joint that is not there, or has no joints at all.
        """
        if "JOINTS_0" not in attributes or "WEIGHTS_0" not in attributes:
            raise AssetError("a mesh with a skin has no joints or weights")
        if skin not in self._read:
            self._read[skin] = self._joint_matrices(self._skins[skin])
        matrices = self._read[skin]
        summed, total = np.zeros((1, 4, 4)), np.zeros(1)
        for number in range(len(attributes)):
            if f"JOINTS_{number}" not in attributes or f"WEIGHTS_{number}" not in attributes:
                break
            joints = self._buffers.accessor(attributes[f"JOINTS_{number}"]).astype(np.int64)
            weights = self._buffers.accessor(attributes[f"WEIGHTS_{number}"]).astype(np.float64)
            if joints.shape != weights.shape or joints.min() < 0 or joints.max() >= len(matrices):
                raise AssetError("a skin's weights refer to joints that do not exist")
            total = total + weights.sum(axis=1)
            for joint, weight in zip(joints.T, weights.T, strict=True):
                summed = summed + weight[:, None, None] * matrices[joint]
        unbound = total <= 0
        summed[unbound], total[unbound] = matrices[0], 1
        return summed / total[:, None, None]

    def _joint_matrices(self, skin: dict[str, Any]) -> np.ndarray:
        """[J, 4, 4] from the mesh's frame to the asset's, as each joint alone would have it."""
        joints, inverse_binds = skin["joints"], np.tile(np.eye(4), (len(skin["joints"]), 1, 1))
        if "inverseBindMatrices" in skin:
            stored = self._buffers.accessor(skin["inverseBindMatrices"]).astype(np.float64)
            if len(stored) < len(joints):
                raise AssetError("a skin has fewer matrices than joints")
            inverse_binds = stored[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
        known = dict(zip(joints, inverse_binds, strict=True)) if "inverseBindMatrices" in skin else {}
        # Matrices tell a joint's place relative to its parent's, to the skeleton's root or to the scene.
        skeleton = skin.get("skeleton")
        anchor = self._tree.parents.get(skeleton) if skeleton in joints else skeleton
        known = {anchor: np.eye(4), None: np.eye(4)} | known
        armature = self._armature(skin)
        poses: dict[int | None, np.ndarray] = {}

        def pose(node: int) -> np.ndarray:
            """[4, 4] of a joint, or of a node between joints, in the armature's frame."""
            if node not in poses:
                above = self._tree.parents.get(node)
                local = local_matrix(self._tree.nodes[node])
                if node in known and above in known:
                    local = known[above] @ np.linalg.pinv(known[node])
                poses[node] = _unscaled(local) if above is None or above == armature else pose(above) @ _unscaled(local)
            return poses[node]

        placed = np.eye(4) if armature is None else self._tree.matrices[armature]
        return np.stack([placed @ pose(joint) @ inverse for joint, inverse in zip(joints, inverse_binds, strict=True)])

    def _armature(self, skin: dict[str, Any]) -> int | None:
        """The deepest node above all joints that is none itself; None: above all roots."""
        ends = [*skin["joints"], *([skin["skeleton"]] if "skeleton" in skin else [])]
        common = self._tree.path(ends[0])
        for end in ends[1:]:
            path = self._tree.path(end)
            same = [a == b for a, b in zip(common, path, strict=False)]
            common = common[: same.index(False) if False in same else len(same)]
        while common and common[-1] in skin["joints"]:
            common.pop()
        return common[-1] if common else None


def _unscaled(matrix: np.ndarray) -> np.ndarray:
    """[4, 4] the nearest rotation (by singular values) and the translation."""
    u, _, v = np.linalg.svd(matrix[:3, :3])
    rigid = matrix.copy()
    rigid[:3, :3] = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
    return rigid
