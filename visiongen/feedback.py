"""Feedback: the face that was rendered is looked at like the driver's, and moved to where it should be.

What the landmarks of a rendered face still lack is measured in the picture itself (analysis by synthesis): a small rendering is
given to the same detector that read the clip, and the difference, made smooth, moves the frame before it is composed. On
clips that drive their own first frame one look takes a sixth of AKD away; docs/training.md, Notes.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.flow import GRID, pixel_centres
from visiongen.landmarks import FaceMesh, nearest_face

_MESH = 468  # landmarks without the irises, which move in their eyes
_GAIN = 0.6
"""Share of the difference that is made up for: with all of it the detector's noise is followed too (jitter 1.04, not .96)."""
_SIGMA, _FADE = 3.0, 5.0
"""Cells of the grid over which differences are averaged, in the face and at its rim."""
_MOST = 0.1
"""Larger differences, of face widths, are not the picture's but the detector's, which took something else for a face."""
_THIN = 0.02  # landmarks a cell below which an average is not trusted


def correction(picture: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """How the frame is to be moved so that its landmarks come to lie where they should.

    Args:
        picture: (S, S, 3) uint8 RGB, the crop as rendered.
        target: (478, 3) the landmarks it should have, crop units.
    Returns:
        (G, G, 2) float32, crop units, for `moved`; None where no face is found, or one somewhere else.
    """
    with FaceMesh() as mesh:  # as the clip's faces are found: its graphs are there
        face = nearest_face(mesh(picture), target * picture.shape[0])
    if face is None:
        return None
    found, wanted = face[:_MESH, :2] / picture.shape[0], target[:_MESH, :2]
    off = wanted - found
    if np.linalg.norm(off, axis=-1).mean() > _MOST * np.ptp(wanted[:, 0]):
        return None
    return _GAIN * spread(found, off)


def spread(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(G, G, 2) float32 of values (N, 2) at points (N, 2), crop units: averages near them, nothing far from them."""
    at = np.clip(points * GRID - 0.5, 0, GRID - 1.001)
    cell = at.astype(int)
    part = at - cell
    corners = [(dx, dy) for dy in (0, 1) for dx in (0, 1)]
    cells = np.concatenate([(cell[:, 1] + dy) * GRID + cell[:, 0] + dx for dx, dy in corners])
    share = np.concatenate([np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1]) for dx, dy in corners])
    weighted = np.column_stack([values, np.ones(len(values))])
    # Planes: numpy takes ten times as long over the same values in pairs.
    sums = [np.bincount(cells, share * np.tile(column, len(corners)), GRID * GRID) for column in weighted.T]
    planes = np.array(sums, np.float32).reshape(3, GRID, GRID)
    (fine, sure), (coarse, near) = (_average(planes, sigma) for sigma in (_SIGMA, _FADE))
    return cv2.merge(list((fine * sure + coarse * (1 - sure)) * near))


def _average(sums: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """(2, G, G) averages over `sigma` cells, and (G, G) trust in them in [0, 1], of weighted sums and weights (3, G, G)."""
    *blurred, weight = (cv2.GaussianBlur(plane, (0, 0), sigma) for plane in sums)
    return np.array(blurred) / np.maximum(weight, 1e-6), np.clip(weight / _THIN, 0, 1)


def moved(values: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Values (S, S, C) float32 of a frame, its flow or its layers, moved by `shift` (G, G, 2), crop units."""
    size = values.shape[0]
    full = shift if size == GRID else cv2.resize(shift, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.remap(
        values, (pixel_centres(size) - full) * size - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def moved_landmarks(target: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Landmarks (N, 2 or 3), crop units, of a frame that is `moved`."""
    places = (target[None, :, :2] * GRID - 0.5).astype(np.float32)
    steps = cv2.remap(shift, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return target + np.pad(steps, ((0, 0), (0, target.shape[1] - 2)))
