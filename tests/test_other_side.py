"""The hidden side of a turned head comes from its mirror image: where it is hidden, and only there."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.other_side import OtherSide, Revealed, mirrored, show
from visiongen.pose import face_model
from visiongen.warping import warp

SIZE = 256
MATTE = (np.hypot(*np.moveaxis(pixel_centres(GRID) - [0.5, 0.48], -1, 0)) < 0.36).astype(np.float32)
SEEN = {"from the left": 30, "from the right": -30}


def head(yaw: float) -> np.ndarray:
    """(478, 3), crop units."""
    return placed(face(), centre=(128.0, 122.0), turn=rotation(yaw=yaw)).astype(np.float64) / SIZE


def painted(points: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 3) a face whose colours are the same on both sides, painted triangle by triangle, the hindmost first."""
    model = face_model()
    middles = model.points[model.triangles].mean(1)
    pattern = np.stack([np.abs(middles[:, 0]) * 3, middles[:, 1] + 0.5, np.sin(20 * middles[:, 1]) / 2 + 0.5], axis=-1)
    picture = np.full((SIZE, SIZE, 3), 60, np.uint8)
    corners = points[model.triangles]
    for i in np.argsort(-corners[..., 2].mean(1)):
        ring = np.round((corners[i, :, :2] * SIZE - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(picture, [ring], (55 + 200 * np.clip(pattern[i], 0, 1)).tolist(), cv2.LINE_AA, 4)
    return picture


def revealed(own: float, wanted: float) -> Revealed | None:
    """For a portrait turned by `own` degrees and a frame turned by `wanted`."""
    source, target = head(own), head(wanted)
    (dense,) = MotionField(source, MATTE).towards(target[None])
    return OtherSide(source, MATTE)(dense, target)


def test_a_mirrored_picture_has_mirrored_landmarks():
    np.testing.assert_allclose(mirrored(mirrored(head(20))), head(20), atol=1e-12)
    np.testing.assert_allclose(mirrored(head(20)), head(-20), atol=0.02)


@pytest.mark.parametrize("own", SEEN.values(), ids=SEEN)
def test_a_hidden_cheek_looks_like_the_one_that_is_seen(own):
    source, target = head(own), head(0)
    (dense,) = MotionField(source, MATTE).towards(target[None])
    portrait, wanted = painted(source), painted(target)
    before = warp(portrait, dense.flow)
    after, found = before.copy(), OtherSide(source, MATTE)(dense, target)
    show(after, warp(portrait[:, ::-1].copy(), found.flow), found)
    hidden = (cv2.resize(found.weight, (SIZE, SIZE)) > 0.5) & (wanted != 60).any(-1)
    errors = [np.abs(frame[hidden].astype(float) - wanted[hidden]).mean() for frame in (before, after)]
    assert hidden.mean() > 0.03 and errors[1] < 0.7 * errors[0]
    unchanged = cv2.resize(found.weight, (SIZE, SIZE)) == 0
    assert (after[unchanged] == before[unchanged]).all()


@pytest.mark.parametrize(("own", "wanted"), [(0, 0), (0, 40), (3, -40), (30, 30), (30, 45), (-30, -45), (55, 30)])
def test_nothing_is_mirrored_where_the_portrait_shows_as_much(own, wanted):
    assert revealed(own, wanted) is None


@pytest.mark.parametrize("own", SEEN.values(), ids=SEEN)
def test_only_the_far_side_is_mirrored(own):
    weight = revealed(own, 0).weight
    assert weight.max() > 0.9 and 0 <= weight.min()
    near, far = (weight[:, : GRID // 2 - 8], weight[:, GRID // 2 :])[:: 1 if own > 0 else -1]
    assert far.sum() > 20 * near.sum()


def test_it_comes_gradually_with_the_turn():
    weights = [
        0.0 if (found := revealed(30, wanted)) is None else found.weight for wanted in np.arange(31.0, -20, -1.0)
    ]
    steps = [np.abs(after - before).mean() for before, after in pairwise(weights)]
    assert np.max(weights[-1]) > 0.9 and max(steps) < 0.02


def test_what_was_measured_in_the_driving_frame_is_left_alone():
    source, target = head(30), head(0)
    (dense,) = MotionField(source, MATTE).towards(target[None])
    prior = np.zeros_like(dense.prior)
    prior[-1] = 1
    assert OtherSide(source, MATTE)(replace(dense, prior=prior), target).weight.max() == 0


def test_the_mirror_image_takes_the_light_of_the_frame():
    frame, image = np.full((SIZE, SIZE, 3), 120, np.uint8), np.full((SIZE, SIZE, 3), 80, np.uint8)
    weight = np.zeros((GRID, GRID), np.float32)
    weight[30:90, 70:100] = 1
    known = np.zeros_like(weight)
    known[30:90, 40:68] = 1
    show(frame, image, Revealed(pixel_centres(GRID), weight, known))
    assert np.abs(frame.astype(int) - 120).max() <= 3


@pytest.mark.parametrize("side", [101, 256, 700])
def test_only_the_weighed_part_changes_at_any_resolution(side):
    rng = np.random.default_rng(0)
    frame, image = rng.integers(0, 255, (2, side, side, 3), np.uint8)
    weight = np.zeros((GRID, GRID), np.float32)
    weight[50:70, 100:128] = 1  # to the very border
    before = frame.copy()
    show(frame, image, Revealed(pixel_centres(GRID), weight, np.zeros_like(weight)))
    changed = (frame != before).any(-1)
    assert (
        changed[int(0.45 * side), -1]
        and not changed[: int(49 / GRID * side) - 1].any()
        and not changed[:, : int(0.7 * side)].any()
    )
    np.testing.assert_allclose(
        frame[int(0.42 * side) : int(0.5 * side), -3:], image[int(0.42 * side) : int(0.5 * side), -3:], atol=1
    )
