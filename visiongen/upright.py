"""A decoded frame as it is shown: upright, with square pixels, in RGB."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

UNTAGGED_COLOURS = 2  # AVCOL_SPC_UNSPECIFIED
EXACT_COLOURS = 0x4 | 0x2000 | 0x4000 | 0x40000
"""swscale's SWS_BICUBIC, FULL_CHR_H_INT, FULL_CHR_H_INP and ACCURATE_RND (names in PyAV only since 18). Its fast
defaults lose one grey level on average and 5 dB of colour; these cost half a millisecond."""


def upright_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Rows and columns of a frame as it is shown: turned, and with square pixels."""
    aspect = stream.sample_aspect_ratio or 1
    wide = round(frame.width * aspect) if Fraction(1, 4) <= aspect <= 4 else frame.width
    turns, _ = orientation_of(frame)
    return (wide, frame.height) if turns % 2 else (frame.height, wide)


def upright_pixels(
    frame: VideoFrame, height: int, width: int, converter: VideoReformatter, orientation: tuple[int, bool]
) -> np.ndarray:
    """(height, width, 3) uint8 RGB of a frame as it is shown; `orientation` from `orientation_of`."""
    turns, mirrored = orientation
    rows, columns = (width, height) if turns % 2 else (height, width)
    matrix = None
    if frame.colorspace == UNTAGGED_COLOURS:  # what players assume
        matrix = "ITU709" if frame.height > 576 else "ITU601"
    shown = converter.reformat(
        frame, columns, rows, "rgb24", src_colorspace=matrix, interpolation=EXACT_COLOURS, threads=1
    ).to_ndarray()
    shown = np.rot90(shown, turns)
    return np.ascontiguousarray(shown[:, ::-1] if mirrored else shown)


def orientation_of(frame: VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise that make a frame upright, and whether it is mirrored (left-right) after that."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].astype(np.float64)
    mirrored = bool(a * d - b * c < 0)
    angle = np.degrees(np.arctan2(-b, -a if mirrored else a))
    return round(angle / 90) % 4, mirrored
