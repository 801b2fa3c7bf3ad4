"""visiongen.feedback: the rendered face is looked at, and moved to where it should be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from visiongen import samples
from visiongen.feedback import correction, moved, moved_landmarks, spread
from visiongen.flow import GRID, pixel_centres
from visiongen.generators.targets import source_landmarks
from visiongen.pipeline import prepare_portrait

SIDE = 256


@pytest.fixture(scope="module")
def face():
    """A crop (SIDE, SIDE, 3) and its landmarks (478, 3), crop units."""
    portrait = prepare_portrait(samples.sample("astronaut.jpg"))
    return cv2.resize(portrait.crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA), source_landmarks(portrait)


def test_a_constant_is_spread_as_it_is_near_its_points_and_not_far_from_them():
    points = np.random.default_rng(0).uniform(0.4, 0.6, (300, 2))
    field = spread(points, np.full((300, 2), (0.01, -0.02)))
    assert field.shape == (GRID, GRID, 2)
    np.testing.assert_allclose(field[GRID // 2, GRID // 2], (0.01, -0.02), atol=1e-5)
    assert not field[:20].any() and not field[:, -20:].any()


@pytest.mark.parametrize("step", [(0.0, 0.0), (2 / SIDE, -3 / SIDE)])
def test_moved_brings_content_and_landmarks_to_the_same_place(step):
    shift = np.full((GRID, GRID, 2), step, np.float32)
    ramp = pixel_centres(SIDE).copy()  # every value tells where it was
    inner = (slice(20, -20),) * 2
    np.testing.assert_allclose(moved(ramp, shift)[inner], (ramp - np.float32(step))[inner], atol=1e-5)
    target = np.random.default_rng(0).uniform(0.2, 0.8, (478, 3))
    np.testing.assert_allclose(moved_landmarks(target, shift), target + (*step, 0), atol=1e-6)


def test_a_face_beside_its_place_is_brought_nearer(face):
    picture, target = face
    asked = target + np.array([3.0, -2.0, 0]) / SIDE
    shift = correction(picture, asked)
    nose = tuple((asked[1, 1::-1] * GRID).astype(int))
    assert 0.4 * 3 < shift[nose][0] * SIDE < 0.9 * 3 and -0.9 * 2 < shift[nose][1] * SIDE < -0.3 * 2
    assert not shift[0].any()


def test_no_face_and_another_face_correct_nothing(face):
    picture, target = face
    assert correction(np.zeros_like(picture), target) is None
    assert correction(picture, target + np.array([0.2, 0, 0])) is None
