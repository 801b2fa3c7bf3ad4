"""A triangle mesh drawn on a pixel grid: which triangle is in front of which pixel, and where the mesh takes it from.

All triangles are drawn at once, row by row, in a handful of array operations: a call of a library for each of a thousand
triangles would cost more than the drawing, and threads would wait for each other a thousand times a frame.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_FAR = 4.0
"""Corners are brought this near to the picture, in its sizes: what lies further out cannot be told apart inside it."""


def rasterise(corners: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Index of the nearest triangle at every pixel: the painter's algorithm.

    A pixel belongs to a triangle whose inside, or whose outline drawn one pixel wide, holds its centre; so even a triangle
    that is seen edge-on leaves no crack.

    Args:
        corners: (M, 3, 2) x and y, px; pixel centres at whole numbers.
        depth: (M,) larger is further away.
        size: Rows and columns.
    Returns:
        (rows, columns) int32, -1 where there is none.
    """
    rows, columns = size
    order = np.argsort(-depth, kind="stable")
    x, y = (  # (3, M): one contiguous row for each corner
        np.clip(corners[order, :, axis].T, -_FAR * length, (1 + _FAR) * length).astype(np.float32)
        for axis, length in enumerate((columns, rows))
    )

    # The rows of every triangle, one entry for each row of each.
    low = np.maximum(np.ceil(y.min(0) - 0.5), 0).astype(np.int32)
    high = np.minimum(np.floor(y.max(0) + 0.5), rows - 1).astype(np.int32)
    which, row = _counted(high - low + 1)
    row += low[which]

    # Left and right end there: between the edges, each moved outward by half a pixel along its steeper axis.
    left, right = x.min(0)[which] - 0.5, x.max(0)[which] + 0.5
    for slope, origin in _half_planes(x, y):
        a, b = slope
        margin = 0.5 * np.maximum(np.abs(a), np.abs(b))
        over = np.where(a == 0, np.inf, a)  # a level edge bounds the rows, which are chosen already
        end = (-b / over)[which] * row + (-(margin + origin) / over)[which]
        np.copyto(left, np.maximum(left, end), where=(a > 0)[which])
        np.copyto(right, np.minimum(right, end), where=(a < 0)[which])
    first = np.maximum(np.ceil(left), 0).astype(np.int32)
    last = np.minimum(np.floor(right), columns - 1).astype(np.int32)

    span, step = _counted(last - first + 1)
    index = np.full(rows * columns, -1, np.int32)
    # Where several want a pixel the last one gets it: NumPy assigns in order.
    index[(row * columns + first)[span] + step] = order[which][span]
    return index.reshape(rows, columns)


def _counted(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For counts 2, 0, 3: the numbers 0 0 2 2 2 of those counted and 0 1 0 1 2 of the single ones."""
    counts = np.maximum(counts, 0)
    which = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return which, np.arange(len(which), dtype=np.int32) - (np.cumsum(counts, dtype=np.int32) - counts)[which]


def _half_planes(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """For each edge (a, b), c of the half-planes a x + b y + c >= 0 whose common part is the triangle; each (M,)."""
    turned = np.where((x[1] - x[0]) * (y[2] - y[0]) < (x[2] - x[0]) * (y[1] - y[0]), -1, 1).astype(np.float32)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = (y[i] - y[j]) * turned, (x[j] - x[i]) * turned
        yield (a, b), -(a * x[i] + b * y[i])


def affine_maps(target: np.ndarray, source: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every triangle the map target -> source, (M, 2, 3) float32, and the ratio of areas target / source, (M,).

    A triangle seen edge-on in the target has no inverse; such a one moves as a whole.

    Args:
        target, source: (N, 2 or more) vertices; only x and y count.
        triangles: (M, 3) indices.
    """
    t, s = (points[:, :2].T.astype(np.float32)[:, triangles] for points in (target, source))  # (2, M, 3)
    # Edges as the columns of 2 x 2 matrices, element by element: thousands of tiny products are slow one by one.
    (a, b), (c, d) = np.moveaxis(t[..., 1:] - t[..., :1], -1, 1)
    (e, f), (g, h) = np.moveaxis(s[..., 1:] - s[..., :1], -1, 1)
    t_area, s_area = a * d - b * c, e * h - f * g
    flat = np.abs(t_area) < 1e-7
    over = np.where(flat, 1, t_area)
    linear = np.array([[e * d - f * c, f * a - e * b], [g * d - h * c, h * a - g * b]]) / over  # (2, 2, M)
    linear[:, :, flat] = np.eye(2, dtype=np.float32)[..., None]
    shift = s.mean(-1) - (linear * t.mean(-1)).sum(1)
    ratio = np.abs(t_area) / np.maximum(np.abs(s_area), 1e-9)
    return np.moveaxis(np.concatenate([linear, shift[:, None]], axis=1), -1, 0), ratio
