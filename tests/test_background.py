"""The person's matte and what is behind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import astronaut

from visiongen.background import PersonMatte, still_background


@pytest.fixture(scope="module")
def matte() -> np.ndarray:
    with PersonMatte() as person:
        return person(astronaut())


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.indices((size, size)) + 0.5
    return (np.hypot(x - size / 2, y - size / 2) < radius).astype(np.float32)


def slope(height: int, width: int) -> np.ndarray:
    """Brightness and colour change evenly over the picture."""
    y, x = np.indices((height, width)) / max(height, width)
    return np.stack([40 + 150 * x, 60 + 100 * y, 200 - 120 * x * y], axis=-1).astype(np.uint8)


# --- matte ------------------------------------------------------------------------------------------------------------


def test_the_matte_covers_the_person(matte):
    assert matte.shape == (256, 256) and matte.dtype == np.float32
    assert 0 <= matte.min() and matte.max() <= 1
    assert matte[60:180, 95:165].mean() > 0.95  # the face
    assert matte[5:60, 5:40].mean() < 0.1 and matte[5:60, 220:250].mean() < 0.1  # the wall beside it


@pytest.mark.parametrize("height, width", [(64, 64), (512, 512), (201, 333)])
def test_the_matte_has_the_size_of_the_picture(height, width):
    with PersonMatte() as person:
        assert person(np.asarray(cv2.resize(astronaut(), (width, height)))).shape == (height, width)


def test_the_matte_of_a_picture_depends_on_it_alone(matte):
    with PersonMatte() as person:
        person(np.zeros((100, 100, 3), np.uint8))
        np.testing.assert_allclose(person(astronaut()), matte, atol=0.02)


# --- background -------------------------------------------------------------------------------------------------------


def test_without_a_person_nothing_changes():
    np.testing.assert_array_equal(still_background(astronaut(), np.zeros((128, 128), np.float32)), astronaut())


def test_away_from_the_person_nothing_changes(matte):
    filled = still_background(astronaut(), matte)
    far = cv2.dilate(matte, np.ones((41, 41))) < 0.01
    assert far.mean() > 0.1
    np.testing.assert_array_equal(filled[far], astronaut()[far])


@pytest.mark.parametrize("height, width", [(256, 256), (300, 200), (63, 117), (700, 700)])
def test_a_person_before_a_smooth_wall_leaves_the_wall(height, width):
    wall = slope(height, width)
    person = cv2.resize(disc(128, 30), (width, height), interpolation=cv2.INTER_NEAREST)
    picture = np.where(person[..., None] > 0.5, np.uint8(0), wall)
    filled = still_background(picture, disc(128, 30))
    assert filled.shape == wall.shape and filled.dtype == np.uint8
    assert np.abs(filled.astype(int) - wall).max() < 25 and np.abs(filled.astype(int) - wall).mean() < 2


@pytest.mark.parametrize("across", [False, True])
def test_a_line_goes_on_behind_the_rim_of_a_person(across):
    """Where a head that moves uncovers it: to the depth of a tenth of the picture."""
    size = 256
    wall = np.full((size, size, 3), 90, np.uint8)
    wall[118:138] = 210
    wall = np.ascontiguousarray(wall.swapaxes(0, 1)) if across else wall
    hidden = disc(size, 60)
    filled = still_background(np.where(hidden[..., None] > 0.5, np.uint8(0), wall), hidden).astype(int)
    inside = cv2.distanceTransform(np.uint8(hidden), cv2.DIST_L2, 3)
    rim = (inside > 0) & (inside < 0.1 * size)
    on, off = (rim & (np.abs(wall[..., 0].astype(int) - level) < 1) for level in (210, 90))
    assert np.median(filled[on]) > 155 and np.median(filled[off]) < 110


def test_the_matte_may_be_of_any_size_and_of_bytes(matte):
    filled = still_background(astronaut(), matte)
    as_bytes = still_background(astronaut(), np.round(matte * 255).astype(np.uint8))
    assert np.abs(filled.astype(int) - as_bytes).max() <= 3
    small = still_background(astronaut(), cv2.resize(matte, (64, 64), interpolation=cv2.INTER_AREA))
    assert np.abs(filled.astype(int) - small).mean() < 4


def test_no_trace_of_the_face_is_left(matte):
    filled = still_background(astronaut(), matte)[60:180, 90:170].astype(float)
    assert filled.std(axis=(0, 1)).max() < 0.5 * astronaut()[60:180, 90:170].std(axis=(0, 1)).min()
    assert np.abs(np.diff(filled, axis=0)).max() < 8 and np.abs(np.diff(filled, axis=1)).max() < 8


def test_a_picture_full_of_person_gets_its_own_colours_blurred():
    filled = still_background(astronaut(), np.ones((128, 128), np.float32)).astype(int)
    np.testing.assert_allclose(filled.mean((0, 1)), astronaut().mean((0, 1)), atol=12)
    assert np.abs(np.diff(filled, axis=0)).max() < 8 and np.abs(np.diff(filled, axis=1)).max() < 8
