"""The drawn inside of the mouth appears where it is lacking, and nowhere else."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from builders import face, placed

from visiongen.drawing import lay_over
from visiongen.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from visiongen.mouth import MouthInterior

SIZE = 256
LIPS = np.array([170, 90, 90], np.uint8)


def crop_units(jaw: float) -> np.ndarray:
    return placed(face(jaw=jaw, lips=0.0)) / SIZE


def picture(side: int = SIZE) -> np.ndarray:
    return np.broadcast_to(LIPS, (side, side, 3)).copy()


def test_closed_portrait_gets_an_inside_that_is_darker_and_stays_between_the_lips():
    mouth = MouthInterior(picture(), crop_units(0.0))
    target = crop_units(0.12)
    frame = lay_over(picture(), [mouth(target)])
    changed = (frame != picture()).any(-1)
    rows, columns = np.nonzero(changed)
    ring = target[list(INNER_LIPS), :2] * SIZE
    assert changed.sum() > 50
    assert ring[:, 0].min() - 4 <= columns.min() and columns.max() <= ring[:, 0].max() + 4
    assert ring[:, 1].min() - 4 <= rows.min() and rows.max() <= ring[:, 1].max() + 4
    assert frame[changed].mean() < LIPS.mean()


@pytest.mark.parametrize(("own", "wanted"), [(0.0, 0.0), (0.12, 0.12), (0.12, 0.06)])
def test_nothing_is_drawn_where_the_portrait_shows_enough(own, wanted):
    assert MouthInterior(picture(), crop_units(own))(crop_units(wanted)) is None


def test_it_comes_gradually_with_the_opening():
    mouth = MouthInterior(picture(), crop_units(0.0))
    drawn = [mouth(crop_units(jaw)) for jaw in np.linspace(0.0, 0.1, 21)]
    weights = [0.0 if d is None else float(d[1].max()) for d in drawn]
    assert max(np.diff(weights)) < 0.35 and weights[-1] > 0.9
    assert all(later >= before - 0.05 for before, later in pairwise(weights))


def test_grey_lips_have_a_grey_inside():
    grey = np.full((SIZE, SIZE, 3), 150, np.uint8)
    frame = lay_over(grey, [MouthInterior(grey, crop_units(0.0))(crop_units(0.12))])
    assert np.ptp(frame.astype(int), axis=-1).max() <= 1


@pytest.mark.parametrize("side", [101, 256, 700])
def test_the_same_place_at_any_resolution(side):
    mouth = MouthInterior(picture(side), crop_units(0.0))
    frame = lay_over(picture(side), [mouth(crop_units(0.12))])
    rows, columns = np.nonzero((frame != picture(side)).any(-1))
    middle = crop_units(0.12)[list(INNER_LIPS), :2].mean(0)
    assert np.allclose([columns.mean() / side, rows.mean() / side], middle, atol=0.02)


def test_a_mouth_outside_the_picture_is_survived():
    mouth = MouthInterior(picture(), crop_units(0.0))
    for shift in ([2.0, 0, 0], [0.45, 0, 0], [0, -1.5, 0]):
        piece = mouth(crop_units(0.12) + shift)
        assert lay_over(picture(), [] if piece is None else [piece]).shape == (SIZE, SIZE, 3)


def bared(jaw: float, *, raised: float = 0.015, lowered: float = 0.02) -> np.ndarray:
    """Landmarks of an open mouth whose inner lips are drawn back from the teeth, crop units."""
    target = crop_units(jaw)
    target[[81, 82, 13, 312, 311, 80, 310, 191, 415], 1] -= raised
    target[[178, 87, 14, 317, 402, 88, 95, 318, 324], 1] += lowered
    return target


def inside(target: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """(S, S) grey levels of what is drawn, 0 elsewhere; of a large picture, to see edges in."""
    seen = picture(1024) if seen is None else seen
    drawn = MouthInterior(seen, crop_units(0.0))(target)
    whole = np.zeros(seen.shape[:2])
    (left, top), (height, width) = drawn.corner, drawn.weight.shape
    whole[top : top + height, left : left + width] = drawn.colour.mean(-1) * drawn.weight
    return whole


def edges(target: np.ndarray) -> tuple[int, int]:
    """Rows in which, beside the middle, the upper teeth end and the lower ones begin."""
    x, y = (target[[13, 14], :2].mean(0) * 1024).astype(int)
    bright = inside(target)[:, x + 12] > 0.45 * LIPS.mean()
    assert not bright[y]
    return int(np.flatnonzero(bright[:y]).max()), int(y + np.flatnonzero(bright[y:]).min())


def test_teeth_are_brighter_than_lips_and_the_cavity_is_dark():
    shown = inside(bared(0.1))
    shown = shown[shown > 0]
    assert np.quantile(shown, 0.98) > 0.9 * LIPS.mean() and np.quantile(shown, 0.3) < 0.4 * LIPS.mean()


def test_a_raised_lip_bares_the_upper_teeth_and_does_not_move_them():
    low, high = bared(0.1, raised=0.01), bared(0.1, raised=0.02)
    assert abs(edges(low)[0] - edges(high)[0]) <= 1
    assert (inside(high) > 0.6 * LIPS.mean()).sum() > 1.2 * (inside(low) > 0.6 * LIPS.mean()).sum()


def test_above_the_teeth_there_are_gums_however_far_the_lip_is_raised():
    target = bared(0.1, raised=0.12)
    x, top = int(target[13, 0] * 1024), int(target[13, 1] * 1024)
    teeth = int(crop_units(0.0)[13, 1] * 1024)
    assert inside(target)[top + 20 : teeth, x - 10 : x + 10].min() > 0.25 * LIPS.mean()


def test_the_lower_teeth_go_with_the_jaw_and_the_upper_ones_do_not():
    (upper, lower), (upper_later, lower_later) = edges(bared(0.08)), edges(bared(0.14))
    assert lower_later - lower > 4 * abs(upper_later - upper) and lower_later - lower > 15


@pytest.mark.parametrize(("eyes", "teeth"), [(90, 1.05 * LIPS.mean()), (150, 150), (245, 1.8 * LIPS.mean())])
def test_teeth_are_as_white_as_the_eyes_but_neither_black_nor_shining(eyes, teeth):
    source, seen = crop_units(0.0), picture(1024)
    for ring in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(seen, [np.round(source[list(ring), :2] * 1024).astype(np.int32)[:, None]], (eyes, eyes, eyes))
    assert np.quantile(inside(bared(0.1, raised=0.03), seen), 0.999) == pytest.approx(1.1 * teeth, rel=0.15)


def test_a_lip_drawn_down_alone_takes_the_jaw_along():
    """A chin may lag behind or be covered: gums and the floor of a mouth are not what is seen then."""
    target = crop_units(0.02)
    target[[178, 87, 14, 317, 402, 88, 95, 318, 324], 1] += 0.12
    shown = inside(target)
    x, low = int(target[14, 0] * 1024), int(target[14, 1] * 1024)
    assert shown[low - 12 : low - 5, x].max() > 0.6 * LIPS.mean()  # the lower teeth begin at the lip


def test_pursed_lips_let_less_light_in_than_spread_ones():
    def brightest(width: float) -> float:
        target = bared(0.1)
        middle = target[[13, 14], 0].mean()
        ring = list(INNER_LIPS) + [61, 291]
        target[ring, 0] = middle + width * (target[ring, 0] - middle)
        return float(np.quantile(inside(target), 0.999))

    assert brightest(0.45) < 0.85 * brightest(1.0)
