"""Eyes are drawn where lids open on what the portrait does not show, and nowhere else."""

import cv2
import numpy as np
import pytest
from builders import face, placed

from visiongen.drawing import lay_over
from visiongen.eyeballs import Eyeballs
from visiongen.landmarks import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

SIZE = 512
SKIN = np.array([200, 150, 130], np.uint8)
OPEN = placed(face()) / 256


def with_lids(share: float) -> np.ndarray:
    """Landmarks with the eyes open by a share of their opening, crop units."""
    points = OPEN.copy()
    for ring in (RIGHT_EYE, LEFT_EYE):
        middle = points[[ring[0], ring[8]], 1].mean()
        points[list(ring), 1] = middle + share * (points[list(ring), 1] - middle)
    return points


def portrait(iris: tuple[int, int, int] = (60, 110, 160), points: np.ndarray = OPEN) -> np.ndarray:
    picture = np.broadcast_to(SKIN, (SIZE, SIZE, 3)).copy()
    for ring, circle in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        lids = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(lids, [np.round(points[list(ring), :2] * SIZE).astype(np.int32)[:, None]], 1)
        ball = np.full_like(picture, 230)
        radius = np.linalg.norm(points[circle[1], :2] - points[circle[0], :2]) * SIZE
        cv2.circle(ball, np.round(points[circle[0], :2] * SIZE).astype(int).tolist(), round(radius), iris, -1)
        picture[lids > 0] = ball[lids > 0]
    return picture


def pixels_at(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Beside the pupils, where an iris has its colour."""
    right, left = (points[c, :2] + 0.65 * (points[r, :2] - points[c, :2]) for c, r in ((468, 469), (473, 474)))
    return np.array([frame[int(y * SIZE), int(x * SIZE)] for x, y in (right, left)], float)


@pytest.mark.parametrize(("own", "wanted"), [(1.0, 1.0), (1.0, 0.3), (0.7, 1.0), (0.0, 0.0), (0.1, 0.1)])
def test_nothing_is_drawn_where_the_portrait_shows_enough(own, wanted):
    assert Eyeballs(portrait(points=with_lids(own)), with_lids(own))(with_lids(wanted)) == []


def test_closed_eyes_open_on_a_dark_iris_and_a_bright_white_between_the_lids_only():
    closed = portrait(points=with_lids(0.0))
    frame = lay_over(closed, Eyeballs(closed, with_lids(0.0))(OPEN))
    changed = (frame != closed).any(-1)
    inside = np.zeros((SIZE, SIZE), np.uint8)
    for ring in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(inside, [np.round(OPEN[list(ring), :2] * SIZE).astype(np.int32)[:, None]], 1)
    assert not (changed & (cv2.dilate(inside, np.ones((7, 7))) == 0)).any()
    assert changed[inside > 0].mean() > 0.9
    assert pixels_at(frame, OPEN).mean() < 0.6 * SKIN.mean()
    assert np.quantile(frame[inside > 0].mean(-1), 0.9) > 0.95 * SKIN.mean()


def test_half_closed_eyes_open_with_their_own_colour():
    half = with_lids(0.6)
    seen = portrait(iris=(50, 90, 170), points=half)
    red, _, blue = pixels_at(lay_over(seen, Eyeballs(seen, half)(with_lids(2.2))), OPEN).mean(0)
    assert blue > 1.5 * red


def test_the_gaze_is_where_the_iris_is():
    closed = portrait(points=with_lids(0.0))
    eyes, darkest = Eyeballs(closed, with_lids(0.0)), []
    for step in (-0.008, 0.008):
        target = OPEN.copy()
        target[[*RIGHT_IRIS, *LEFT_IRIS], 0] += step
        piece = eyes(target)[0]
        darkest.append(piece.corner[0] + piece.colour.mean(-1).mean(0).argmin())
    assert darkest[1] - darkest[0] == pytest.approx(0.016 * SIZE, abs=3)


def test_it_comes_gradually():
    closed = portrait(points=with_lids(0.0))
    eyes = Eyeballs(closed, with_lids(0.0))
    weights = [
        max((float(p.weight.max()) for p in eyes(with_lids(share))), default=0.0) for share in np.linspace(0, 1, 21)
    ]
    assert max(np.diff(weights)) < 0.5 and weights[-1] > 0.9 and weights[0] == 0


def test_a_grey_face_has_grey_eyes():
    grey = np.full((SIZE, SIZE, 3), 140, np.uint8)
    frame = lay_over(grey, Eyeballs(grey, with_lids(0.0))(OPEN))
    assert np.ptp(frame.astype(int), axis=-1).max() <= 1 and (frame != grey).any()


def test_eyes_outside_the_picture_are_survived():
    closed = portrait(points=with_lids(0.0))
    for shift in ([2.0, 0, 0], [0.45, 0, 0], [0, -0.5, 0]):
        assert lay_over(closed, Eyeballs(closed, with_lids(0.0))(OPEN + shift)).shape == closed.shape
