"""The sky that places on a surface see, against rays cast by Embree and against known cases."""

import numpy as np
import pytest
import trimesh

from pipeline.values.color import srgb_to_linear
from render.raster.load import load, without_emission
from render.raster.occlusion import bake
from render.raster.rasterizer import Rasterizer
from tests.render.raster.quads import quad_gltf
from tests.render.raster.test_raster_pictures import ABOVE, SIZE, inner
from tests.render.shapes import CHAIR


def matte(path):
    """(surface as `diffuse` shows it, its sky)."""
    surface = without_emission(load(path, np.eye(3), 1_000_000).surface)
    return surface, bake(surface)


def see_matte(path):
    surface, sky = matte(path)
    return Rasterizer(ABOVE, 16).render(surface, 0, sky)


def cast_shares(mesh: trimesh.Trimesh, points: np.ndarray, normals: np.ndarray, rays: int = 256) -> np.ndarray:
    """[N] cosine-weighted share of free directions, by rays."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(len(points), rays, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    directions += normals[:, None]  # on a unit sphere that touches the surface: a cosine distribution
    origins = np.repeat(points + 2e-3 * normals, rays, axis=0)
    blocked = mesh.ray.intersects_any(origins, directions.reshape(-1, 3))
    return 1 - blocked.reshape(len(points), rays).mean(axis=1)


@pytest.mark.parametrize("kind", ["boxes", "smooth bowl"])
def test_shares_are_those_of_cast_rays(tmp_path, kind):
    if kind == "boxes":
        mesh = trimesh.util.concatenate([box.mesh() for box in CHAIR])
    else:
        ball = trimesh.creation.icosphere(3)
        mesh = trimesh.Trimesh(ball.vertices, ball.faces[ball.triangles_center[:, 2] < 0.2], process=False)
        mesh.remove_unreferenced_vertices()
    mesh.export(tmp_path / "a.glb", include_normals=kind != "boxes")
    surface, sky = matte(tmp_path / "a.glb")
    world = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    generator = np.random.default_rng(1)
    for back, side in enumerate((1, -1)):
        faces = generator.integers(0, len(surface.faces), 300)
        weights = generator.dirichlet([2, 2, 2], len(faces))  # away from edges, where rays and maps may differ
        points = np.einsum("nc,ncx->nx", weights, surface.vertices[surface.faces[faces]])
        expected = cast_shares(world, points, side * surface.normals[faces])
        shares = np.array([interpolated(sky, surface, face, w, back) for face, w in zip(faces, weights, strict=True)])
        assert np.abs(shares - expected).mean() < 0.03
        assert abs((shares - expected).mean()) < 0.015


def interpolated(sky, surface, face, weights, back) -> float:
    """What the views show between the points of a triangle, by finding the small triangle that holds the place."""
    if sky.firsts[face] < 0:
        return float(weights @ sky.shares[surface.faces[face], back])
    steps = sky.steps[face]
    lattice = [(i, j) for i in range(steps + 1) for j in range(steps + 1 - i)]
    number = {place: sky.firsts[face] + index for index, place in enumerate(lattice)}
    x, y = weights[1] * steps, weights[2] * steps
    for i, j in lattice:
        for corners in (((i, j), (i + 1, j), (i, j + 1)), ((i + 1, j + 1), (i, j + 1), (i + 1, j))):
            if all(corner in number for corner in corners):
                system = np.column_stack([np.array(corners), np.ones(3)]).T
                shares = np.linalg.solve(system, [x, y, 1])
                if (shares >= -1e-9).all():
                    return float(shares @ [sky.shares[number[corner], back] for corner in corners])
    raise AssertionError("no small triangle holds the place")


def test_what_nothing_covers_has_its_own_color(tmp_path):
    color = np.array([200, 40, 30])
    path = quad_gltf(tmp_path, {"baseColorFactor": [*srgb_to_linear(color / 255), 1]})
    assert np.abs(inner(see_matte(path))[:, :3] - color).max() <= 1


def test_the_side_that_is_seen_is_the_one_that_counts(tmp_path):
    """Inside of a closed box it is dark, seen through a side that is cut open; its lid is bright outside."""
    box = trimesh.creation.box()
    for kept, dark in ((box.face_normals[:, 2] < 0.5, True), (np.ones(12, bool), False)):
        trimesh.Trimesh(box.vertices, box.faces[kept], process=False).export(tmp_path / "a.glb")
        centre = see_matte(tmp_path / "a.glb").rgba[SIZE // 2, SIZE // 2, :3]
        assert (centre < 215).all() == dark and centre.all()


def test_clear_layers_let_their_share_of_light_through(tmp_path):
    shares = []
    for alpha in (0.0, 0.5, 1.0):
        material = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, alpha]}, "alphaMode": "BLEND"}
        surface, sky = matte(quad_gltf(tmp_path, material=material, layers=2, gap=0.02))
        corners = np.concatenate([np.arange(first, first + 6) for first in sky.firsts[:2]])
        shares.append(float(sky.shares[corners, 0].mean()))
    assert shares[0] == pytest.approx(1, abs=0.01)
    assert shares[1] == pytest.approx((1 + shares[2]) / 2, abs=0.06)
    assert shares[2] < 0.5


def test_light_of_its_own_is_left_out_and_unlit_surfaces_are_in_no_shadow(tmp_path):
    base = {"baseColorFactor": [0.5, 0.5, 0.5, 1]}
    glowing = {"pbrMetallicRoughness": base, "emissiveFactor": [0.0, 0.4, 0.0]}
    seen = inner(see_matte(quad_gltf(tmp_path, material=glowing)))[:, :3]
    assert (seen == seen[:, :1]).all()
    for extensions, dark in (({}, True), ({"KHR_materials_unlit": {}}, False)):
        material = {"pbrMetallicRoughness": base, "extensions": extensions}
        surface, sky = matte(quad_gltf(tmp_path, material=material, layers=2, gap=0.02))
        below = surface._replace(faces=surface.faces[:2], normals=surface.normals[:2])  # the upper layer taken away
        seen = inner(Rasterizer(ABOVE, 16).render(below, 0, sky._replace(firsts=sky.firsts[:2])))[:, :3]
        assert (seen.max() < 150) == dark


def test_baking_twice_gives_the_same_bytes(tmp_path):
    trimesh.creation.torus(1, 0.3).export(tmp_path / "a.glb")
    first, second = (matte(tmp_path / "a.glb")[1] for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
