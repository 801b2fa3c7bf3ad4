"""Teeth that the portrait shows stay where bone holds them when its mouth opens further."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.drawing import lay_over
from visiongen.landmarks import INNER_LIPS, OUTER_LIPS
from visiongen.mouth import MouthInterior, own_tooth_colour

SIZE = 512
SKIN, LIPS, TEETH, DARK = (200, 160, 140), (170, 80, 80), (235, 225, 210), (40, 20, 20)
OWN = 0.07
"""How far the portrait's jaw is down."""


def crop_units(jaw: float, **where) -> np.ndarray:
    return placed(face(jaw=jaw, lips=0.0), **where) / 256.0


def opened(jaw: float, **where) -> np.ndarray:
    """Landmarks of a mouth whose lower lip is drawn down from the teeth, crop units."""
    shape = face(jaw=jaw, lips=0.0)
    shape[[178, 87, 14, 317, 402, 88, 95, 318, 324], 1] += 0.06
    return placed(shape, **where) / 256.0


def portrait(source: np.ndarray, *rows: tuple[float, tuple[int, int, int]]) -> np.ndarray:
    """(SIZE, SIZE, 3) lips, and between them from top to bottom rows of a share of the opening and a colour."""
    picture = np.full((SIZE, SIZE, 3), SKIN, np.uint8)
    for ring, colour in ((OUTER_LIPS, LIPS), (INNER_LIPS, DARK)):
        cv2.fillPoly(picture, [np.round(source[list(ring), :2] * SIZE).astype(np.int32)], colour)
    within = (picture == DARK).all(-1)
    top = source[13, 1] * SIZE
    for share, colour in rows:
        bottom = top + share * (source[14, 1] - source[13, 1]) * SIZE
        y = np.arange(SIZE)[:, None]
        picture[within & (y >= top) & (y < bottom)] = colour
        top = bottom
    return picture


def column(picture: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(N, 3) colours from the upper lip to the lower one, beside the middle of the opened mouth."""
    frame = lay_over(picture, [MouthInterior(picture, source)(target)])
    x = round(float(target[13, 0]) * SIZE) + 3
    top, bottom = (round(float(target[i, 1]) * SIZE) for i in (13, 14))
    return frame[top + 3 : bottom - 3, x].astype(float)


@pytest.mark.parametrize("jaw", [0.13, 0.2])
@pytest.mark.parametrize("turn", [(0, 0, 0), (15, 0, 0), (0, 0, 20)])
def test_a_smiles_teeth_are_as_long_as_they_were_however_far_the_mouth_opens(jaw, turn):
    source, target = (crop_units(j, turn=rotation(*turn)) for j in (OWN, jaw))
    picture = portrait(source, (1.0, TEETH))
    frame = lay_over(picture, [MouthInterior(picture, source)(target)])
    up, down = source[13, :2], source[14, :2]
    along = np.linspace(0.35, 0.8, 8)[:, None] * (down - up) + up
    x, y = (along * SIZE).astype(int).T
    error = np.abs(frame[y, x + 5].astype(int) - TEETH).max(1)  # not between the two front teeth that are drawn above
    assert error[3:].max() < 10 and error.max() < 60  # where they were, a little shadow below the lip
    below = (0.35 * down + 0.65 * (down + (target[14, :2] - down) * 0.5)) * SIZE
    assert frame[int(below[1]), int(below[0])].mean() < 120  # and not drawn out


def test_the_lower_teeth_go_with_the_jaw():
    source = crop_units(OWN)
    picture = portrait(source, (0.35, TEETH), (0.3, DARK), (0.35, TEETH))

    def rows(jaw: float) -> tuple[int, int]:
        """Where the upper row ends and the lower one begins, px."""
        light = column(picture, source, opened(jaw)).mean(-1)
        dark = np.flatnonzero(light < 120)
        bright = np.flatnonzero(light > 170)
        return int(dark[0]), int(bright[bright > dark[0]][0])

    (upper, lower), (upper_later, lower_later) = rows(0.12), rows(0.16)
    assert abs(upper_later - upper) <= 2 and lower_later - lower >= 8


def test_drawn_teeth_have_the_colour_of_those_that_are_shown():
    yellow, source = (230, 200, 140), crop_units(OWN)
    seen = column(portrait(source, (1.0, yellow)), source, opened(0.16))
    lower = seen[len(seen) // 2 :]
    brightest = lower[lower.mean(-1).argmax()]
    assert brightest.mean() > 100
    np.testing.assert_allclose(brightest / brightest.mean(), np.array(yellow) / np.mean(yellow), atol=0.08)


@pytest.mark.parametrize("rows", [(), ((1.0, LIPS),), ((0.1, TEETH),)], ids=["dark", "tongue", "a glint"])
def test_where_no_teeth_are_shown_they_are_drawn(rows):
    source, target = crop_units(OWN), crop_units(0.16)
    same = [MouthInterior(portrait(source, *given), source)(target).colour for given in (rows, ())]
    np.testing.assert_allclose(*same, atol=3)  # the rim of the lips has a share of what is between them


def test_a_narrow_mouth_that_is_just_not_closed_has_drawn_teeth():
    """The strip that it shows would be a patch on them."""
    source, target = crop_units(OWN), crop_units(0.16)
    ring = [*OUTER_LIPS, *INNER_LIPS]
    for points in (source, target):
        middle = points[ring, 0].mean()
        points[ring, 0] = middle + 0.7 * (points[ring, 0] - middle)
    bright, dark = (MouthInterior(portrait(source, *rows), source)(target) for rows in (((1.0, TEETH),), ()))
    np.testing.assert_allclose(bright.colour, dark.colour, atol=3)


def test_a_mouth_as_open_as_the_portraits_is_the_portraits():
    source = crop_units(OWN)
    assert MouthInterior(portrait(source, (1.0, TEETH)), source)(source) is None


def test_a_lip_in_light_is_no_row_of_teeth():
    """Of dark skin, as light as the lips between which nothing is seen."""
    source = crop_units(OWN)
    pale = (150, 110, 110)
    picture = portrait(source, (1.0, pale))
    picture[(picture == SKIN).all(-1)] = (120, 85, 70)
    picture[(picture == LIPS).all(-1)] = (155, 107, 108)
    assert not MouthInterior(picture, source)._own.shown
    picture[(picture == pale).all(-1)] = TEETH
    assert MouthInterior(picture, source)._own.shown


@pytest.mark.parametrize("own", [(95.0, 83.0, 80.0), (158.0, 120.0, 122.0), (240.0, 218.0, 204.0)])
def test_own_teeth_in_the_lips_shade_are_drawn_lighter_and_less_red(own):
    usual = np.array([200.0, 175.0, 155.0])
    drawn = own_tooth_colour(np.array(own), usual)
    assert np.mean(own) - 1e-6 <= drawn.mean() <= 1.25 * np.mean(own) + 1e-6
    low, high = sorted([own[0] / own[2], usual[0] / usual[2]])
    assert low - 1e-6 <= drawn[0] / drawn[2] <= high + 1e-6
