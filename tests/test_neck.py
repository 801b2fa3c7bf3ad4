"""The neck keeps its place while the head turns over it."""

import cv2
import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.flow import GRID, pixel_centres
from visiongen.neck import AXIS, Neck
from visiongen.pose import fit_head
from visiongen.skull import Skull
from visiongen.skull_rings import silhouette

HERE = np.ascontiguousarray(pixel_centres(GRID).transpose(2, 0, 1))


def setting(**turned):
    """Pose and outline of a head in the middle of the picture."""
    points = placed(face(), centre=(128.0, 110.0), **turned).astype(np.float64) / 256
    pose = tuple(part[0] for part in fit_head(points[None]))
    skull = Skull(points)
    return pose, silhouette(skull.vertices)


def turned_about_the_neck(pose, **angles):
    own, translation, scale = pose
    new = rotation(**angles) @ own
    return new, translation + scale * (AXIS @ own.T - AXIS @ new.T), scale


def laid(neck: Neck, pose) -> np.ndarray:
    taken = HERE.copy()
    neck.lay_under(taken, *pose)
    return taken


def lowest(outline: np.ndarray) -> float:
    return float(outline[:, 1].max())


@pytest.mark.parametrize("turn", [{}, {"turn": rotation(25, 0, 0)}, {"turn": rotation(0, 10, 12)}])
def test_in_the_portraits_own_pose_everything_stays(turn):
    pose, outline = setting(**turn)
    taken = laid(Neck(*pose, outline, HERE), pose)
    below = HERE[1] > lowest(outline) + 1 / GRID
    np.testing.assert_allclose(taken[:, below], HERE[:, below], atol=1e-5)


@pytest.mark.parametrize("yaw", [-40, -15, 15, 40])
def test_a_turn_about_the_neck_leaves_what_is_below_the_head(yaw):
    pose, outline = setting()
    taken = laid(Neck(*pose, outline, HERE), turned_about_the_neck(pose, yaw=yaw))
    below = HERE[1] > lowest(outline) + 1 / GRID
    np.testing.assert_allclose(taken[:, below], HERE[:, below], atol=1e-5)


def test_nothing_is_laid_under_what_is_above_the_jaw():
    pose, outline = setting()
    taken = np.zeros_like(HERE)
    Neck(*pose, outline, HERE).lay_under(taken, *turned_about_the_neck(pose, yaw=30))
    eyes = 110 / 256
    assert not taken[:, HERE[1] < eyes].any()
    assert (taken[:, HERE[1] > lowest(outline)] > 0).all()


def test_a_head_that_comes_nearer_has_a_thicker_neck():
    (own, translation, scale), outline = setting()
    taken = laid(Neck(own, translation, scale, outline, HERE), (own, translation, 1.25 * scale))
    row = int((lowest(outline) + 0.1) * GRID)
    span = taken[0, row].max() - taken[0, row].min()
    assert span == pytest.approx((1 - 1 / GRID) / 1.25, rel=1e-3)


def test_what_the_jaw_uncovers_is_background_where_there_is_no_neck_and_the_jaw_where_there_is():
    pose, outline = setting()
    middle = outline[:, 0].mean()
    # A person whose neck is the right half of the picture only.
    matte = (HERE[0] > middle).astype(np.float32)
    taken = laid(Neck(*pose, outline, HERE, matte), pose)
    row = int((lowest(outline) - 0.06) * GRID)  # wholly neck, wholly hidden by the jaw in the portrait
    away = np.abs(HERE[0, row] - middle)
    free, person = ((away > 0.02) & (away < 0.06) & (side * (HERE[0, row] - middle) > 0) for side in (-1, 1))
    assert free.any() and person.any()
    assert (taken[1, row, free] >= HERE[1, row, free]).all()  # from below the jaw
    assert (taken[1, row, person] <= HERE[1, row, person] + 1e-6).all()  # from the jaw itself


def head_alone(outline: np.ndarray, rim: int) -> np.ndarray:
    """(G, G) a matte that ends `rim` cells below the head."""
    head = np.zeros((GRID, GRID), np.uint8)
    cv2.fillPoly(head, [np.round(outline * GRID - 0.5).astype(np.int32)], 1)
    return cv2.dilate(head, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)).astype(np.float32)


def test_a_head_alone_leaves_nothing_of_its_rim_behind():
    pose, outline = setting()
    matte = head_alone(outline, 2)
    neck = Neck(*pose, outline, HERE, matte)
    row, column = int(lowest(outline) * GRID), int(outline[:, 0].mean() * GRID)
    assert neck.rim[row + 1, column] and not neck.rim[row + 5 :].any()
    own, translation, scale = pose
    taken = laid(neck, (own, translation - [0, 0.05 * scale, 0], scale))  # it rises
    x, y = (np.clip(part * GRID, 0, GRID - 1).astype(int)[row - 2 : row + 3, column] for part in taken)
    assert not matte[y, x].any()


@pytest.mark.parametrize("below", ["neck", "nothing is known"])
def test_with_a_neck_there_is_no_rim(below):
    pose, outline = setting()
    middle = np.abs(HERE[0] - outline[:, 0].mean()) < 0.1
    matte = np.maximum(head_alone(outline, 2), middle * (HERE[1] > 0.5)) if below == "neck" else None
    assert not Neck(*pose, outline, HERE, matte).rim.any()
