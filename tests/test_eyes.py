"""Motion round the eyes is exact at full resolution, and untouched elsewhere."""

import cv2
import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.eyes import with_exact_eyes
from visiongen.flow import MotionField, pixel_centres
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.warping import resize_flow, warp

SIDE = 256


def eye_picture(points: np.ndarray) -> np.ndarray:
    """Skin with white eyes where the landmarks have them."""
    picture = np.full((SIDE, SIDE, 3), (200, 150, 130), np.uint8)
    for ring in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(picture, [np.round(points[list(ring), :2] * SIDE - 0.5).astype(np.int32)], (255, 255, 255))
    return picture


def whites(picture: np.ndarray) -> int:
    return int((picture[..., 2] > 215).sum())


def flows(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    coarse = resize_flow(MotionField(source).towards(target[None])[0].flow, SIDE)
    return coarse, with_exact_eyes(coarse.copy(), source, target)


def test_an_eye_that_closes_shows_no_white():
    source, target = placed(face()) / SIDE, placed(face(blink=1.0)) / SIDE
    coarse, exact = flows(source, target)
    picture = eye_picture(source)
    assert whites(warp(picture, exact)) < 0.5 * whites(warp(picture, coarse)) < 0.5 * whites(picture)


@pytest.mark.parametrize("yaw", [0, 25, -40])
def test_it_is_a_small_correction_and_only_near_the_eyes(yaw):
    source = placed(face()) / SIDE
    target = placed(face(blink=0.7, jaw=0.05), turn=rotation(yaw=yaw)) / SIDE
    coarse, exact = flows(source, target)
    change = np.abs(exact - coarse).max(-1)
    assert change.max() < 0.05
    eyes = target[list(RIGHT_EYE + LEFT_EYE), :2]
    distance = np.linalg.norm(pixel_centres(SIDE)[:, :, None] - eyes, axis=-1).min(-1)
    assert change[distance > 0.06].max() == 0


def test_a_face_that_stays_keeps_its_flow():
    source = placed(face()) / SIDE
    still = pixel_centres(SIDE).copy()
    assert np.abs(with_exact_eyes(still.copy(), source, source) - still).max() < 1e-5


def test_lashes_do_not_grow_when_an_eye_closes():
    source, target = placed(face()) / SIDE, placed(face(blink=1.0)) / SIDE
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    lid = [246, 161, 160, 159, 158, 157, 173]
    edge = np.round(source[lid, :2] * SIDE - [0.5, 1.5]).astype(np.int32)
    cv2.polylines(picture, [edge], False, (0, 0, 0), 2)

    def height(flow: np.ndarray) -> float:
        """Of the dark line in the middle of the lid, px."""
        column = round(float(target[159, 0]) * SIDE)
        return float((200 - warp(picture, flow)[:, column].astype(float)).sum() / (200 * 3))

    coarse, exact = flows(source, target)
    own = height(pixel_centres(SIDE))
    assert height(coarse) > 1.4 * own
    assert abs(height(exact) - own) < 0.3 * own


def test_it_is_the_same_in_other_units():
    source, target = placed(face()) / SIDE, placed(face(blink=0.7), turn=rotation(yaw=20)) / SIDE
    coarse, exact = flows(source, target)
    found = with_exact_eyes(coarse * np.float32(500) - 7, source, target, units=(500.0, -7.0))
    np.testing.assert_allclose(found, exact * 500 - 7, atol=1e-2)


@pytest.mark.parametrize("shift", [[0.6, 0, 0], [0, -0.9, 0], [3, 3, 0]])
def test_eyes_outside_the_picture_are_survived(shift):
    source = placed(face()) / SIDE
    with_exact_eyes(pixel_centres(SIDE).copy(), source, source + shift)
