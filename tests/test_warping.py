"""Moved pictures: exact where motion is, alike at every resolution."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import astronaut, face, placed, rotation

from visiongen import warping
from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.warping import warp


def crop_points(shape: np.ndarray | None = None, **where) -> np.ndarray:
    """(478, 3) of a face in a crop of 256 px, crop units."""
    return placed(face() if shape is None else shape, centre=(128.0, 120.0), **where).astype(np.float64) / 256


@pytest.fixture(
    scope="module",
    params=[{"turn": rotation(yaw=15)}, {"turn": rotation(roll=20)}, {"unit": 130}, {"shape": face(jaw=0.1)}],
)
def motion(request) -> np.ndarray:
    """(G, G, 2), crop units."""
    return MotionField(crop_points()).towards(crop_points(**request.param)[None])[0].flow


@pytest.mark.parametrize("size", [64, 100, 255, 256, 300])
def test_no_motion_is_the_picture_at_every_size(size):
    picture = cv2.resize(astronaut(), (size, size))
    np.testing.assert_array_equal(warp(picture, pixel_centres(GRID)), picture)
    np.testing.assert_allclose(warping.resize_flow(pixel_centres(GRID), size), pixel_centres(size), atol=1e-6)


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("kind", ["uint8", "float32", "one channel"])
def test_a_shift_by_whole_pixels_is_exact(size, kind):
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    picture = {"uint8": picture, "float32": picture / np.float32(255), "one channel": picture[..., 0]}[kind]
    shifted = warp(picture, pixel_centres(GRID) + np.array([3 / size, -2 / size], np.float32))
    assert shifted.shape == picture.shape and shifted.dtype == picture.dtype
    np.testing.assert_allclose(shifted[2:, :-3], picture[:-2, 3:], atol=1e-4)
    np.testing.assert_allclose(shifted[2:, -2], picture[:-2, -3], atol=1e-4)  # mirrored at the side
    np.testing.assert_allclose(shifted[0, :-3], picture[0, 3:], atol=1e-4)  # drawn out above


def test_motion_is_the_same_at_every_resolution(motion):
    small = warp(cv2.resize(astronaut(), (128, 128), interpolation=cv2.INTER_AREA), motion)
    large = cv2.resize(warp(astronaut(), motion), (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - large).mean() < 3


# --- reading between pixels -------------------------------------------------------------------------------------------


def test_half_steps_keep_every_pixel():
    picture = astronaut()
    fine = warping.half_steps(picture)
    assert fine.shape == (511, 511, 3)
    np.testing.assert_array_equal(fine[::2, ::2], picture)
    np.testing.assert_array_equal(warping.warp_half_steps(fine, in_half_steps(pixel_centres(256))), picture)


def in_half_steps(places: np.ndarray) -> np.ndarray:
    scale, offset = warping.half_step_units(places.shape[0])
    return (places * scale + offset).astype(np.float32)


@pytest.mark.parametrize("size", [64, 127, 256, 300])
def test_a_motion_in_half_steps_is_the_motion(motion, size):
    found = warping.resize_flow_to_half_steps(motion, size)
    np.testing.assert_allclose(found, in_half_steps(warping.resize_flow(motion, size)), atol=2e-3)


@pytest.mark.parametrize("down, above", [(0.0, False), (0.1, False), (-0.001, True), (-0.2, True)])
def test_only_a_motion_that_reaches_above_the_picture_is_held_below_its_edge(down, above):
    motion = pixel_centres(GRID) + np.array([0, down], np.float32)
    assert warping.reaches_above(motion) == above
    places, fine = warping.resize_flow_to_half_steps(motion, 256), warping.half_steps(astronaut())
    unheld, held = (warping.warp_half_steps(fine, places.copy(), above=hold) for hold in (False, True))
    assert np.array_equal(unheld, held) != above


def test_half_steps_are_read_as_exactly_as_with_a_larger_kernel():
    picture = astronaut()
    y, x = np.mgrid[:256, :256].astype(np.float32) / 40
    places = pixel_centres(256) + np.stack([0.01 * np.sin(y), 0.008 * np.cos(x) + 0.001], -1)
    best = warping.warp(picture, places, interpolation=cv2.INTER_LANCZOS4).astype(float)

    def error(moved):
        return np.abs(moved - best).mean()

    ours = error(warping.warp_half_steps(warping.half_steps(picture), in_half_steps(places)))
    assert ours < 1.05 * error(warping.warp(picture, places))
    assert ours < 0.6 * error(warping.warp(picture, places, interpolation=cv2.INTER_LINEAR))
