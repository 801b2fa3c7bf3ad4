"""Lines of drawings are taken out of what a turned head stretches; photographs stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import astronaut_portrait, face, placed, rotation

from visiongen.background import still_background
from visiongen.flow import GRID, MAPS, MotionField, pixel_centres
from visiongen.generators.composer import Composer
from visiongen.generators.targets import source_landmarks
from visiongen.landmarks import FACE_OVAL
from visiongen.outlines import Outlines

SIZE = 256
PAPER, SKIN, INK = 250, 200, 20
SOURCE = placed(face(), centre=(128.0, 122.0)).astype(np.float64) / SIZE
MATTE = (np.hypot(*np.moveaxis(pixel_centres(GRID) - [0.5, 0.48], -1, 0)) < 0.36).astype(np.float32)


def drawing(line: int) -> np.ndarray:
    """(SIZE, SIZE, 3) a head, and its face in a line so many px thick, 0: in none."""
    picture = np.full((SIZE, SIZE, 3), PAPER, np.uint8)
    cv2.circle(picture, (128, 123), 92, (SKIN,) * 3, -1)
    oval = np.round(SOURCE[list(FACE_OVAL), :2] * SIZE).astype(np.int32)
    if line:
        cv2.polylines(picture, [oval], True, (INK,) * 3, line, cv2.LINE_AA)
    return picture


def turned(yaw: float):
    """Dense motion and (478, 3) landmarks of the head, turned by so many degrees."""
    target = placed(face(), centre=(128.0, 122.0), turn=rotation(yaw=yaw)).astype(np.float64) / SIZE
    return MotionField(SOURCE, MATTE).towards(target[None])[0], target


@pytest.mark.parametrize("line", [1, 2])
def test_a_drawing_has_lines_and_loses_them_only(line):
    without = Outlines(drawing(line), SOURCE).without
    assert (np.abs(without.astype(int) - drawing(0)).max(-1) > 16).mean() < 0.001  # but where the line has corners


def test_what_has_no_lines_stays():
    photograph = astronaut_portrait()
    assert Outlines(photograph.crop, source_landmarks(photograph)).without is None
    outlines = Outlines(drawing(0), SOURCE)
    assert outlines.without is None
    assert outlines(turned(30)[0]) is None


def test_lines_stay_where_nothing_is_stretched():
    outlines = Outlines(drawing(4), SOURCE)
    assert outlines(turned(0)[0]) is None
    dense, _ = turned(25)
    weight = outlines(dense)
    assert weight.max() > 0.9
    near = cv2.dilate((dense.maps[MAPS.index("stretch")] > 0).astype(np.uint8), np.ones((11, 11)))
    assert weight[near == 0].max() == 0


@pytest.mark.parametrize("yaw", [-30, 25])
def test_a_turned_drawing_has_no_black_spots(yaw):
    picture = drawing(4)
    composer = Composer(picture, still_background(picture, MATTE), SOURCE, MATTE)
    dense, target = turned(yaw)
    painted = np.zeros((5, GRID, GRID), np.float32)
    painted[3] = 1  # the moved portrait alone

    def ink(without_lines: np.ndarray | None) -> int:
        frame = composer.frame(dense.flow, painted, target, without_lines=without_lines)
        thick = cv2.erode((frame.max(-1) < 90).astype(np.uint8), np.ones((7, 7)))  # thicker than the line
        return int(thick.sum())

    assert ink(None) > 20
    assert ink(composer.outlines(dense)) < 0.1 * ink(None)


@pytest.mark.parametrize("part", [np.s_[40:60, 70:90], np.s_[:20, :30], np.s_[100:, 110:], np.s_[63:64, 5:6]])
def test_only_the_part_that_loses_lines_is_looked_at_again(part):
    picture = drawing(4)
    composer = Composer(picture, still_background(picture, MATTE), SOURCE, MATTE)
    dense, target = turned(25)
    painted = np.zeros((5, GRID, GRID), np.float32)
    painted[3] = 1
    weight = np.zeros((GRID, GRID), np.float32)
    weight[part] = 0.7
    everywhere = np.maximum(weight, np.float32(1e-12))  # as good as nothing, but all of the frame
    frames = [composer.frame(dense.flow, painted, target, without_lines=one) for one in (weight, everywhere)]
    np.testing.assert_array_equal(*frames)
