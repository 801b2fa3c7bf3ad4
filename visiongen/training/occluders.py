"""Things that get in front of a face, drawn: hands, objects, cloth, strands of hair. To train and test what finds them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

KINDS = ("hand", "patch", "object", "cloth", "strands", "mask")


def covered(
    image: np.ndarray, points: np.ndarray, strangers: Sequence[np.ndarray], rng: np.random.Generator, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """`image` with something drawn before its face.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (478, 3) landmarks of the face, px.
        strangers: Other pictures, to take real surfaces from.
        rng: Where, how large, which colours.
        kind: One of `KINDS`.
    Returns:
        The picture, and (H, W) float32 in [0, 1]: how much of each pixel is covered.
    """
    draw = {"hand": _hand, "patch": _patch, "object": _object, "cloth": _cloth, "strands": _strands, "mask": _mask}[
        kind
    ]
    surface, alpha = draw(image, points[:468, :2], strangers, rng)
    alpha = cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), rng.uniform(0.4, 1.6))
    picture = image.astype(np.float32)
    if rng.random() < 0.5:  # what is before a face throws a shadow on it
        shift = rng.uniform(-0.06, 0.06, 2) * np.ptp(points[:468, 0])
        move = np.array([[1, 0, shift[0]], [0, 1, abs(shift[1])]])
        shade = cv2.GaussianBlur(cv2.warpAffine(alpha, move, alpha.shape[::-1]), (0, 0), 3)
        picture *= 1 - rng.uniform(0.1, 0.4) * shade[..., None]
    mixed = picture + alpha[..., None] * (surface - picture)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8), alpha


def _spot(points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A place on or beside the face, and the width of the face, px."""
    low, high = points.min(0), points.max(0)
    return low + rng.uniform(-0.15, 1.15, 2) * (high - low), float(high[0] - low[0])


def _skin(image: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The face's own colour, a little lighter or darker: hands seldom have quite the face's."""
    members = points[[50, 280, 101, 330, 151, 9]].round().astype(int)
    x, y = members[:, 0].clip(0, image.shape[1] - 1), members[:, 1].clip(0, image.shape[0] - 1)
    colour = np.median(image[y, x].astype(np.float32), axis=0)
    return np.clip(colour * rng.uniform(0.65, 1.25) * rng.uniform(0.93, 1.07, 3), 0, 255)


def _noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) smooth noise of standard deviation 1."""
    grain = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), sigma)
    return grain / max(float(grain.std()), 1e-6)


