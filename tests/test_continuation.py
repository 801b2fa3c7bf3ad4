"""What is beside a head goes on from where its surface ends, and from outside the portrait's head."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.continuation import Continuation
from visiongen.flow import GRID, MAPS, MotionField, pixel_centres

GRID_PLANES = np.ascontiguousarray(pixel_centres(GRID).transpose(2, 0, 1))
ANGLES = np.linspace(0, 2 * np.pi, 36, endpoint=False)
ROUND = 0.5 + 0.2 * np.stack([np.cos(ANGLES), 1.2 * np.sin(ANGLES)], axis=1)


def covered_by(polygon: np.ndarray) -> np.ndarray:
    mask = np.zeros((GRID, GRID), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * GRID - 0.5).astype(np.int32)], 1)
    return np.flatnonzero(mask)


def continued(outline: np.ndarray, covered: np.ndarray, taken: np.ndarray, **how) -> np.ndarray:
    return Continuation(ROUND, ROUND, 0.3, GRID_PLANES)(outline, covered, taken, **how)


def at(covered: np.ndarray) -> np.ndarray:
    """(2, M) where those pixels are."""
    return GRID_PLANES.reshape(2, -1)[:, covered]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.1, -0.05), (-0.3, 0.4)])
def test_a_head_that_only_moves_takes_all_with_it(shift):
    outline = ROUND + shift
    covered = covered_by(outline)
    taken = at(covered) - np.float32(shift)[:, None]
    expected = GRID_PLANES - np.float32(shift)[:, None, None]
    np.testing.assert_allclose(continued(outline, covered, taken), expected, atol=1e-5)


@pytest.mark.parametrize("shift", [(0.05, 0.0), (-0.02, 0.04)])
def test_it_begins_where_the_surface_ends_and_fades_to_the_outlines_own_way(shift):
    covered = covered_by(ROUND)
    taken = at(covered) + np.float32(shift)[:, None]  # the surface shows something else than its outline says
    found = continued(ROUND, covered, taken) - GRID_PLANES
    away = np.ones((GRID, GRID), np.uint8)
    away.ravel()[covered] = 0
    distance = cv2.distanceTransform(away, cv2.DIST_L2, 5)
    outward = np.moveaxis(pixel_centres(GRID) - np.float32([0.5, 0.5]), -1, 0)
    leaves = (outward * np.float32(shift)[:, None, None]).sum(0) > 0.1 * np.hypot(*outward) * np.hypot(
        *shift
    )  # not pushed back
    near = (distance > 0) & (distance < 2) & leaves
    np.testing.assert_allclose(found[:, near].mean(1), shift, atol=0.2 * np.hypot(*shift))
    assert np.abs(found[:, distance > 0.5 * 0.3 * GRID + 1]).max() < 1e-5
    assert np.abs(continued(ROUND, covered, taken, share=0.0) - GRID_PLANES).max() < 1e-5


@pytest.mark.parametrize("covered", [np.array([], int), np.arange(GRID * GRID)])
def test_a_head_that_is_nowhere_or_everywhere_has_no_edge(covered):
    found = continued(ROUND, covered, at(covered))
    np.testing.assert_allclose(found, GRID_PLANES, atol=1e-5)


@pytest.mark.parametrize("turn", [{"yaw": 35}, {"yaw": -35}, {"pitch": 25}, {"pitch": -20, "yaw": 15}])
def test_beside_a_turned_head_there_is_nothing_that_its_surface_has_shown(turn, monkeypatch):
    source = placed(face(), centre=(128.0, 138.0)).astype(np.float64) / 256
    target = placed(face(), centre=(128.0, 138.0), turn=rotation(**turn)).astype(np.float64) / 256
    matte = (np.hypot(*np.moveaxis(pixel_centres(GRID) - [0.5, 0.48], -1, 0)) < 0.38).astype(np.float32)

    def shown_twice() -> float:
        """Mean depth within the portrait's head of what is seen just outside of it."""
        field = MotionField(source, matte)
        (dense,) = field.towards(target[None])
        head = np.uint8(dense.maps[MAPS.index("head")] > 0)
        rim = (cv2.dilate(head, np.ones((7, 7))) > cv2.dilate(head, np.ones((3, 3)))) & (
            pixel_centres(GRID)[..., 1] < 0.5
        )
        inside = cv2.distanceTransform(np.uint8(field._beyond == 0), cv2.DIST_L2, 5)
        return float(cv2.remap(inside, dense.candidates[0] * GRID - 0.5, None, cv2.INTER_LINEAR)[rim].mean())

    ours = shown_twice()
    monkeypatch.setattr(Continuation, "_shift", lambda *_: None)
    assert ours < max(0.75 * shown_twice(), 0.5)
