"""What is drawn into a frame, and where."""

from __future__ import annotations

import numpy as np
import pytest

from visiongen.drawing import box_round, canvas_round, covered

SQUARE = np.array([[10.2, 20.0], [30.0, 20.0], [30.0, 41.7], [10.2, 41.7]])


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ((0, 0), (9, 19, 32, 44)),
        ((-15, 0), (0, 19, 17, 44)),
        ((90, 70), (99, 89, 100, 100)),
        ((-40, 0), None),
        ((0, 100), None),
        ((np.nan, 0), None),
        ((0, np.inf), None),
    ],
)
def test_a_box_is_round_its_corners_and_within_the_picture(moved, expected):
    assert box_round(SQUARE + moved, 100, before=1, after=2) == expected


def test_one_corner_that_is_nowhere_leaves_no_box():
    corners = SQUARE.copy()
    corners[2, 1] = np.nan
    assert box_round(corners, 100, before=1, after=2) is None and canvas_round(corners / 100, 100) is None


def test_a_canvas_holds_the_ring_with_some_room():
    canvas = canvas_round(SQUARE / 100, 100)
    assert (*canvas.corner, canvas.width, canvas.height) == (8, 18, 24, 26)
    placed = canvas.placed(SQUARE / 100)
    assert placed.min() >= 2 * canvas.finer and (placed.max(0) <= np.array(canvas.shape[::-1]) - canvas.finer).all()


def test_what_a_ring_covers_reaches_the_rim_of_the_drawing():
    mask, inward = covered(np.array([[-5.0, -5], [25, -5], [25, 12], [-5, 12]]), (20, 30))
    assert (mask > 0).sum() == (inward > 0).sum() > 12 * 24
    assert mask[0, 0] and inward[0, 0] == pytest.approx(1, abs=0.1), "beyond the drawing nothing is covered"
    assert inward[6, 12] > 5 and not mask[:, 27].any()