def _hand_alpha(shape: tuple[int, int], points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Outline (H, W) in {0, 1} of a palm and fingers, and (H, W) how near the middle of a finger is, 0 to 1."""
    centre, width = _spot(points, rng)
    outline, height = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    thick = width * rng.uniform(0.1, 0.17)
    pointing = rng.uniform(0, 2 * np.pi)
    count = int(rng.integers(1, 6))
    spread = rng.uniform(0.05, 0.3)
    palm = rng.random() < 0.7
    for finger in range(count):
        angle = pointing + spread * (finger - (count - 1) / 2)
        side = np.array([-np.sin(pointing), np.cos(pointing)]) * thick * 1.02 * (finger - (count - 1) / 2)
        begin, along = centre + side, np.array([np.cos(angle), np.sin(angle)])
        length = width * rng.uniform(0.35, 0.7)
        bend = rng.uniform(-0.5, 0.5)
        middle = begin + along * length * 0.5
        turned = angle + bend
        end = middle + np.array([np.cos(turned), np.sin(turned)]) * length * 0.5
        one = np.zeros(shape, np.uint8)
        path = np.stack([begin, middle, end]).round().astype(np.int32)
        cv2.polylines(one, [path], False, 255, max(2, round(thick * rng.uniform(0.85, 1.1))), cv2.LINE_AA)
        distance = cv2.distanceTransform((one > 127).astype(np.uint8), cv2.DIST_L2, 3)
        height = np.where(one > 127, distance / max(float(distance.max()), 1e-6), height)
        outline |= one
    if palm:
        one = np.zeros(shape, np.uint8)
        middle = centre - np.array([np.cos(pointing), np.sin(pointing)]) * thick * 1.5
        axes = (round(thick * rng.uniform(1.8, 2.6)), round(thick * max(count, 2) * 0.6))
        cv2.ellipse(one, middle.round().astype(int).tolist(), axes, np.rad2deg(pointing), 0, 360, 255, -1, cv2.LINE_AA)
        distance = cv2.distanceTransform((one > 127).astype(np.uint8), cv2.DIST_L2, 3)
        height = np.maximum(height, np.minimum(distance / max(thick, 1), 1))
        outline |= one
    return (outline > 127).astype(np.float32), height


def _hand(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    alpha, height = _hand_alpha(image.shape[:2], points, rng)
    light = rng.uniform(0.45, 0.8) + (1 - rng.uniform(0.45, 0.8)) * np.sqrt(height)
    light += 0.04 * _noise(alpha.shape, rng.uniform(0.8, 3), rng) + 0.08 * _noise(alpha.shape, 12, rng)
    return _skin(image, points, rng) * light[..., None], alpha


def _surface_of(strangers: Sequence[np.ndarray], shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 a magnified piece of another picture."""
    other = strangers[int(rng.integers(len(strangers)))]
    side = int(min(other.shape[:2]) * rng.uniform(0.25, 1.0))
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in other.shape[:2])
    piece = cv2.resize(other[top : top + side, left : left + side], shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rot90(piece, int(rng.integers(0, 3)) * 2).astype(np.float32)


def _patch(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    """The shape of a hand or a blob with a real surface, mostly tinted like skin."""
    surface = _surface_of(strangers, image.shape[:2], rng)
    alpha = _hand_alpha(image.shape[:2], points, rng)[0] if rng.random() < 0.5 else _blob(image.shape[:2], points, rng)
    if rng.random() < 0.6:
        grey = surface.mean(-1, keepdims=True) - surface.mean()
        surface = _skin(image, points, rng) + rng.uniform(0.2, 0.8) * grey
    return surface, alpha


def _blob(shape: tuple[int, int], points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    centre, width = _spot(points, rng)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = width * rng.uniform(0.15, 0.5) * (1 + 0.3 * np.convolve(rng.standard_normal(26), np.ones(3) / 3, "valid"))
    turn, squeeze = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
    ring = np.stack([radius * np.cos(angles), squeeze * radius * np.sin(angles)], -1)
    ring = ring @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
    alpha = np.zeros(shape, np.uint8)
    cv2.fillPoly(alpha, [ring.round().astype(np.int32)], 255, cv2.LINE_AA)
    return alpha.astype(np.float32) / 255


def _object(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    """A box or an ellipse: phone, cup, book, microphone; plain, shaded or printed."""
    shape = image.shape[:2]
    centre, width = _spot(points, rng)
    size = (width * rng.uniform(0.15, 0.7), width * rng.uniform(0.15, 0.9))
    alpha = np.zeros(shape, np.uint8)
    box = (tuple(map(float, centre)), size, rng.uniform(0, 180))
    if rng.random() < 0.5:
        cv2.ellipse(alpha, box, 255, -1, cv2.LINE_AA)
    else:
        cv2.fillPoly(alpha, [cv2.boxPoints(box).round().astype(np.int32)], 255, cv2.LINE_AA)
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.choice([15, 40, 120, 235]), float)
    columns, rows = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[0]))
    slope = rng.uniform(-0.5, 0.5, 2)
    surface = colour * (1 + slope[0] * columns + slope[1] * rows)[..., None]
    if rng.random() < 0.3:
        surface = 0.5 * surface + 0.5 * _surface_of(strangers, shape, rng)
    return surface + 3 * rng.standard_normal(shape)[..., None], alpha.astype(np.float32) / 255


def _cloth(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    """Something that comes in from one side: a scarf, a sleeve, another head."""
    shape = image.shape[:2]
    low, high = points.min(0), points.max(0)
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    angle = rng.choice([0, np.pi / 2, np.pi, -np.pi / 2], p=[0.25, 0.35, 0.25, 0.15]) + rng.normal(0, 0.3)
    along = np.array([np.cos(angle), np.sin(angle)])
    border = (low + high) / 2 + along * rng.uniform(-0.1, 0.5) * (high - low)
    wave = 0.06 * (high[0] - low[0]) * _noise(shape, rng.uniform(4, 12), rng)
    alpha = ((columns - border[0]) * along[0] + (rows - border[1]) * along[1] + wave > 0).astype(np.float32)
    if rng.random() < 0.5:
        return _surface_of(strangers, shape, rng), alpha
    folds = 1 + 0.2 * _noise(shape, rng.uniform(2, 8), rng)
    return rng.uniform(0, 255, 3) * folds[..., None], alpha


def _strands(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    """Hair that hangs into the face."""
    shape = image.shape[:2]
    low, high = points.min(0), points.max(0)
    width = high[0] - low[0]
    alpha = np.zeros(shape, np.uint8)
    root = low + [rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.4, 0.0) * (high[1] - low[1])]
    lean, reach = rng.uniform(-0.5, 0.5), rng.uniform(0.5, 1.3) * (high[1] - low[1])
    for _ in range(int(rng.integers(12, 60))):
        start = root + rng.normal(0, 0.1, 2) * width
        steps = np.linspace(0, 1, 8)[:, None]
        bend = rng.normal(lean, 0.15) * steps**1.5
        path = start + np.c_[bend * width, steps * reach * rng.uniform(0.7, 1.1)]
        cv2.polylines(alpha, [path.round().astype(np.int32)], False, 255, max(1, round(width * 0.012)), cv2.LINE_AA)
    colour = np.array([(30, 22, 18), (70, 45, 30), (120, 85, 50), (200, 170, 120)][int(rng.integers(4))], float)
    surface = colour * (1 + 0.25 * _noise(shape, 1.2, rng))[..., None]
    return surface, cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), 0.8)


def _mask(image, points, strangers, rng) -> tuple[np.ndarray, np.ndarray]:
    """Cloth over mouth and nose, as worn against dust and germs."""
    ring = points[[234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454,
                   280, 5, 50]]  # fmt: skip
    alpha = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [ring.round().astype(np.int32)], 255, cv2.LINE_AA)
    reach = max(3, round(0.05 * np.ptp(points[:, 0]))) | 1
    alpha = cv2.dilate(alpha, np.ones((reach, reach), np.uint8))
    surface = rng.choice([rng.uniform(0, 255, 3), np.array([170, 205, 225.0])]) * np.ones((*image.shape[:2], 1))
    return surface * (1 + 0.05 * _noise(image.shape[:2], 3, rng))[..., None], alpha.astype(np.float32) / 255
