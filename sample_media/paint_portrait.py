"""A photograph painted over in oil-like strokes, from a broad brush to a fine one.

After Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (1998): every layer paints
only where the canvas still differs from the photograph as that brush can see it. Strokes follow the structure
tensor, each leaves bristle marks, and a raking light over the paint's thickness finishes the picture.
"""

import cv2
import numpy as np

SIZE = 512
OVERSAMPLING = 2
CROP = (slice(0, 300), slice(74, 374))  # rows and columns of the photograph: head, collar and some room
FACE = ((232, 196), (100, 118))  # centre and radii in the painting, px: the fine brushes are kept for it
BRUSHES = (  # radius px, tolerated mean error (0..255), longest stroke in radii, in the face only
    (12.0, 0, 9, False),
    (6.0, 16, 9, False),
    (3.2, 20, 8, False),
    (2.0, 13, 6, True),
    (1.2, 10, 5, True),
)


def stroke_directions(photo):
    """Unit vectors (H, W, 2) along the edges; where there are none, those of the surroundings."""
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 2)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    tensor = np.dstack([gx * gx, gx * gy, gy * gy])
    tensor = tensor / (np.sqrt(tensor.sum(axis=2, keepdims=True)) + 1)  # or strong edges would rule far around
    tensor = cv2.GaussianBlur(tensor, (0, 0), 6) + 0.05 * cv2.GaussianBlur(tensor, (0, 0), 40)
    angle = 0.5 * np.arctan2(2 * tensor[..., 1], tensor[..., 0] - tensor[..., 2]) + np.pi / 2
    return np.dstack([np.cos(angle), np.sin(angle)])


class Canvas:
    """Paint on a toned ground: colour float32 (H, W, 3) and thickness (H, W)."""

    def __init__(self, side, rng):
        self.colour = np.full((side, side, 3), (150, 112, 84), np.float32)
        self.thickness = np.zeros((side, side), np.float32)
        self.rng = rng

    def stroke(self, path, radius, colour):
        """One stroke along ``path`` (N, 2) px, as bristles side by side, each a shade lighter or darker."""
        self._line(path, 1.8 * radius, colour, 0.5)
        if radius < 5:  # too fine a brush for bristles to show
            return
        along = np.gradient(path, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-6)
        bristles = max(4, round(radius / 1.6))
        shades = self.rng.normal(0, 1, bristles)
        for place, shade in zip(np.linspace(-0.8, 0.8, bristles), shades, strict=True):
            start = self.rng.integers(0, 2) if len(path) > 4 else 0
            line = (path + across * radius * place)[start:]
            self._line(line, max(2 * radius / bristles, 1), colour * (1 + 0.03 * shade), 0.5 + 0.25 * shade)

    def _line(self, points, width, colour, thickness):
        fixed, thick = [np.int32(np.round(points * 16))], max(1, round(width))
        cv2.polylines(self.colour, fixed, False, tuple(float(c) for c in colour), thick, cv2.LINE_8, 4)
        cv2.polylines(self.thickness, fixed, False, float(thickness), thick, cv2.LINE_8, 4)


def trace(start, reference, directions, canvas, radius, longest):
    """Path of a stroke from ``start``: it bends with the picture and ends where its colour is wrong."""
    height, width = reference.shape[:2]
    x, y = start
    colour = reference[int(y), int(x)]
    path, heading = [(x, y)], None
    for step in range(longest):
        here = reference[int(y), int(x)]
        if step > 2 and abs(here - canvas.colour[int(y), int(x)]).sum() < abs(here - colour).sum():
            break
        way = directions[int(y), int(x)]
        if heading is not None:
            way = way if way @ heading > 0 else -way
            way = 0.6 * way + 0.4 * heading
        heading = way / (np.hypot(way[0], way[1]) + 1e-6)
        x, y = x + radius * heading[0], y + radius * heading[1]
        if not (0 <= x < width and 0 <= y < height):
            break
        path.append((x, y))
    if len(path) == 1:
        path.append((x + 0.5 * radius, y))
    return np.array(path), colour


def paint_layer(canvas, photo, directions, *, radius, tolerance, longest, where):
    """Paint with one brush wherever canvas and photograph differ by more than ``tolerance``."""
    reference = cv2.GaussianBlur(photo.astype(np.float32), (0, 0), 0.45 * radius)
    error = np.abs(canvas.colour - reference).sum(axis=2) / 3 * where
    mean = cv2.blur(error, (int(radius) * 2 + 1,) * 2)
    step = max(2, round(radius))
    starts = np.stack(np.meshgrid(*(np.arange(step // 2, n, step) for n in error.shape[::-1])), -1).reshape(-1, 2)
    x, y = starts.T
    starts = starts[(mean[y, x] >= tolerance) & (where[y, x] > 0)]
    for x, y in starts[canvas.rng.permutation(len(starts))]:
        part = error[max(y - step, 0) : y + step, max(x - step, 0) : x + step]
        dy, dx = np.unravel_index(part.argmax(), part.shape)
        worst = (max(x - step, 0) + dx + 0.5, max(y - step, 0) + dy + 0.5)
        path, colour = trace(worst, reference, directions, canvas, radius, longest)
        canvas.stroke(path, radius, colour * canvas.rng.normal(1, 0.018) + canvas.rng.normal(0, 2.0, 3))


def painting(photo):
    """Paint ``photo``, uint8 RGB (512, 512, 3) of the astronaut: uint8 RGB (512, 512, 3)."""
    side = SIZE * OVERSAMPLING
    photo = cv2.resize(photo[CROP], (side, side), interpolation=cv2.INTER_CUBIC)
    vivid = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV).astype(np.float32)
    vivid[..., 1] *= 1.12
    photo = cv2.cvtColor(np.uint8(np.clip(vivid, 0, 255)), cv2.COLOR_HSV2RGB)
    directions = stroke_directions(photo)
    canvas = Canvas(side, np.random.default_rng(1998))
    face = np.zeros((side, side), np.float32)
    cv2.ellipse(face, *(tuple(OVERSAMPLING * n for n in pair) for pair in FACE), 0, 0, 360, 1, -1)
    for radius, tolerance, longest, in_face in BRUSHES:
        where = face if in_face else np.ones_like(face)
        paint_layer(
            canvas, photo, directions,
            radius=radius * OVERSAMPLING, tolerance=tolerance, longest=longest, where=where,
        )  # fmt: skip
    thickness = cv2.GaussianBlur(canvas.thickness, (0, 0), 1.2)
    relief = cv2.Sobel(thickness, cv2.CV_32F, 1, 0) + cv2.Sobel(thickness, cv2.CV_32F, 0, 1)
    lit = canvas.colour * (1 + 0.05 * np.clip(relief, -1.5, 1.5))[..., None]
    small = cv2.resize(lit, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.uint8(np.clip(np.round(small), 0, 255))
