"""A marble bust, modelled as a signed distance function and ray-marched with numpy.

Lengths are centimetres of a life-size head: x to the picture's right, y up, z to the viewer, origin between
the eyes and 6.5 cm behind them. Every shape takes points (N, 3) and returns distances (N,), negative inside.
The model is symmetric, so all but the hair is built on |x|.
"""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

SIZE = 512
CAMERA = np.array([0.0, -1.0, 95.0])
TARGET = np.array([0.0, -3.0, 0.0])
FIELD_OF_VIEW = np.deg2rad(22.0)
KEY_LIGHT = np.array([-0.62, 0.62, 0.55])
FILL_LIGHT = np.array([0.75, 0.05, 0.65])
RIM_LIGHT = np.array([0.7, 0.45, -0.55])


def length(v):
    """Euclidean length of each row of ``v``: (N, 3) -> (N,)."""
    return np.sqrt(np.einsum("ij,ij->i", v, v))


def ellipsoid(p, centre, radii):
    """Distance to an ellipsoid (first-order approximation, exact on the surface)."""
    q = (p - np.float32(centre)) / np.float32(radii)
    k0 = length(q)
    return k0 * (k0 - 1) / np.maximum(length(q / np.float32(radii)), 1e-6)


def capsule(p, a, b, radius_a, radius_b):
    """Distance to a round rod from ``a`` to ``b`` whose radius runs from ``radius_a`` to ``radius_b``."""
    q, rod = p - np.float32(a), np.float32(b) - np.float32(a)
    t = np.clip(q @ (rod / (rod @ rod)), 0, 1)
    return length(q - t[:, None] * rod) - (radius_a + np.float32(radius_b - radius_a) * t)


def chain(p, points, radii):
    """Capsules strung along ``points``."""
    d = capsule(p, points[0], points[1], radii[0], radii[1])
    for i in range(1, len(points) - 1):
        d = union(d, capsule(p, points[i], points[i + 1], radii[i], radii[i + 1]), 0.05)
    return d


