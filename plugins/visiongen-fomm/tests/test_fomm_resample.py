"""Squares are resized exactly, wherever they begin."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from visiongen_fomm.resample import Square, SquareResampler


def slanted(height, width, *, dx=0.0, dy=0.0):
    """(H, W, 3) uint8: a ramp over both axes, measured from the picture's outer corner."""
    y, x = np.mgrid[:height, :width] + 0.5
    ramp = 20 + 1.5 * (x + dx) + 1.0 * (y + dy)
    return np.repeat(np.round(np.clip(ramp, 0, 255))[..., None], 3, 2).astype(np.uint8)


def test_the_same_size_is_the_same_picture():
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    same = SquareResampler(Square(left=0, top=0, side=32), size=32, height=32, width=32)(picture)
    assert np.abs(same.transpose(1, 2, 0) * 255 - picture).max() < 1e-3


@pytest.mark.parametrize("side, size", [(40.0, 40), (40.0, 16), (40.0, 100), (33.37, 48)])
@pytest.mark.parametrize("left, top", [(20.0, 10.0), (20.013, 10.49)])
def test_a_ramp_stays_where_it_is(side, size, left, top):
    picture = slanted(80, 90)
    small = SquareResampler(Square(left=left, top=top, side=side), size=size, height=80, width=90)(picture)[0] * 255
    y, x = (np.mgrid[:size, :size] + 0.5) * side / size
    wanted = 20 + 1.5 * (x + left) + 1.0 * (y + top)
    assert np.abs(small - wanted).max() < 0.6  # rounding of the picture itself
    assert abs(float((small - wanted).mean())) < 0.05


def test_a_hundredth_of_a_pixel_is_seen():
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 2)
    at = [
        SquareResampler(Square(left=10 + d, top=10, side=40), size=40, height=64, width=64)(picture)
        for d in (0, 0.01, 0.02)
    ]
    first, second = at[1] - at[0], at[2] - at[1]
    assert np.abs(first).max() > 0
    assert np.abs(first - second).max() < 0.05 * np.abs(first).max()  # even steps


def test_shrinking_does_not_alias():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    small = SquareResampler(Square(left=0, top=0, side=128), size=32, height=128, width=128)(stripes)
    assert np.abs(small[:, :, 2:-2] - 0.5).max() < 0.02


def test_outside_is_mirrored():
    picture = slanted(20, 20)
    wide = SquareResampler(Square(left=-50, top=-30, side=120), size=120, height=20, width=20)(picture)
    assert np.isfinite(wide).all()
    inside = wide[:, 30:50, 50:70].transpose(1, 2, 0) * 255
    assert np.abs(inside - picture).max() < 1e-2
    assert np.abs(wide[:, 30:50, 49] - wide[:, 30:50, 51]).max() < 1e-5  # about the outermost pixel's centre
