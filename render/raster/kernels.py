"""The inner loops, compiled by Numba: which triangle each sample sees, and what each pixel shows of them.

All in one file, since Numba's cache on disk looks at no other file than the entry point's. One thread, no bounds
checks: `render.raster.load` vouches for every index. Samples lie on a regular grid, `side` x `side` in a pixel.
"""

import math

import numpy as np
from numba import njit

from pipeline.values.color import linear_to_srgb, srgb_to_linear

# The caller holds all arrays while a kernel runs, and kernels make none: counting references (nrt) would take most of
# the time.
OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}

# Copies of the modes in render.raster.scene, as Numba wants constants.
OPAQUE, MASK = 0, 1
REPEAT, CLAMP = 0, 1

DECODE_STEPS, ENCODE_STEPS = 4096, 16384
DECODE = srgb_to_linear(np.arange(DECODE_STEPS + 1) / DECODE_STEPS).astype(np.float32)
ENCODE = np.rint(linear_to_srgb(np.arange(ENCODE_STEPS + 1) / ENCODE_STEPS) * 255).astype(np.uint8)


@njit(forceinline=True, **OPTIONS)
def _wrapped(coordinate, size, mode):
    """Texel coordinate (texel centres at .5) of a texture coordinate; below -.5 or above size only at the seam."""
    if mode == REPEAT:
        return (coordinate - math.floor(coordinate)) * size
    if mode == CLAMP:
        return min(max(coordinate, 0.0), 1.0) * size
    folded = coordinate - 2 * math.floor(coordinate / 2)
    return (folded if folded <= 1 else 2 - folded) * size


@njit(forceinline=True, **OPTIONS)
def _texel(index, size, mode):
    """A valid texel index: across the seam where the texture repeats, at the edge otherwise."""
    if mode == REPEAT:
        return index + size if index < 0 else index - size if index >= size else index
    return min(max(index, 0), size - 1)


@njit(forceinline=True, **OPTIONS)
def _sample(surface, number, u, v):
    """(r, g, b, a) of texture `number`, sRGB values in 0..1, bilinear or nearest."""
    layouts = surface.layouts
    start, width, height = layouts[number, 0], layouts[number, 1], layouts[number, 2]
    wrap_u, wrap_v = layouts[number, 3], layouts[number, 4]
    x, y = _wrapped(u, width, wrap_u), _wrapped(v, height, wrap_v)
    if layouts[number, 5]:
        x, y = math.floor(x) + 0.5, math.floor(y) + 0.5
    left, top = int(math.floor(x - 0.5)), int(math.floor(y - 0.5))
    right_share, low_share = np.float32(x - 0.5 - left), np.float32(y - 0.5 - top)
    x0, x1 = _texel(left, width, wrap_u), _texel(left + 1, width, wrap_u)
    y0, y1 = _texel(top, height, wrap_v), _texel(top + 1, height, wrap_v)
    a, b = start + (y0 * width + x0) * 4, start + (y0 * width + x1) * 4
    c, d = start + (y1 * width + x0) * 4, start + (y1 * width + x1) * 4
    one = np.float32(1)
    wa, wb = (one - right_share) * (one - low_share) / 255, right_share * (one - low_share) / 255
    wc, wd = (one - right_share) * low_share / 255, right_share * low_share / 255
    t = surface.texels
    return (
        wa * t[a] + wb * t[b] + wc * t[c] + wd * t[d],
        wa * t[a + 1] + wb * t[b + 1] + wc * t[c + 1] + wd * t[d + 1],
        wa * t[a + 2] + wb * t[b + 2] + wc * t[c + 2] + wd * t[d + 2],
        wa * t[a + 3] + wb * t[b + 3] + wc * t[c + 3] + wd * t[d + 3],
    )


@njit(forceinline=True, **OPTIONS)
def _decode(srgb):
    return DECODE[min(int(srgb * DECODE_STEPS + np.float32(0.5)), DECODE_STEPS)]


