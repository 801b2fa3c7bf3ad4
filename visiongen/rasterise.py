"""A triangle mesh drawn on a pixel grid: which triangle is in front of which pixel, and where the mesh takes it from.

All triangles are drawn at once, row by row, in a handful of array operations: a call of a library for each of a thousand
triangles would cost more than the drawing, and threads would wait for each other a thousand times a frame.
"""

from __future__ import annotations

import numpy as np

_NO_AREA = np.float32(1e-8)
"""Of triangles that are nothing but rounding, crop units squared; a pixel of 256 has a thousand times as much."""
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
        _within(np.take(plane, order, axis=1), -_FAR * length, (1 + _FAR) * length)
        for plane, length in zip(np.asarray(corners, np.float32).T, (columns, rows))
    )

    # The rows of every triangle, one entry for each row of each.
    low = np.maximum(np.ceil(y.min(0) - np.float32(0.5)), 0).astype(np.intp)
    high = np.minimum(np.floor(y.max(0) + np.float32(0.5)), rows - 1).astype(np.intp)
    which, row = _counted(low, high)

    # Left and right end there: between the edges, each moved outward by half a pixel along its steeper axis.
    left, right = x.min(0)[which] - np.float32(0.5), x.max(0)[which] + np.float32(0.5)
    a, b, origin = _half_planes(x, y)
    margin = np.float32(0.5) * np.maximum(np.abs(a), np.abs(b))
    over = np.where(a == 0, np.float32(np.inf), a)  # a level edge bounds the rows, which are chosen already
    slopes, starts = -b / over, -(margin + origin) / over
    line = row.astype(np.float64)
    for end, narrower, edges, nowhere in (
        (left, np.maximum, a > 0, -np.inf),
        (right, np.minimum, a < 0, np.inf),
    ):
        for slope, start in zip(np.where(edges, slopes, 0), np.where(edges, starts, np.float32(nowhere))):
            narrower(end, (slope[which] * line + start[which]).astype(np.float32), out=end)
    first = np.maximum(np.ceil(left), 0).astype(np.intp)
    last = np.minimum(np.floor(right), columns - 1).astype(np.intp)

    # Where several want a pixel the last one gets it: NumPy assigns in order.
    row *= columns
    span, pixel = _counted(row + first, row + last)
    index = np.full(rows * columns, -1, np.int32)
    index[pixel] = order[which][span]
    return index.reshape(rows, columns)


def _within(values: np.ndarray, least: float, most: float) -> np.ndarray:
    """`values`, which are changed."""
    np.maximum(values, np.float32(least), out=values)
    return np.minimum(values, np.float32(most), out=values)


def _counted(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For ranges 3 to 4, 7 to 6 and 5 to 7: their numbers 0 0 2 2 2, and what is in them, 3 4 5 6 7."""
    counts = np.maximum(last - first + 1, 0)
    before = np.cumsum(counts)
    which = np.repeat(np.arange(len(counts)), counts)
    return which, np.arange(len(which)) + (first - before + counts)[which]


def _half_planes(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each edge a, b, c of the half-planes a x + b y + c >= 0 whose common part is the triangle; each (3, M)."""
    after = [1, 2, 0]
    b, a = x[after] - x, y - y[after]
    # The sign of its area tells which side is inside.
    turned = np.where(b[0] * a[2] < b[2] * a[0], -1, 1).astype(np.float32)
    a *= turned
    b *= turned
    return a, b, -(a * x + b * y)


def affine_maps(target: np.ndarray, source: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every triangle the map target -> source, (M, 2, 3) float32, and the ratio of areas target / source, (M,).

    A triangle seen edge-on in the target has no inverse; such a one moves as a whole.

    Args:
        target, source: (N, 2 or more) vertices; only x and y count.
        triangles: (M, 3) indices.
    """
    t, s = (
        np.take(points[:, :2].T.astype(np.float32), triangles.T, axis=1) for points in (target, source)
    )  # (2, 3, M)
    # Edges as the columns of 2 x 2 matrices, element by element: thousands of tiny products are slow one by one.
    (a, b), (c, d) = t[:, 1:] - t[:, :1]
    first, second = (s[:, i] - s[:, 0] for i in (1, 2))  # (2, M)
    t_area, s_area = a * d - b * c, first[0] * second[1] - second[0] * first[1]
    flat = np.abs(t_area) < 1e-7
    affine = np.empty((2, 3, len(triangles)), np.float32)
    linear = affine[:, :2]
    np.subtract(first * d, second * c, out=linear[:, 0])
    np.subtract(second * a, first * b, out=linear[:, 1])
    linear /= np.where(flat, np.float32(1), t_area)
    if flat.any():
        linear[:, :, flat] = np.eye(2, dtype=np.float32)[..., None]
    (x, y), middle = _middle(t), _middle(s)
    np.subtract(middle, linear[:, 0] * x + linear[:, 1] * y, out=affine[:, 2])
    ratio = (np.abs(t_area) + _NO_AREA) / (np.abs(s_area) + _NO_AREA)  # of nothing and nothing: 1
    return np.moveaxis(affine, -1, 0), ratio


def _middle(corners: np.ndarray) -> np.ndarray:
    """(2, M) of the corners (2, 3, M) of triangles."""
    return (corners[:, 0] + corners[:, 1] + corners[:, 2]) / np.float32(3)
