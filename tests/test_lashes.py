"""Lashes of an eye that closes are not drawn out over the lid; what is no lash stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from visiongen.eyes import LIDS
from visiongen.generators.targets import source_landmarks
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.lashes import Lashes, shown
from visiongen.pipeline import prepare_portrait
from visiongen.samples import sample
from visiongen.warping import half_step_units, half_steps, resize_flow, warp_half_steps

PORTRAIT = prepare_portrait(sample("astronaut.jpg"), size=512)
SOURCE = source_landmarks(PORTRAIT)
SIDE = 3 * len(PORTRAIT.crop)
CROP = cv2.resize(PORTRAIT.crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
WIDTH = float(np.linalg.norm(SOURCE[234, :2] - SOURCE[454, :2])) * SIDE
INK = (25, 20, 20)


def above(edge: tuple[int, ...], upper: tuple[int, ...], share: float) -> np.ndarray:
    """(9, 2) px, so far above a lid."""
    lower = SOURCE[list(edge), :2]
    return (lower + share * (SOURCE[list(upper), :2] - lower)) * SIDE


def plain() -> np.ndarray:
    """Skin of one colour, with nothing above the eyes."""
    picture = CROP.copy()
    for lid in LIDS:
        area = np.concatenate([above(*lid, 0.0), above(*lid, 3.0)[::-1]])
        cv2.fillPoly(picture, [cv2.convexHull(np.round(area).astype(np.int32))], (205, 165, 145))
    return picture


def with_lashes() -> np.ndarray:
    picture = plain()
    for lid in LIDS:
        for root, tip in zip(above(*lid, 0.0), above(*lid, 1.7)):
            cv2.line(picture, *(tuple(np.round(at).astype(int).tolist()) for at in (root, tip)), INK, 2)
    return picture


def closed(share: float) -> np.ndarray:
    """(478, 3): lids that have come together by a share."""
    points = SOURCE.copy()
    for eye in (RIGHT_EYE, LEFT_EYE):
        for upper, lower in zip(eye[1:8], eye[:8:-1]):
            middle = 0.25 * points[upper] + 0.75 * points[lower]
            points[[upper, lower]] += share * (middle - points[[upper, lower]])
    return points


def places() -> np.ndarray:
    """Where a picture that stays as it is is read."""
    centres = (np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1) + 0.5) / SIDE
    scale, offset = half_step_units(SIDE)
    return np.float32(resize_flow(centres.astype(np.float32), SIDE) * scale + offset)


def ink(picture: np.ndarray) -> float:
    """Levels by which lashes darken what is above both lids."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for lid in LIDS:
        area = np.concatenate([above(*lid, 0.8), above(*lid, 1.7)[::-1]])
        cv2.fillPoly(mask, [np.round(area).astype(np.int32)], 1)
    return float((205 - picture[mask > 0, 0].astype(float)).mean())


def moved(crop: np.ndarray, target: np.ndarray) -> np.ndarray:
    frame = warp_half_steps(half_steps(crop), places())
    shown(frame, Lashes(crop, SOURCE)(places(), target))
    return frame


def test_lashes_fade_as_an_eye_closes():
    crop = with_lashes()
    left = [ink(moved(crop, closed(share))) for share in (0.0, 0.5, 0.95)]
    assert left[0] > 10 and left[0] > left[1] > left[2] and left[2] < 0.25 * left[0]


def test_skin_comes_in_their_place():
    frame = moved(with_lashes(), closed(0.95))
    for lid in LIDS:
        x, y = np.round(above(*lid, 1.3)[4]).astype(int)
        assert np.abs(frame[y, x].astype(int) - (205, 165, 145)).max() < 25


def test_an_open_eye_keeps_them():
    assert Lashes(with_lashes(), SOURCE)(places(), SOURCE) == []


def test_a_lid_without_lashes_is_left_alone():
    assert Lashes(plain(), SOURCE)(places(), closed(0.95)) == []


def test_only_the_lids_change():
    crop = with_lashes()
    frame = moved(crop, closed(0.95))
    away = np.ones((SIDE, SIDE), np.uint8)
    for lid in LIDS:
        hull = cv2.convexHull(np.float32(np.concatenate([above(*lid, 0.0), above(*lid, 2.2)])))
        cv2.fillConvexPoly(away, np.round(hull).astype(np.int32), 0)
    away = cv2.erode(away, np.ones((2 * round(0.05 * WIDTH) + 1,) * 2))
    unmoved = warp_half_steps(half_steps(crop), places())
    assert away.any() and (frame[away > 0] == unmoved[away > 0]).all()


@pytest.mark.parametrize("where", [(-1.0, 0.0), (0.0, 3.0)])
def test_eyes_outside_of_the_picture_are_no_matter(where):
    target = closed(0.95)
    target[:, :2] += where
    assert Lashes(with_lashes(), SOURCE)(places(), target) == []
    assert Lashes(with_lashes(), target)(places(), target) == []


def test_glasses_are_no_lashes():
    """Their frames cross a lid, and are as dark, but thicker."""
    crop = with_lashes()
    for lid in LIDS:
        line = np.round(above(*lid, 1.8)).astype(np.int32)
        cv2.polylines(crop, [line], False, INK, round(0.035 * WIDTH))
    frame = moved(crop, closed(0.95))
    for lid in LIDS:
        x, y = np.round(above(*lid, 1.8)[4]).astype(int)
        assert frame[y, x].max() < 90
