"""Hair is found by its colour: where it hangs beside a face, and what of a picture it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import face, placed
from skimage.color import rgb2lab

from visiongen.flow import GRID
from visiongen.hair import Hair, _cielab, find_hair
from visiongen.landmarks import FACE_OVAL
from visiongen.pose import fit_head
from visiongen.skull import Skull

SIZE = 256
SOURCE = placed(face(), centre=(128.0, 120.0)).astype(np.float64) / SIZE
SKIN, SHIRT, WALL = (205, 160, 135), (60, 90, 160), (150, 155, 150)
HAIR = {"black": (30, 25, 25), "brown": (95, 60, 40), "fair": (225, 200, 130), "grey": (150, 150, 155)}
SHORT, LONG = 0.3, 0.95
"""Down to where hair hangs, as a share of the picture."""


def head(right: float, left: float, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A picture (SIZE, SIZE, 3) and its matte (GRID, GRID) of a head with hair that hangs down so far on either side."""
    picture, matte = np.full((SIZE, SIZE, 3), WALL, np.uint8), np.zeros((SIZE, SIZE), np.float32)
    oval = np.round(SOURCE[list(FACE_OVAL), :2] * SIZE).astype(np.int32)
    low, high = oval.min(0), oval.max(0)
    width = high[0] - low[0]
    reach, top = round(0.35 * width), max(low[1] - round(0.4 * width), 0)

    def fill(rectangle: tuple[int, int, int, int], what: tuple[int, int, int]) -> None:
        x0, y0, x1, y1 = rectangle
        picture[y0:y1, x0:x1], matte[y0:y1, x0:x1] = what, 1

    fill((0, round(0.9 * SIZE), SIZE, SIZE), SHIRT)
    fill((low[0] + width // 4, oval[:, 1].max() - 10, high[0] - width // 4, round(0.92 * SIZE)), SKIN)
    fill((low[0] - reach, top, 128, round(right * SIZE)), colour)
    fill((128, top, high[0] + reach, round(left * SIZE)), colour)
    cv2.fillPoly(picture, [oval], SKIN)
    cv2.fillPoly(matte, [oval], 1)
    noise = np.random.default_rng(0).normal(0, 4, picture.shape)
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture, cv2.resize(matte, (GRID, GRID), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("colour", HAIR.values(), ids=HAIR)
@pytest.mark.parametrize(("right", "left"), [(SHORT, SHORT), (LONG, LONG), (LONG, SHORT), (SHORT, LONG)])
def test_hair_is_found_where_it_hangs(colour, right, left):
    picture, matte = head(right, left, colour)
    assert find_hair(picture, SOURCE, matte).hides == pytest.approx(
        (float(right == LONG), float(left == LONG)), abs=0.05
    )


def test_colours_are_cielabs():
    colours = np.random.default_rng(0).uniform(0, 1, (50, 3)).astype(np.float32)
    np.testing.assert_allclose(_cielab(colours), rgb2lab(colours), atol=0.1)


def test_a_wall_of_the_hairs_colour_is_no_hair():
    picture, matte = head(SHORT, SHORT, WALL)
    assert find_hair(picture, SOURCE, matte).hides == (0, 0)


def test_without_hair_nothing_is_found():
    assert find_hair(head(LONG, LONG, SKIN)[0], SOURCE, np.ones((GRID, GRID))).hides == (0, 0)
    nobody = find_hair(head(LONG, LONG, HAIR["black"])[0], SOURCE, np.zeros((GRID, GRID)))
    assert nobody.hides == (0, 0)
    points = np.random.default_rng(0).uniform(0, 1, (5, 4, 2))
    assert not nobody.at(points).any() and nobody.or_skin_at(points).all(), "nothing is known of colours"


def test_beside_a_jaw_that_hair_hides_there_is_hair():
    """Without hair the colours beside the jaw of a turned head come from its skin; with hair, from where they are."""
    _, matte = head(LONG, SHORT, HAIR["black"])
    turned = placed(face(), turn=cv2.Rodrigues(np.array([0.0, 0.7, 0.0]))[0]).astype(np.float64) / SIZE
    rotation, _, scale = (part[0] for part in fit_head(turned[None]))
    bare, hidden = (Skull(SOURCE, matte, hair=Hair(hides)) for hides in ((0.0, 0.0), (1.0, 0.0)))
    moved = np.linalg.norm(bare.texture(turned, rotation, scale) - hidden.texture(turned, rotation, scale), axis=1)
    right = bare.vertices[:, 0] < SOURCE[list(FACE_OVAL), 0].mean()
    assert moved[right].max() > 0.02
    assert moved[~right].max() < 1e-9  # the depth of the head is of both sides


@pytest.mark.parametrize("colour", HAIR.values(), ids=HAIR)
def test_hair_is_told_from_skin_and_from_what_is_behind(colour):
    picture, matte = head(LONG, SHORT, colour)
    hair = find_hair(picture, SOURCE, matte)
    oval = SOURCE[list(FACE_OVAL), :2]
    low, high = oval.min(0), oval.max(0)
    width = high[0] - low[0]
    above = np.stack([np.linspace(low[0], high[0], 6), np.full(6, low[1] - 0.2 * width)], axis=-1)
    shirt = np.array([[0.1, 0.97], [0.9, 0.97]])
    assert hair.at(above).all() and hair.or_skin_at(above).all()
    assert not hair.at(oval.mean(0)) and hair.or_skin_at(oval.mean(0))
    assert not hair.at(shirt).any() and not hair.or_skin_at(shirt).any()
    other = hair.mirrored()
    assert other.hides == hair.hides[::-1]
    points = np.random.default_rng(0).uniform(0, 1, (300, 2))
    assert (other.at(points * [-1, 1] + [1, 0]) == hair.at(points)).mean() > 0.98


def test_a_high_forehead_does_not_become_the_back_of_the_head():
    """Where the usual place of hair is skin, hair that is farther out takes its place."""
    picture, matte = head(SHORT, SHORT, HAIR["brown"])
    low = SOURCE[list(FACE_OVAL), :2].min(0)
    picture[: round((low[1] - 0.03) * SIZE)] = HAIR["brown"]
    hair = find_hair(picture, SOURCE, matte)
    turned = placed(face(), turn=cv2.Rodrigues(np.array([0.0, 0.7, 0.0]))[0]).astype(np.float64) / SIZE
    rotation, _, scale = (part[0] for part in fit_head(turned[None]))
    behind = slice(468 + 2 * len(FACE_OVAL), None)
    share = []
    for known in (Hair(), hair):
        skull = Skull(SOURCE, matte, hair=known)
        share.append(hair.at(skull.texture(turned, rotation, scale)[behind]).mean())
    assert share[1] > share[0]
