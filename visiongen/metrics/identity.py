"""Identity without a network: how alike two faces look, by the texture of the aligned face. A proxy, not CSIM.

Local binary patterns tell people apart under like conditions (about nine in ten of pairs, see docs/metrics.md), but unlike a
trained embedder they also fall with blur, light and expression. So: a warning light, not a measurement of identity.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.hookspecs import Comparison, FramePair, MetricRun, Score
from visiongen.metrics.per_frame import MeanRun
from visiongen.pose import euler_angles, face_model, fit_head

_SIDE, _CELLS = 112, 7
_MOST_TURN = np.deg2rad(30)
"""Heads that look further apart than this show different halves of the face."""


class ProxyMetric:
    """`face_similarity` of the generated face and the portrait, mean over the frames whose head pose is near the
    portrait's."""

    scores = (
        Score(
            name="identity_proxy", title="likeness (proxy)", better="higher",
            summary="Likeness of the face's texture to the portrait, 0 to 1, without a face-recognition network; not CSIM.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where the portrait shows no face."""
        landmarks = comparison.portrait_landmarks
        if landmarks is None:
            return None
        known = face_texture(comparison.portrait, landmarks)
        pose = _pose(landmarks)

        def likeness(pair: FramePair) -> float | None:
            points = pair.generated_landmarks
            if points is None or np.abs(_pose(points) - pose).max() > _MOST_TURN:
                return None
            return _intersection(known, face_texture(pair.generated, points))

        return MeanRun("identity_proxy", likeness)


def face_similarity(
    picture_a: np.ndarray, landmarks_a: np.ndarray, picture_b: np.ndarray, landmarks_b: np.ndarray
) -> float:
    """Likeness of two faces by the texture of the aligned face. Range [0, 1], 1 is equal.

    Faces are aligned by eyes, nose and mouth corners to 112 x 112 grey pixels; in each of 7 x 7 cells the histogram of
    uniform local binary patterns is taken; the score is the mean intersection of the histograms, sum min(a, b).

    Source: Ahonen, Hadid & Pietikainen, "Face description with local binary patterns", 2006, with equal weights.

    Args:
        picture_a, picture_b: (H, W, 3) uint8 RGB.
        landmarks_a, landmarks_b: (478, 3) px, or at least the first 468 and two columns.
    """
    return _intersection(face_texture(picture_a, landmarks_a), face_texture(picture_b, landmarks_b))


def _intersection(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.minimum(a, b).sum(-1).mean())


def face_texture(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Histograms of local binary patterns, (49, 59), each with sum 1. See `face_similarity`."""
    grey = cv2.cvtColor(aligned_face(picture, landmarks), cv2.COLOR_RGB2GRAY).astype(np.int16)
    centre = grey[1:-1, 1:-1]
    code = np.zeros(centre.shape, np.uint8)
    for bit, (row, column) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        code |= (grey[row : row + centre.shape[0], column : column + centre.shape[1]] >= centre).astype(np.uint8) << bit
    kinds = _uniform_patterns()[code]
    cell = centre.shape[0] // _CELLS
    kinds = kinds[: cell * _CELLS, : cell * _CELLS].reshape(_CELLS, cell, _CELLS, cell).transpose(0, 2, 1, 3)
    kinds = kinds.reshape(_CELLS * _CELLS, cell * cell)
    offsets = 59 * np.arange(len(kinds))[:, None]
    counts = np.bincount((kinds + offsets).ravel(), minlength=59 * len(kinds)).reshape(len(kinds), 59)
    return counts / counts.sum(1, keepdims=True)


def aligned_face(picture: np.ndarray, landmarks: np.ndarray, *, side: int = _SIDE) -> np.ndarray:
    """(side, side, 3) uint8: the face upright, eyes, nose tip and mouth corners where the rest face has them."""
    anchors = [33, 263, 1, 61, 291]
    rest = face_model().points[:468, :2]
    low, high = rest.min(0), rest.max(0)
    wanted = ((rest[anchors] - (low + high) / 2) / (high - low).max() * 0.92 + 0.5) * side
    found = np.asarray(landmarks, np.float64)[anchors, :2]
    matrix, _ = cv2.estimateAffinePartial2D(found - 0.5, wanted - 0.5, method=cv2.LMEDS)
    if matrix is None:  # five points in one place
        return np.zeros((side, side, 3), np.uint8)
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 1:  # shrink without aliasing, by the same blur for large and small pictures
        picture = cv2.GaussianBlur(picture, (0, 0), 0.5 / scale)
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@cache
def _uniform_patterns() -> np.ndarray:
    """(256,) number of a pattern among the 58 with at most two changes round the circle; 58 for all others."""
    table, count = np.full(256, 58), 0
    for code in range(256):
        turned = ((code << 1) | (code >> 7)) & 255
        if (code ^ turned).bit_count() <= 2:
            table[code] = count
            count += 1
    return table


def _pose(landmarks: np.ndarray) -> np.ndarray:
    """Yaw and pitch, radians."""
    rotation, *_ = fit_head(np.asarray(landmarks, np.float64)[None])
    return euler_angles(rotation)[0, :2]
