"""Frames become the planes of videos: the same colours, without a shift, in the range that players expect."""

import numpy as np
import pytest
from av import VideoFrame

from visiongen.exporters.planes import WEIGHTS, planar, unbiased, yuv_from_rgb
from visiongen.upright import EXACT_COLOURS

SWSCALE = {"BT.709": "ITU709", "BT.601": "SMPTE170M"}
each_matrix = pytest.mark.parametrize("matrix", WEIGHTS)


def blocks(seed: int) -> np.ndarray:
    """(160, 256, 3) uint8 noise whose blocks of four pixels are of one colour, so that no colour is lost."""
    return np.random.default_rng(seed).integers(0, 256, (80, 128, 3), np.uint8).repeat(2, 0).repeat(2, 1)


def noise(seed: int) -> np.ndarray:
    """(160, 256, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (160, 256, 3), np.uint8)


def rgb_of(planes: np.ndarray, matrix: str) -> np.ndarray:
    """(H, W, 3) float64 of `planar`."""
    height = len(planes) * 2 // 3
    colours = planes[height:].reshape(2, height // 2, -1).repeat(2, 1).repeat(2, 2)
    conversion = yuv_from_rgb(matrix)
    yuv = np.concatenate([planes[None, :height], colours]) - conversion[:, 3, None, None]
    return np.einsum("ij,jyx->yxi", np.linalg.inv(conversion[:, :3]), yuv)


@each_matrix
def test_a_picture_comes_back(matrix: str) -> None:
    picture = blocks(1)
    back = rgb_of(planar(picture, unbiased(yuv_from_rgb(matrix))), matrix)
    assert np.abs(back - picture).max() < 3  # what rounding to limited range costs


@each_matrix
@pytest.mark.parametrize("picture", [blocks(2), noise(2)])
def test_its_mean_does_not_shift(matrix: str, picture: np.ndarray) -> None:
    back = rgb_of(planar(picture, unbiased(yuv_from_rgb(matrix))), matrix)
    assert np.abs((back - picture).mean((0, 1))).max() < 0.35


@each_matrix
def test_brightness_is_that_of_swscale(matrix: str) -> None:
    frame = VideoFrame.from_ndarray(noise(3), format="rgb24")
    exact = frame.reformat(
        format="yuv420p", dst_colorspace=SWSCALE[matrix], dst_color_range="MPEG", interpolation=EXACT_COLOURS
    ).to_ndarray()
    difference = planar(noise(3), unbiased(yuv_from_rgb(matrix))).astype(int) - exact
    assert np.abs(difference[:160]).max() <= 1


@each_matrix
def test_ranges_are_limited(matrix: str) -> None:
    corners = np.array(np.meshgrid(*[[0, 255]] * 3)).reshape(3, -1)
    yuv = yuv_from_rgb(matrix) @ np.r_[corners, np.ones((1, 8))]
    np.testing.assert_allclose(yuv.min(1), [16, 16, 16], atol=1e-9)
    np.testing.assert_allclose(yuv.max(1), [235, 240, 240], atol=1e-9)


@each_matrix
def test_grey_has_no_colour(matrix: str) -> None:
    grey = np.arange(256, dtype=np.uint8).repeat(2)[None, :, None].repeat(4, 0).repeat(3, 2)
    assert (planar(grey, unbiased(yuv_from_rgb(matrix)))[4:] == 128).all()


def test_a_frame_may_be_part_of_another() -> None:
    conversion, part = unbiased(yuv_from_rgb("BT.601")), noise(4)[4:24, 6:38]
    np.testing.assert_array_equal(planar(part, conversion), planar(part.copy(), conversion))
