"""The drawn inside of the mouth appears where it is lacking, and nowhere else."""

from itertools import pairwise

import numpy as np
import pytest
from builders import face, placed

from visiongen.landmarks import INNER_LIPS
from visiongen.mouth import MouthInterior, lay_over

SIZE = 256
LIPS = np.array([170, 90, 90], np.uint8)


def crop_units(jaw: float) -> np.ndarray:
    return placed(face(jaw=jaw, lips=0.0)) / SIZE


def picture(side: int = SIZE) -> np.ndarray:
    return np.broadcast_to(LIPS, (side, side, 3)).copy()


def test_closed_portrait_gets_an_inside_that_is_darker_and_stays_between_the_lips():
    mouth = MouthInterior(picture(), crop_units(0.0))
    target = crop_units(0.12)
    frame = lay_over(picture(), mouth(target))
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
    frame = lay_over(grey, MouthInterior(grey, crop_units(0.0))(crop_units(0.12)))
    assert np.ptp(frame.astype(int), axis=-1).max() <= 1


@pytest.mark.parametrize("side", [101, 256, 700])
def test_the_same_place_at_any_resolution(side):
    mouth = MouthInterior(picture(), crop_units(0.0))
    frame = lay_over(picture(side), mouth(crop_units(0.12)))
    rows, columns = np.nonzero((frame != picture(side)).any(-1))
    middle = crop_units(0.12)[list(INNER_LIPS), :2].mean(0)
    assert np.allclose([columns.mean() / side, rows.mean() / side], middle, atol=0.02)


def test_a_mouth_outside_the_picture_is_survived():
    mouth = MouthInterior(picture(), crop_units(0.0))
    for shift in ([2.0, 0, 0], [0.45, 0, 0], [0, -1.5, 0]):
        assert lay_over(picture(), mouth(crop_units(0.12) + shift)).shape == (SIZE, SIZE, 3)
