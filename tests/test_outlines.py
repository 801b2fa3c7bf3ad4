"""Lines of drawings are taken out of what a turned head stretches; photographs stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import astronaut_portrait, face, placed, rotation

from visiongen.background import still_background
from visiongen.flow import GRID, MAPS, DenseMotion, MotionField, pixel_centres
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


def composed(picture: np.ndarray, matte: np.ndarray = MATTE):
    """A composer, and what makes its frame of the moved portrait alone, from motion, landmarks and where there are no lines."""
    composer = Composer(picture, still_background(picture, matte), SOURCE, matte)
    painted = np.zeros((5, GRID, GRID), np.float32)
    painted[3] = 1

    def frame(dense: DenseMotion, target: np.ndarray, without_lines: np.ndarray | None) -> np.ndarray:
        return composer.frame(dense.flow, painted, target, without_lines=without_lines)

    return composer, frame


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
    head, stretch = (dense.maps[MAPS.index(name)] for name in ("head", "stretch"))
    near = cv2.dilate(((stretch > 0) | (head == 0)).astype(np.uint8), np.ones((11, 11)))
    assert weight[near == 0].max() == 0


def test_a_chin_that_rises_leaves_no_line_on_the_neck():
    picture = drawing(4)
    cv2.rectangle(picture, (100, 170), (156, 255), (SKIN,) * 3, -1)
    cv2.polylines(picture, [np.round(SOURCE[list(FACE_OVAL), :2] * SIZE).astype(np.int32)], True, (INK,) * 3, 4)
    matte = np.maximum(MATTE, cv2.resize(np.float32(picture[..., 0] < PAPER), (GRID, GRID)))
    composer, frame = composed(picture, matte)
    lifted = placed(face(), centre=(128.0, 122.0), turn=rotation(pitch=-25)).astype(np.float64) / SIZE
    (dense,) = MotionField(SOURCE, matte).towards(lifted[None])

    def ink(without_lines: np.ndarray | None) -> int:
        """Dark pixels on the neck."""
        neck = frame(dense, lifted, without_lines)[int((lifted[152, 1] + 0.03) * SIZE) :, 110:146]
        return int((neck.max(-1) < 90).sum())

    assert ink(None) > 30
    assert ink(composer.outlines(dense)) < 0.1 * ink(None)


@pytest.mark.parametrize("yaw", [-30, 25])
def test_a_turned_drawing_has_no_black_spots(yaw):
    composer, frame = composed(drawing(4))
    dense, target = turned(yaw)

    def ink(without_lines: np.ndarray | None) -> int:
        dark = frame(dense, target, without_lines).max(-1) < 90
        return int(cv2.erode(dark.astype(np.uint8), np.ones((7, 7))).sum())  # thicker than the line

    assert ink(None) > 20
    assert ink(composer.outlines(dense)) < 0.1 * ink(None)


@pytest.mark.parametrize("yaw", [-30, 25])
def test_the_line_below_the_jaw_goes_on_where_it_was_taken_out(yaw):
    composer, frame = composed(drawing(4))
    dense, target = turned(yaw)
    weight = composer.outlines(dense)
    dark = cv2.erode(frame(dense, target, weight).max(-1), np.ones((5, 5))) < 90  # within two pixels
    places = target[[172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397], :2]
    column, row = (places * GRID).astype(int).T
    taken = weight[row, column] > 0.9
    assert taken.sum() >= 2
    column, row = (places[taken] * SIZE).astype(int).T
    assert dark[row, column].all()


@pytest.mark.parametrize("yaw", [-45, 45])
def test_the_far_side_of_the_jaw_is_hidden(yaw):
    _, target = turned(yaw)
    (piece,) = Outlines(drawing(4), SOURCE).drawn(target, (), np.ones((GRID, GRID), np.float32), SIZE)
    _, columns = np.nonzero(piece.weight)
    chin, near = target[152, 0] * SIZE, target[[132, 361], 0] * SIZE
    near = near[np.argmax(np.abs(near - chin))]
    far = (columns + piece.corner[0] - chin) * np.sign(near - chin)
    assert far.min() > -0.15 * abs(near - chin) and far.max() > 0.9 * abs(near - chin)


def test_eyes_that_close_keep_the_lines_of_their_lids():
    outlines = Outlines(drawing(3), SOURCE)
    closed = placed(face(blink=1.0), centre=(128.0, 122.0)).astype(np.float64) / SIZE
    (dense,) = MotionField(SOURCE, MATTE).towards(closed[None])
    column, row = (closed[[159, 386, 27, 257], :2] * GRID).astype(int).T
    assert dense.maps[MAPS.index("stretch")][row, column].max() > 0.3
    weight = outlines(dense)
    assert weight is None or weight[row, column].max() < 0.05


def test_no_line_is_drawn_where_none_was_taken_out():
    _, target = turned(25)
    nowhere = np.zeros((GRID, GRID), np.float32)
    assert not Outlines(drawing(4), SOURCE).drawn(target, (), nowhere, SIZE)
    assert not Outlines(drawing(0), SOURCE).drawn(target, (), nowhere + 1, SIZE)


@pytest.mark.parametrize("line", [2, 3])
def test_the_line_has_its_own_colour_and_thickness(line):
    picture, (_, target) = drawing(line), turned(0)
    (piece,) = Outlines(picture, SOURCE).drawn(target, (), np.ones((GRID, GRID), np.float32), SIZE)
    np.testing.assert_allclose(piece.colour[0, 0], INK, atol=25)
    chin, below = (int(at * SIZE) for at in target[152, :2])
    own = np.clip((SKIN - picture[below - 8 : below + 9, chin, 0].astype(float)) / (SKIN - INK), 0, 1).sum()
    assert abs(piece.weight[:, chin - piece.corner[0]].sum() - own) < 1


def test_ears_get_their_line_as_far_as_it_was_taken_out():
    _, target = turned(25)
    down = np.linspace(0, np.pi, 11)
    ear = np.stack([0.3 - 0.06 * np.sin(down), 0.5 - 0.1 * np.cos(down)], axis=1)
    share = np.zeros((GRID, GRID), np.float32)
    share[GRID // 2 :] = 1
    without, (*jaw, piece) = (Outlines(drawing(3), SOURCE).drawn(target, ears, share, SIZE) for ears in ([], [ear]))
    assert len(jaw) == len(without)
    rows, columns = np.nonzero(piece.weight > 0.5)
    places = (np.stack([columns, rows], axis=1) + piece.corner + 0.5) / SIZE
    assert np.linalg.norm(places[:, None] - ear, axis=-1).min(1).max() < 0.03
    assert places[:, 1].min() > 0.49 and places[:, 1].max() > 0.58


@pytest.mark.parametrize("part", [np.s_[40:60, 70:90], np.s_[:20, :30], np.s_[100:, 110:], np.s_[63:64, 5:6]])
def test_only_the_part_that_loses_lines_is_looked_at_again(part):
    _, frame = composed(drawing(4))
    dense, target = turned(25)
    weight = np.zeros((GRID, GRID), np.float32)
    weight[part] = 0.7
    everywhere = np.maximum(weight, np.float32(1e-12))  # as good as nothing, but all of the frame
    np.testing.assert_array_equal(*(frame(dense, target, one) for one in (weight, everywhere)))
