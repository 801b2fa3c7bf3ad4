"""Drawing a mesh: the same picture as polygon after polygon with OpenCV, whatever the triangles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from visiongen.pose import face_model
from visiongen.rasterise import affine_maps, rasterise

SIZE = (48, 64)
TRIANGLE = arrays.arrays(np.float64, (3, 2), elements=st.floats(1, 46, width=32))


def painted(corners: np.ndarray, depth: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same with a polygon at a time."""
    index = np.full(size, -1, np.int32)
    for i in np.argsort(-depth, kind="stable"):
        cv2.fillConvexPoly(index, np.round(corners[i] * 16).astype(np.int32), int(i), cv2.LINE_8, 4)
    return index


@given(TRIANGLE)
@settings(max_examples=200, deadline=None)
def test_one_triangle_is_filled_with_its_outline(triangle):
    drawn = rasterise(triangle[None], np.zeros(1), SIZE) == 0
    expected = (painted(triangle[None], np.zeros(1), SIZE) == 0).astype(np.uint8)
    # Both are right to the pixel beside the outline, where OpenCV rounds its lines (those that leave the picture, wrongly).
    grown, shrunk = cv2.dilate(expected, np.ones((3, 3))), cv2.erode(expected, np.ones((3, 3)))
    assert not (drawn & (grown == 0)).any() and drawn[shrunk > 0].all()


@pytest.mark.parametrize("yaw", [0.0, 40.0, 80.0])
def test_a_face_is_drawn_as_by_the_painter(yaw):
    turn = np.deg2rad(yaw)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    points = face_model().points[:468] @ rotation.T * 60 + 64
    triangles = face_model().triangles
    corners, depth = points[triangles, :2], points[triangles, 2].mean(1)
    ours, theirs = rasterise(corners, depth, (128, 128)), painted(corners, depth, (128, 128))
    assert (ours != theirs).mean() < 0.05  # which of two neighbours a shared edge belongs to
    assert ((ours < 0) != (theirs < 0)).mean() < 0.005


def test_the_nearest_wins_and_the_rest_is_empty():
    square = np.array([[[4, 4], [20, 4], [4, 20]], [[4, 4], [20, 4], [4, 20]], [[2, 2], [3, 2], [2, 3]]], float)
    index = rasterise(square, np.array([1.0, 0.5, 3.0]), SIZE)
    assert set(np.unique(index)) == {-1, 1, 2} and index[6, 6] == 1 and index[40, 40] == -1
    assert rasterise(square + 1000, np.zeros(3), SIZE).max() == -1
    assert rasterise(np.zeros((0, 3, 2)), np.zeros(0), SIZE).max() == -1


def test_an_edge_on_triangle_is_a_line_without_a_crack():
    index = rasterise(np.array([[[5.0, 5], [40, 30], [22.5, 17.5]]]), np.zeros(1), SIZE)
    assert all((index[:, x] == 0).any() for x in range(5, 41)) and (index == 0).sum() < 80


@given(TRIANGLE, TRIANGLE)
@settings(max_examples=100, deadline=None)
def test_the_maps_take_corners_to_corners(target, source):
    target, source = target / 64, source / 64
    affine, ratio = affine_maps(target, source, np.array([[0, 1, 2]]))
    edge, other = target[1] - target[0], target[2] - target[0]
    assert ratio[0] >= 0
    if abs(edge[0] * other[1] - edge[1] * other[0]) > 1e-2:
        assert target @ affine[0, :, :2].T + affine[0, :, 2] == pytest.approx(source, abs=2e-3)