def union(a, b, blend):
    """Smooth union: the seam is rounded over about ``blend``."""
    h = np.maximum(blend - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h / (4 * blend)


def carve(a, b, blend):
    """``a`` without ``b``, the edge rounded over about ``blend``."""
    return -union(-a, b, blend)


def skull(p):
    """Cranium, face block, cheeks, jaw, chin and muzzle: the head without its features."""
    d = ellipsoid(p, (0, 3.2, -0.6), (7.2, 8.2, 9.0))
    d = union(d, ellipsoid(p, (0, -2.6, 1.6), (6.25, 8.2, 6.4)), 2.0)
    d = union(d, ellipsoid(p, (4.1, -2.2, 4.5), (2.0, 1.5, 2.2)), 1.8)
    d = union(d, chain(p, [(5.5, -3.0, -0.5), (4.4, -7.2, 1.8), (1.5, -10.0, 5.8)], [1.2, 1.1, 1.2]), 1.9)
    d = union(d, ellipsoid(p, (0, -10.1, 6.4), (1.6, 1.3, 1.6)), 1.3)
    d = union(d, ellipsoid(p, (0, -6.9, 5.9), (2.9, 2.7, 2.6)), 1.6)
    return union(d, chain(p, [(0.9, 2.1, 7.8), (3.0, 2.7, 7.2), (5.2, 1.7, 5.2)], [0.55, 0.6, 0.5]), 1.4)


def eyes(p, d):
    """Sockets, eyeballs with drilled pupils, and lids cut from a slightly larger ball."""
    d = carve(d, ellipsoid(p, (3.2, 0.2, 9.0), (2.15, 1.3, 1.95)), 1.0)
    q = p - np.float32((3.2, 0.0, 6.2))
    x, y = q[:, 0] / 1.7, q[:, 1]
    lift = y - 0.08 * x
    opening = np.maximum(lift - 0.66 * (1 - x * x), -lift - 0.46 * (1 - x * x))
    front = q[:, 2] > 0
    radius = length(q)
    lids = carve(radius - 1.9, np.where(front, opening, 9), 0.1)
    crease = np.abs(radius - 1.9) + np.abs(lift - 0.66 * (1 - x * x) - 0.44) * 1.2 - 0.13
    lids = carve(lids, np.where(front, crease, 9), 0.18)
    ball = radius - 1.66
    ring = np.hypot(np.hypot(q[:, 0] + 0.05, q[:, 1] - 0.06) - 0.68, ball) - 0.08
    pupil = length(q - np.float32((-0.05, 0.08, 1.66))) - 0.34
    ball = carve(carve(ball, np.where(front, ring, 9), 0.08), pupil, 0.1)
    return union(union(d, lids, 0.7), ball, 0.03)


def nose(p, d):
    """Bridge, tip, wings, nostrils and philtrum."""
    d = union(d, chain(p, [(0, 1.9, 7.7), (0, -1.0, 8.7), (0, -3.6, 9.9)], [0.85, 0.78, 0.85]), 1.3)
    d = union(d, ellipsoid(p, (0, -3.9, 10.0), (1.0, 0.85, 0.9)), 0.6)
    d = union(d, ellipsoid(p, (1.15, -4.15, 8.75), (0.68, 0.68, 1.1)), 0.8)
    d = carve(d, ellipsoid(p, (0.62, -4.95, 9.1), (0.38, 0.32, 0.65)), 0.3)
    return carve(d, capsule(p, (0, -5.2, 9.4), (0, -6.2, 9.15), 0.22, 0.28), 0.5)


def mouth(p, d):
    """Lips closed along a groove that rises a little at the corners."""
    upper = chain(p, [(0, -6.74, 8.45), (0.7, -6.52, 8.4), (2.5, -6.98, 7.0)], [0.44, 0.54, 0.12])
    lower = chain(p, [(0, -7.72, 8.25), (0.9, -7.66, 8.1), (2.35, -7.13, 7.05)], [0.58, 0.52, 0.12])
    d = union(union(d, upper, 0.35), lower, 0.4)
    line = [(0, -7.13, 9.1), (0.7, -7.18, 8.85), (1.7, -7.1, 8.1), (2.75, -6.92, 7.2)]
    d = carve(d, chain(p, line, [0.12, 0.12, 0.13, 0.1]), 0.18)
    return carve(d, ellipsoid(p, (0, -8.7, 8.8), (1.4, 0.35, 0.75)), 0.7)


def ears(p, d):
    """Shell, hollow and lobe of the ear, turned a little to the front."""
    q = p - np.float32((6.9, -0.6, -0.8))
    c, s = np.float32(np.cos(0.6)), np.float32(np.sin(0.6))
    q = np.stack([c * q[:, 0] - s * q[:, 2], q[:, 1] + 0.15 * q[:, 0], s * q[:, 0] + c * q[:, 2]], 1)
    shell = union(ellipsoid(q, (0, 0.6, 0), (0.7, 2.6, 1.75)), ellipsoid(q, (0, -2.2, 0.2), (0.6, 1.1, 0.9)), 0.6)
    shell = carve(shell, ellipsoid(q, (0.75, 0.5, 0.1), (0.6, 2.0, 1.15)), 0.2)
    shell = union(shell, ellipsoid(q, (0.35, 0.2, -0.1), (0.3, 1.3, 0.35)), 0.3)
    return union(d, shell, 0.5)


def body(p, d):
    """Neck with its two cords, throat, shoulders, breast, and a mantle in folds."""
    trunk = capsule(p, (0, -7, -1.6), (0, -18, -2.6), 4.9, 5.6)
    trunk = union(trunk, capsule(p, (5.0, -6.5, -1.8), (1.2, -18.3, 2.9), 0.9, 0.8), 1.5)
    trunk = union(trunk, ellipsoid(p, (0, -13.2, 2.1), (1.0, 1.2, 1.0)), 1.4)
    trunk = union(trunk, capsule(p, (1, -13, -4), (13, -21, -4), 3.5, 3.0), 2.5)
    trunk = union(trunk, chain(p, [(0, -25, -2.5), (9, -22.6, -3.5), (17, -24.8, -4)], [5.4, 4.4, 5.0]), 4.0)
    trunk = union(trunk, capsule(p, (1.2, -19.0, 2.6), (7, -18.9, 1.5), 0.5, 0.45), 2.2)
    round_neck = np.hypot(p[:, 0] * 0.8, p[:, 1] + 10.5) + 0.5 * np.sin(p[:, 0] * 0.35)
    folds = np.abs(np.sin(round_neck * 1.15))
    mantle = trunk - 0.55 - 0.75 * folds * np.clip((round_neck - 8.0) / 3, 0, 1)
    mantle = carve(mantle, round_neck - 9.9, 0.5) * 0.8
    return union(d, union(trunk, mantle, 0.1), 1.2)


def hair(p):
    """Locks combed forward from the crown in overlapping rows. Takes the true, unmirrored points."""
    q = p - np.float32((0, 3.2, -0.6))
    up, back = q[:, 1] * 0.88 - q[:, 2] * 0.47, q[:, 1] * 0.47 + q[:, 2] * 0.88
    polar = np.arctan2(np.hypot(q[:, 0], back), up)
    turn = np.arctan2(q[:, 0], back) + 0.16 * np.sin(polar * 7.0) + 0.05 * np.sin(polar * 13 + q[:, 0])
    count = 30
    place = turn * np.float32(count / (2 * np.pi)) + 0.35
    number = np.floor(place)
    across = 2 * (place - number) - 1
    ridge = np.sqrt(np.maximum(1.04 - across * across, 0))
    chance = np.modf(np.abs(np.sin(np.mod(number, count) * 12.9898) * 43758.5))[0]
    row = np.mod(polar * 2.6 + 0.9 * chance + 0.12 * ridge, 1)
    step = np.minimum(row, (1 - row) * 7)
    relief = ridge * (0.28 + 0.5 * step) + 0.07 * np.cos(across * 9.4) * ridge
    d = ellipsoid(p, (0, 3.5, -0.8), (7.35, 8.3, 9.15)) - relief
    x, y = p[:, 0], p[:, 1] - 0.5
    hairline = 6.1 + 0.75 * np.abs(np.cos(np.arctan2(x, y))) ** 2 - 0.55 * ridge
    inside_face = np.where(p[:, 2] > 0, hairline - np.hypot(x, np.maximum(y, 0)), -9)
    d = carve(d, -np.maximum(inside_face, -2.2 - p[:, 1]), 0.5)
    return 0.75 * np.maximum(d, np.where(p[:, 1] < 1, p[:, 2] - 3.0 + 0.3 * ridge, -9))


# What is built onto the skull, with a ball that holds it: a point farther from the ball than from the surface
# found so far is not touched by it, and most points are not.
FEATURES = (
    (eyes, (3.2, 0.2, 7.2), 3.4),
    (nose, (0, -1.7, 8.8), 5.5),
    (mouth, (0, -7.3, 8.2), 3.6),
    (ears, (7.2, -0.8, -0.8), 4.0),
    (body, (0, -26, -3), 22.0),
)


def bust(p):
    """Distance of points (N, 3) from the whole sculpture."""
    half = p.copy()
    half[:, 0] = np.sqrt(half[:, 0] ** 2 + np.float32(0.02)) - np.float32(0.14)  # |x|, round in the middle: no crease
    d = skull(half)
    for feature, centre, radius in FEATURES:
        near = np.flatnonzero(length(half - np.float32(centre)) - radius < np.maximum(d, 0) + 1)
        d[near] = feature(half[near], d[near])
    near = np.flatnonzero((p[:, 1] > -4) & (np.abs(d) < 4))
    d[near] = union(d[near], hair(p[near]), 0.2)
    return d


def march(directions):
    """Distance along each ray (N,), and which rays hit."""
    travelled = np.full(len(directions), 72.0, np.float32)
    alive = np.arange(len(directions))
    hit = np.zeros(len(directions), bool)
    for _ in range(90):
        d = bust(CAMERA.astype(np.float32) + directions[alive] * travelled[alive, None])
        travelled[alive] += 0.8 * d
        done = np.abs(d) < 0.008
        hit[alive[done]] = True
        alive = alive[~done & (travelled[alive] < 115)]
        if not len(alive):
            break
    hit[alive] = True  # grazing rays creep along the surface and never quite arrive
    return travelled, hit


def normals(p, step=0.03):
    """Unit normals (N, 3), by four samples at the corners of a tetrahedron."""
    total = np.zeros_like(p)
    for corner in np.float32([(1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)]):
        total += corner * bust(p + step * corner)[:, None]
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def openness(p, n):
    """How much of the sky a point sees (0..1): the distance field is sampled outwards along the normal."""
    hidden = np.zeros(len(p), np.float32)
    for reach, weight in ((0.15, 1.1), (0.4, 0.8), (0.9, 0.5), (1.8, 0.3), (3.5, 0.16)):
        hidden += weight * np.maximum(reach - bust(p + n * np.float32(reach)), 0)
    return np.exp(-0.9 * hidden)


def lit(p, n, light):
    """Soft shadow (0..1): how near the way to the light passes by the sculpture."""
    light = unit(light)
    seen = np.ones(len(p), np.float32)
    start = p + n * np.float32(0.08)
    way = np.full(len(p), 0.05, np.float32)
    alive = np.flatnonzero(n @ light > -0.1)
    for _ in range(22):
        d = bust(start[alive] + light * way[alive, None])
        seen[alive] = np.minimum(seen[alive], np.clip(0.5 + 4.5 * d / way[alive], 0, 1))
        way[alive] += np.clip(d, 0.12, 2.5)
        alive = alive[(seen[alive] > 0.01) & (way[alive] < 22)]
    return seen * seen * (3 - 2 * seen)


def unit(v):
    """``v`` as float32 of length one."""
    v = np.asarray(v, np.float32)
    return v / np.linalg.norm(v)


def marble(p):
    """Albedo (N, 3) of white marble: faint clouds and thin grey veins, from smoothed noise in space."""
    noise = np.random.default_rng(7).standard_normal((64, 64, 64)).astype(np.float32)
    noise = gaussian_filter(noise, 1.0, mode="wrap")
    noise /= noise.std()

    def at(scale, offset=0.0):
        return map_coordinates(noise, (p * scale + offset).T, order=1, mode="grid-wrap")

    clouds = at(0.35) + 0.5 * at(0.9, 20) + 0.25 * at(2.2, 40)
    vein = np.abs(at(0.22, 11) + 0.55 * at(0.6, 31) + 0.2 * at(1.7, 5))
    grey = 0.86 + 0.022 * clouds - 0.14 * np.exp(-((vein / 0.07) ** 2)) * np.clip(0.5 + at(0.15, 50), 0, 1)
    return grey[:, None] * np.float32((1.0, 0.975, 0.935))


def shade(p, directions):
    """Linear RGB (N, 3) of the surface points ``p`` seen along ``directions``."""
    n = normals(p)
    sky = openness(p, n)[:, None]
    shadow = lit(p, n, KEY_LIGHT)[:, None]
    key, fill, rim = unit(KEY_LIGHT), unit(FILL_LIGHT), unit(RIM_LIGHT)
    facing = (n @ key)[:, None]
    # Light spreads inside marble: the edge of the shade is soft, and warm.
    wrap = np.clip((facing + np.float32((0.16, 0.12, 0.09))) / 1.14, 0, None)
    light = 1.0 * wrap * (0.06 + 0.94 * shadow) * np.float32((1.0, 0.96, 0.9))
    light = light + 0.10 * np.clip((n @ fill)[:, None], 0, 1) * sky * np.float32((0.8, 0.9, 1.0))
    light = light + 0.35 * np.clip((n @ rim)[:, None], 0, 1) * sky
    light = light + sky * (0.085 + 0.05 * n[:, 1:2]) * np.float32((0.85, 0.92, 1.0))
    colour = marble(p) * light
    half = key - directions
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.clip((n * half).sum(1), 0, 1)[:, None]
    return colour + shadow * (0.1 * gloss**24 + 0.08 * gloss**90)


def look(u, v):
    """Linear RGB (N, 3) seen through points of the picture: ``u`` and ``v`` (N,) run from -1 to 1, right and up."""
    forward = unit(TARGET - CAMERA)
    right = unit(np.cross(forward, (0, 1, 0)))
    up = np.cross(right, forward)
    reach = np.float32(np.tan(FIELD_OF_VIEW / 2))
    directions = forward + reach * (u[:, None] * right + v[:, None] * up)
    directions = (directions / length(directions)[:, None]).astype(np.float32)
    glow = np.exp(-((u / 2 + 0.12) ** 2 + (v / 2 - 0.05) ** 2) / 0.14)
    colour = (0.012 + 0.06 * glow)[:, None] * np.float32((0.78, 0.92, 1.06))
    travelled, hit = march(directions)
    colour[hit] = shade(CAMERA.astype(np.float32) + directions[hit] * travelled[hit, None], directions[hit])
    return colour


def tone(colour):
    """Linear light to picture values in 0..1."""
    return np.clip(1.2 * colour * (1 + colour / 2.2) / (1 + colour), 0, 1) ** (1 / 2.2)


def statue():
    """The finished picture: uint8 RGB (512, 512, 3). One ray a pixel, five where neighbours differ."""
    grid = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE * 2 - 1
    u, v = (g.ravel() for g in np.meshgrid(grid, -grid))
    picture = look(u, v)
    value = tone(picture).mean(axis=1).reshape(SIZE, SIZE).astype(np.float32)
    window = np.ones((3, 3), np.uint8)
    rough = np.flatnonzero((cv2.dilate(value, window) - cv2.erode(value, window)).ravel() > 0.07)
    total = picture[rough].copy()
    for dx, dy in ((-0.375, -0.125), (-0.125, 0.375), (0.125, -0.375), (0.375, 0.125)):
        total += look(u[rough] + np.float32(2 * dx / SIZE), v[rough] + np.float32(2 * dy / SIZE))
    picture[rough] = total / 5
    return np.uint8(np.round(255 * tone(picture))).reshape(SIZE, SIZE, 3)