@njit(forceinline=True, **OPTIONS)
def _is_kept(surface, triangle, material, w0, w1, w2, threshold):
    """Whether a sample with these weights of the corners belongs to the surface, or sees through it."""
    i0, i1, i2 = surface.faces[triangle, 0], surface.faces[triangle, 1], surface.faces[triangle, 2]
    alpha = surface.base[material, 3]
    if surface.colored[material]:
        alpha *= w0 * surface.colors[i0, 3] + w1 * surface.colors[i1, 3] + w2 * surface.colors[i2, 3]
    number = surface.textures[material, 0]
    if number >= 0 and surface.texture_alphas[material]:
        u = w0 * surface.uvs[i0, 0] + w1 * surface.uvs[i1, 0] + w2 * surface.uvs[i2, 0]
        v = w0 * surface.uvs[i0, 1] + w1 * surface.uvs[i1, 1] + w2 * surface.uvs[i2, 1]
        alpha *= _sample(surface, number, u, v)[3]
    if surface.alpha_modes[material] == MASK:
        return alpha >= surface.alpha_cutoffs[material]
    return alpha > threshold


@njit(cache=True, **OPTIONS)
def draw(surface, screen, side, thresholds, nearness, seen):
    """Find the nearest triangle of every sample.

    A surface of alpha a takes the share a of each pixel's samples ("screen-door transparency"), other ones for every
    triangle, so that layers cover each other as independent ones do.

    Args:
        surface: `load.Surface`.
        screen: [N, 3] x and y in samples (sample centres at .5), and 1 / depth, positive.
        side: samples across a pixel.
        thresholds: [2^k, side * side] alpha above which a sample is kept, in stratified random orders.
        nearness: [H, W] float32 of samples, zeros; becomes 1 / depth.
        seen: [H, W] int32 of samples, -1; becomes the triangle.
    """
    height, width = seen.shape
    for triangle in range(len(surface.faces)):
        i0, i1, i2 = surface.faces[triangle, 0], surface.faces[triangle, 1], surface.faces[triangle, 2]
        x0, y0, z0 = screen[i0, 0], screen[i0, 1], screen[i0, 2]
        x1, y1, z1 = screen[i1, 0], screen[i1, 1], screen[i1, 2]
        x2, y2, z2 = screen[i2, 0], screen[i2, 1], screen[i2, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        # Weights of corners 1 and 2 are linear on the screen, and so is 1 / depth.
        b1_x, b1_y = (y2 - y0) / area, (x0 - x2) / area
        b2_x, b2_y = (y0 - y1) / area, (x1 - x0) / area
        z_x, z_y = (z1 - z0) * b1_x + (z2 - z0) * b2_x, (z1 - z0) * b1_y + (z2 - z0) * b2_y
        material = surface.face_materials[triangle]
        opaque = surface.alpha_modes[material] == OPAQUE
        low_x, high_x = max(min(x0, x1, x2), 0.5), min(max(x0, x1, x2), width - 0.5)
        top = int(math.ceil(max(min(y0, y1, y2), 0.5) - 0.5))
        bottom = int(math.floor(min(max(y0, y1, y2), height - 0.5) - 0.5))
        for line in range(top, bottom + 1):
            dy = line + 0.5 - y0
            # The span of this line where all three weights are >= 0.
            left, right = low_x, high_x
            for slope, offset in (
                (b1_x, b1_y * dy),
                (b2_x, b2_y * dy),
                (-b1_x - b2_x, 1 - (b1_y + b2_y) * dy),
            ):
                if slope > 0:
                    left = max(left, x0 - offset / slope)
                elif slope < 0:
                    right = min(right, x0 - offset / slope)
                elif offset < 0:
                    right = -1.0
            for column in range(int(math.ceil(left - 0.5)), int(math.floor(right - 0.5)) + 1):
                dx = column + 0.5 - x0
                near = z0 + z_x * dx + z_y * dy
                if near <= nearness[line, column]:
                    continue
                if not opaque:
                    b1, b2 = (b1_x * dx + b1_y * dy) * z1 / near, (b2_x * dx + b2_y * dy) * z2 / near
                    pixel_x, pixel_y = column // side, line // side
                    mixed = (triangle * 73856093 ^ pixel_x * 19349663 ^ pixel_y * 83492791) * 2654435761
                    order = (mixed >> 16) & (len(thresholds) - 1)
                    threshold = thresholds[order, (line - pixel_y * side) * side + column - pixel_x * side]
                    if not _is_kept(surface, triangle, material, 1 - b1 - b2, b1, b2, threshold):
                        continue
                nearness[line, column] = near
                seen[line, column] = triangle


@njit(cache=True, **OPTIONS)
def shade(surface, sky, screen, side, order, seen, low, high, rgba, positions, normals):
    """Average what the samples of each pixel see, in linear light; the filter is a box of one pixel.

    Args:
        surface, screen, side, seen: as in `draw`.
        sky: `occlusion.Sky`; of no length: unlit.
        order: [side * side, 2] column and line of each sample in its pixel; the first one that hits gives the pixel's
            position and normal.
        low, high: [2] first and last pixel (x, y) that may show anything.
        rgba: [H, W, 4] uint8, zeros; becomes sRGB with straight alpha.
        positions, normals: [H, W, 3] float32, zeros; world.
    """
    samples = side * side
    lit = len(sky.shares) > 0
    for y in range(low[1], high[1] + 1):
        for x in range(low[0], high[0] + 1):
            hits, last = 0, -1
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            r, g, b, share = np.float32(0), np.float32(0), np.float32(0), np.float32(1)
            i0 = i1 = i2 = material = 0
            plain = known = False
            back = 0
            x0 = y0 = b1_x = b1_y = b2_x = b2_y = 0.0
            for rank in range(samples):
                column, line = x * side + order[rank, 0], y * side + order[rank, 1]
                triangle = seen[line, column]
                if triangle < 0:
                    continue
                if triangle != last:
                    last, known = triangle, False
                    i0, i1, i2 = surface.faces[triangle, 0], surface.faces[triangle, 1], surface.faces[triangle, 2]
                    material = surface.face_materials[triangle]
                    x0, y0 = screen[i0, 0], screen[i0, 1]
                    x1, y1, x2, y2 = screen[i1, 0], screen[i1, 1], screen[i2, 0], screen[i2, 1]
                    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
                    b1_x, b1_y = (y2 - y0) / area, (x0 - x2) / area
                    b2_x, b2_y = (y0 - y1) / area, (x1 - x0) / area
                    back = int(area > 0)  # y goes down: corners that run clockwise there are seen from behind
                    plain = not surface.colored[material]
                    plain = plain and surface.textures[material, 0] < 0 and surface.textures[material, 1] < 0
                if plain and known:  # the same colour all over
                    hits += 1
                    red, green, blue = red + r, green + g, blue + b
                    continue
                dx, dy = column + 0.5 - x0, line + 0.5 - y0
                w1, w2 = b1_x * dx + b1_y * dy, b2_x * dx + b2_y * dy
                w0 = (1 - w1 - w2) * screen[i0, 2]
                w1, w2 = w1 * screen[i1, 2], w2 * screen[i2, 2]
                depth = 1 / (w0 + w1 + w2)
                w0, w1, w2 = w0 * depth, w1 * depth, w2 * depth
                if hits == 0:
                    for axis in range(3):
                        positions[y, x, axis] = (
                            w0 * surface.vertices[i0, axis]
                            + w1 * surface.vertices[i1, axis]
                            + w2 * surface.vertices[i2, axis]
                        )
                        normals[y, x, axis] = surface.normals[triangle, axis]
                hits += 1
                r, g, b = _color(surface, material, i0, i1, i2, w0, w1, w2)
                if lit and not surface.unlit[material]:
                    if not known:  # it hardly changes within a pixel
                        share = _sky_share(sky, triangle, back, i0, i1, i2, w0, w1, w2)
                    r, g, b = r * _reflected(share, r), g * _reflected(share, g), b * _reflected(share, b)
                known = True
                red, green, blue = red + r, green + g, blue + b
            if hits:
                rgba[y, x, 0] = _encode(red / hits)
                rgba[y, x, 1] = _encode(green / hits)
                rgba[y, x, 2] = _encode(blue / hits)
                rgba[y, x, 3] = int(hits * 255 / samples + 0.5)


@njit(forceinline=True, **OPTIONS)
def _color(surface, material, i0, i1, i2, w0, w1, w2):
    """Linear base colour plus emission where the corners have these weights."""
    r, g, b = surface.base[material, 0], surface.base[material, 1], surface.base[material, 2]
    glow_r, glow_g, glow_b = surface.emission[material, 0], surface.emission[material, 1], surface.emission[material, 2]
    if surface.colored[material]:
        colors = surface.colors
        r *= np.float32(w0 * colors[i0, 0] + w1 * colors[i1, 0] + w2 * colors[i2, 0])
        g *= np.float32(w0 * colors[i0, 1] + w1 * colors[i1, 1] + w2 * colors[i2, 1])
        b *= np.float32(w0 * colors[i0, 2] + w1 * colors[i1, 2] + w2 * colors[i2, 2])
    base_texture, glow_texture = surface.textures[material, 0], surface.textures[material, 1]
    if base_texture >= 0 or glow_texture >= 0:
        u = w0 * surface.uvs[i0, 0] + w1 * surface.uvs[i1, 0] + w2 * surface.uvs[i2, 0]
        v = w0 * surface.uvs[i0, 1] + w1 * surface.uvs[i1, 1] + w2 * surface.uvs[i2, 1]
        if base_texture >= 0:
            texel = _sample(surface, base_texture, u, v)
            r, g, b = r * _decode(texel[0]), g * _decode(texel[1]), b * _decode(texel[2])
        if glow_texture >= 0:
            u = w0 * surface.glow_uvs[i0, 0] + w1 * surface.glow_uvs[i1, 0] + w2 * surface.glow_uvs[i2, 0]
            v = w0 * surface.glow_uvs[i0, 1] + w1 * surface.glow_uvs[i1, 1] + w2 * surface.glow_uvs[i2, 1]
            texel = _sample(surface, glow_texture, u, v)
            glow_r, glow_g, glow_b = (
                glow_r * _decode(texel[0]),
                glow_g * _decode(texel[1]),
                glow_b * _decode(texel[2]),
            )
    return r + glow_r, g + glow_g, b + glow_b


@njit(forceinline=True, **OPTIONS)
def _sky_share(sky, triangle, back, i0, i1, i2, w0, w1, w2):
    """Share of the sky that is seen where the corners have these weights, between the points where it is known."""
    shares, first, steps = sky.shares, sky.firsts[triangle], sky.steps[triangle]
    if first < 0:
        return np.float32(w0 * shares[i0, back] + w1 * shares[i1, back] + w2 * shares[i2, back])
    x, y = max(w1 * steps, 0.0), max(w2 * steps, 0.0)
    i = min(int(x), steps - 1)
    j = min(int(y), steps - 1 - i)
    x, y = x - i, y - j
    # Line i of a lattice has steps + 1 - i points.
    near = first + i * (steps + 1) - i * (i - 1) // 2 + j
    far = near + steps + 1 - i
    if x + y <= 1 or i + j == steps - 1:
        return np.float32((1 - x - y) * shares[near, back] + x * shares[far, back] + y * shares[near + 1, back])
    corner = (x + y - 1) * shares[far + 1, back]
    return np.float32(corner + (1 - y) * shares[far, back] + (1 - x) * shares[near + 1, back])


@njit(forceinline=True, **OPTIONS)
def _reflected(share, albedo):
    """Light that a matte surface reflects, per its albedo, where it sees this share of a white sky and, for the rest,
    surfaces like itself: the fit of Jimenez et al. 2016, "Practical Real-Time Strategies for Accurate Indirect
    Occlusion", section 5 (GTAO)."""
    p = min(albedo, np.float32(1))
    a = np.float32(2.0404) * p - np.float32(0.3324)
    b = np.float32(-4.7951) * p + np.float32(0.6417)
    c = np.float32(2.7552) * p + np.float32(0.6903)
    return max(share, ((share * a + b) * share + c) * share)


@njit(forceinline=True, **OPTIONS)
def _encode(linear):
    """sRGB byte of a linear value; what is brighter than white is white."""
    return ENCODE[int(min(max(linear, 0.0), 1.0) * ENCODE_STEPS + 0.5)]
