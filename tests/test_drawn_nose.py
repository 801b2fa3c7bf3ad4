"""A drawn nose keeps its shape when the head nods and turns; the rest of the face does not notice."""

from __future__ import annotations

import numpy as np
import pytest

from visiongen.drawn_nose import DrawnNose
from visiongen.landmarks import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from visiongen.pose import face_model
from visiongen.rotations import rotation_matrices

NOSE = [1, 2, 4, 19, 94, 97, 326, 98, 327]
SOURCE = face_model().points.astype(np.float64) * 0.4 + [0.5, 0.5, 0.0]


def turned(pitch: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    matrix = rotation_matrices(np.array([[np.radians(pitch), np.radians(yaw), 0.0]]))[0]
    return (SOURCE - [0.5, 0.5, 0.0]) @ matrix.T + [0.5, 0.5, 0.0]


def stretch(points: np.ndarray) -> float:
    """Residual of the best affine map from the portrait's nose, of its size."""
    own = np.c_[SOURCE[NOSE, :2], np.ones(len(NOSE))]
    rest = points[NOSE, :2] - own @ np.linalg.lstsq(own, points[NOSE, :2], rcond=None)[0]
    return float(np.abs(rest).max() / np.ptp(SOURCE[NOSE, :2], axis=0).max())


@pytest.mark.parametrize("pose", [{"pitch": 25}, {"pitch": -25}, {"yaw": 30}, {"pitch": 15, "yaw": -20}])
def test_a_turned_nose_has_the_portraits_shape(pose):
    target = turned(**pose)
    held = DrawnNose(SOURCE).held(target)
    assert stretch(held) < 0.5 * stretch(target)
    assert np.linalg.norm(held[NOSE, :2].mean(0) - target[NOSE, :2].mean(0)) < 0.02  # where the nose is


def test_eyes_lips_oval_and_depth_stay():
    target = turned(pitch=25, yaw=10)
    held = DrawnNose(SOURCE).held(target)
    for ring in (RIGHT_EYE, LEFT_EYE, FACE_OVAL, OUTER_LIPS):
        assert (held[list(ring)] == target[list(ring)]).all()
    assert (held[:, 2] == target[:, 2]).all()


def test_an_affine_motion_is_left_as_it_is():
    flat = np.array([[0.9, 0.1, 0.0], [-0.1, 1.1, 0.0], [0.0, 0.0, 1.0]])
    target = SOURCE @ flat.T + [0.03, -0.02, 0.0]
    assert np.abs(DrawnNose(SOURCE).held(target) - target).max() < 1e-9


def test_the_target_itself_is_not_written_to():
    target = turned(pitch=25)
    before = target.copy()
    DrawnNose(SOURCE).held(target)
    assert (target == before).all()
