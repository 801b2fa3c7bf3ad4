"""Camera pictures as browsers send them, and JPEGs of what is drawn."""

from __future__ import annotations

import struct

import cv2
import numpy as np

JPEG_QUALITY = 85
LONGEST_CAMERA_SIDE = 1280
_SHORTEST_CAMERA_SIDE = 16
_PLANES = struct.Struct(">2sHH")  # "YU", width, height


def picture_of(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB, mirrored, of a JPEG or of planes, see `studio.live_protocol`; None where it is neither, or larger
    than a camera's picture needs to be."""
    if data[:2] == b"YU":
        return _from_planes(data)
    if data[:2] != b"\xff\xd8":
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None or not _fits(*picture.shape[:2]) else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _from_planes(data: bytes) -> np.ndarray | None:
    if len(data) < _PLANES.size:
        return None
    _, width, height = _PLANES.unpack_from(data)
    if width % 2 or height % 2 or not _fits(height, width) or len(data) != _PLANES.size + width * height * 3 // 2:
        return None
    planes = np.frombuffer(data, np.uint8, offset=_PLANES.size).reshape(height * 3 // 2, width)
    return cv2.flip(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420), 1)


def _fits(height: int, width: int) -> bool:
    return max(height, width) <= LONGEST_CAMERA_SIDE and min(height, width) >= _SHORTEST_CAMERA_SIDE


def jpeg_of(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()


def as_jpeg(data: bytes) -> bytes:
    """A camera's picture as JPEG, mirrored; a JPEG stays what it is."""
    picture = picture_of(data) if data[:2] == b"YU" else None
    return data if picture is None else jpeg_of(picture)
