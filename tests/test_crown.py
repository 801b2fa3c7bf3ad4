"""A head that its picture cuts off ends above it as heads do; whatever is whole stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.crown import crowned, sampled, with_hair_above
from visiongen.flow import GRID, MAPS, MotionField, pixel_centres

PAPER, HAIR = 250, 60


def head(down: float) -> np.ndarray:
    """(478, 3) landmarks, crop units, of a head so far below the picture's upper edge that its face is cut there at 0."""
    return placed(face(), centre=(128.0, 256 * (0.26 + down))).astype(np.float64) / 256


def disc(down: float, radius: float = 0.36, centre: float = 0.5) -> np.ndarray:
    """(GRID, GRID) its person."""
    away = np.hypot(*np.moveaxis(pixel_centres(GRID) - [centre, 0.24 + down], -1, 0))
    return (away < radius).astype(np.float32)


def above(matte: np.ndarray) -> np.ndarray:
    return matte[: len(matte) - GRID]


@pytest.mark.parametrize("centre", [0.42, 0.5])
@pytest.mark.parametrize("down", [0.0, 0.03, 0.06])
def test_a_round_head_goes_on_about_as_it_is(down, centre):
    found = above(crowned(disc(down, centre=centre), head(down)))
    rows = len(found)
    y, x = (np.mgrid[-rows:0, :GRID] + 0.5) / GRID
    whole = np.hypot(x - centre, y - 0.24 - down) < 0.36
    common, either = (found > 0.5) & whole, (found > 0.5) | whole
    assert common.sum() > 0.7 * either.sum()


def test_it_gets_narrower_upward_and_ends():
    widths = above(crowned(disc(0.03), head(0.03))).sum(1)
    assert (np.diff(widths) >= 0).all()
    assert widths[0] == 0 and widths[-1] > 30


@pytest.mark.parametrize("matte", [np.zeros((GRID, GRID)), disc(0.2)])
def test_whole_heads_stay_as_they_are(matte):
    picture = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    found = crowned(matte, head(0.2))
    assert not above(found).any()
    np.testing.assert_array_equal(found[-GRID:], np.float32(matte))
    assert with_hair_above(picture, found) is picture


def test_who_fills_the_picture_goes_on_over_all_of_it():
    found = above(crowned(np.ones((GRID, GRID)), head(0.0)))
    assert found[-2:].min() > 0.8
    assert np.isfinite(found).all()


def test_a_matte_is_read_where_it_is():
    matte = crowned(np.random.default_rng(0).random((GRID, GRID)), head(0.0))
    np.testing.assert_allclose(sampled(matte, pixel_centres(GRID)), matte[-GRID:], atol=1e-5)
    higher = pixel_centres(GRID) - np.float32([0, 10 / GRID])
    np.testing.assert_allclose(sampled(matte, higher), matte[-GRID - 10 : -10], atol=1e-5)


@pytest.mark.parametrize("side", [128, 300])
def test_hair_above_has_the_colours_of_hair_and_ever_less_of_its_detail(side):
    stripes = np.where(np.arange(side) % 4 < 2, HAIR - 40, HAIR).astype(np.uint8)
    picture = np.full((side, side, 3), PAPER, np.uint8)
    matte = disc(0.0)
    inside = matte[(np.arange(side) * GRID // side)[:, None], np.arange(side) * GRID // side] > 0.5
    picture[inside] = np.broadcast_to(stripes[None, :, None], picture.shape)[inside]
    grown = with_hair_above(picture, crowned(matte, head(0.0)))
    np.testing.assert_array_equal(grown[-side:], picture)
    rows = len(grown) - side
    middle = np.s_[:, side // 2 - side // 8 : side // 2 + side // 8]
    hair = grown[:rows][middle].astype(float)
    assert rows > side // 20
    assert hair.max() < HAIR + 8
    assert hair[0].std() < 0.3 * hair[-1].std()


@pytest.mark.parametrize("lower", [0.25, 0.35])
def test_above_a_head_that_has_come_down_there_is_background(lower):
    source, matte = head(0.0), disc(0.0)
    (dense,) = MotionField(source, matte).towards((source + [0, lower, 0])[None])
    end = int(lower * GRID) - above(crowned(matte, source)).any(1).sum() - 4  # edges are soft
    assert end > 0
    rows = slice(0, end)
    assert dense.vanished[rows, GRID // 2 - 8 : GRID // 2 + 8].min() > 0.9
    assert dense.vanished[int(lower * GRID) + 4, GRID // 2] < 0.1


@pytest.mark.parametrize("bow", [-12, 15, 25])
def test_above_a_head_that_bows_the_hair_at_the_cut_is_not_shown_twice(bow):
    source, matte = head(0.0), disc(0.0)
    target = placed(face(), centre=(128.0, 256 * 0.62), turn=rotation(pitch=bow)).astype(np.float64) / 256
    (dense,) = MotionField(source, matte).towards(target[None])
    covered = dense.maps[MAPS.index("head")] > 0
    top = np.argmax(covered.any(1))
    column = int(np.mean(np.flatnonzero(covered[top])))
    assert top > 8
    assert dense.vanished[: top - 5, column].min() > 0.8
