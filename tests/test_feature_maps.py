"""Mouth, eyes and irises as maps, at any resolution, wherever the landmarks are."""

from __future__ import annotations

import numpy as np
import pytest

from visiongen.feature_maps import draw_features
from visiongen.landmarks import INNER_LIPS, LEFT_IRIS
from visiongen.pose import face_model

FACE = face_model().points * 0.5 + [0.5, 0.5, 0]


def drawn(points: np.ndarray, side: int) -> np.ndarray:
    maps = np.full((3, side, side), 7, np.float32)  # what was there before does not matter
    draw_features(points, maps)
    return maps


def test_a_map_shows_the_same_at_any_resolution():
    small, large = drawn(FACE, 128), drawn(FACE, 512)
    assert 0 <= small.min() and small.max() <= 1
    assert small.mean((1, 2)) == pytest.approx(large.mean((1, 2)), rel=0.3, abs=2e-4)


def test_lids_cover_the_iris():
    _, eyes, iris = drawn(FACE, 256)
    assert iris.max() > 0.9 and (iris <= eyes).all()


def test_landmarks_that_are_nowhere_are_left_out():
    lost = FACE.copy()
    lost[list(INNER_LIPS)[3]] = np.nan
    lost[list(LEFT_IRIS)[1]] = np.inf
    mouth, eyes, iris = drawn(lost, 128)
    assert not mouth.any() and eyes.any()
    assert 0 < iris.sum() < drawn(FACE, 128)[2].sum()
