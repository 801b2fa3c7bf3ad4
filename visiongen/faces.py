"""Faces in a picture: found with OpenCV and MediaPipe, chosen, turned upright by the eyes, cropped, pasted back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from visiongen.datatypes import NOT_DRAWN, NUM_LANDMARKS, Drawn, Portrait
from visiongen.errors import NoFaceError
from visiongen.landmarks import LONGEST_SIDE, FaceMesh, face_size
from visiongen.pose import euler_angles, fit_head

CROP_SCALE = 2.2
"""Side of the crop in sizes of the face's landmark box: room for hair, neck and movement."""
MAX_CROP = 1024
"""A larger face is worked on at this many pixels a side."""
UPRIGHT = math.radians(20)
"""A head tilted more than this is turned upright; less is left as it is, because turning costs a resampling."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found."""

    landmarks: np.ndarray
    """(478, 3) float32 px of the picture."""
    drawn: Drawn = NOT_DRAWN
    """Whether it is a drawing's."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the landmarks, px."""
        low, high = self.landmarks[:468, :2].min(0), self.landmarks[:468, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def with_longer_side(image: np.ndarray, size: int | None) -> np.ndarray:
    """A picture (H, W, 3) with its longer side brought to `size` px; None: as it is."""
    if not size:
        return image
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def find_faces(image: np.ndarray, *, mesh: FaceMesh | None = None) -> list[Face]:
    """All faces of a picture, largest first.

    MediaPipe looks at the whole picture; where OpenCV's cascade sees a face that it missed (small ones, drawings), it
    looks again there and closer.

    Args:
        image: (H, W, 3) uint8 RGB.
        mesh: A face mesh to use; made and closed here by default.
    """
    own = mesh or FaceMesh()
    try:
        found = list(own(image))
        for box in _cascade_boxes(image):
            if not any(_same(box, face) for face in found):
                found += [face for face in _look_closer(image, box, own) if not any(_overlap(face, f) for f in found)]
        if not found:  # a face that fills the picture to its edges, or a drawing
            found = list(_look_closer(image, (0, 0, image.shape[1], image.shape[0]), own))
    finally:
        if mesh is None:
            own.close()
    return [Face(points) for points in sorted(found, key=face_size, reverse=True)]


def _cascade_boxes(image: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Left, top, width, height, px, of what OpenCV's Haar cascades take for faces. Source: Viola & Jones 2001."""
    shrink = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # The cascade looks at contrast within its window by itself: evened out over a large plain picture, small faces fade.
    grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    least = max(24, min(grey.shape) // 20)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
    boxes = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(least, least))
    return [tuple(float(v) / shrink for v in box) for box in boxes]


def _look_closer(image: np.ndarray, box: tuple[float, float, float, float], mesh: FaceMesh) -> np.ndarray:
    """(F, 478, 3) px of `image`: faces in a square with much room round `box` (left, top, width, height)."""
    left, top, width, height = box
    side = 2.0 * max(width, height)
    x, y = left + width / 2 - side / 2, top + height / 2 - side / 2
    scale = min(2.0, 512 / side)
    size = max(2, round(side * scale))
    scale = size / side
    to_square = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
    square = warped_square(image, to_square, size, cv2.BORDER_REPLICATE)
    faces = mesh(square).copy()
    faces /= scale
    faces[:, :, :2] += [x, y]
    return faces


def _same(box: tuple[float, float, float, float], points: np.ndarray) -> bool:
    x, y = points[:468, :2].mean(0)
    left, top, width, height = box
    return left <= x <= left + width and top <= y <= top + height


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    return np.linalg.norm(a[:468, :2].mean(0) - b[:468, :2].mean(0)) < 0.5 * max(face_size(a), face_size(b))


def choose_face(faces: list[Face], index: int = 0, *, name: str = "the picture") -> Face:
    """One of `faces` (largest first).

    Raises:
        NoFaceError: There are none, or not that many.
    """
    if not faces:
        raise NoFaceError(
            f"{name}: no face was found; choose a picture in which one face is large, turned to the viewer and has "
            "eyes, nose and mouth that can be seen"
        )
    if not 0 <= index < len(faces):
        raise NoFaceError(f"{name}: there is no face number {index}; it shows {len(faces)} (0 is the largest)")
    return faces[index]


def make_portrait(
    image: np.ndarray,
    face: Face,
    *,
    name: str = "portrait",
    reach: np.ndarray | None = None,
    others: Iterable[Face] = (),
) -> Portrait:
    """Crops a face out of its picture, upright, at the picture's own resolution.

    Args:
        image: (H, W, 3) uint8 RGB.
        face: Which face.
        name: For messages.
        reach: (M, 2) px that the crop should contain too, as far as the picture goes: where the face will move.
        others: Further faces of the picture.
    """
    image_from_crop, side = _crop_geometry(image.shape[0], image.shape[1], face, reach)
    crop = warped_square(image, cv2.invertAffineTransform(image_from_crop), side, cv2.BORDER_REFLECT_101)
    return Portrait(
        image=image,
        landmarks=face.landmarks,
        crop=crop,
        image_from_crop=image_from_crop,
        name=name,
        others=np.array([one.landmarks for one in others], np.float32).reshape(-1, NUM_LANDMARKS, 3),
        drawn=face.drawn,
    )


def _crop_geometry(height: int, width: int, face: Face, reach: np.ndarray | None) -> tuple[np.ndarray, int]:
    points = face.landmarks[:468, :2].astype(np.float64)
    rotation, *_ = fit_head(face.landmarks[None].astype(np.float64))
    roll = float(euler_angles(rotation)[0, 2])
    if abs(roll) < UPRIGHT:
        roll = 0.0
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])  # image from upright
    wanted = points if reach is None else np.concatenate([points, reach])
    low, high = (wanted @ turn).min(0), (wanted @ turn).max(0)
    face_low, face_high = (points @ turn).min(0), (points @ turn).max(0)
    size = float((face_high - face_low).max())
    # A little more room above, for hair, than below.
    centre = (face_low + face_high) / 2 - [0, 0.04 * size]
    margin = (CROP_SCALE - 1) / 2 * size
    low, high = (
        np.minimum(centre - CROP_SCALE / 2 * size, low - 0.6 * margin),
        np.maximum(centre + CROP_SCALE / 2 * size, high + 0.6 * margin),
    )
    side = float((high - low).max())
    centre = (low + high) / 2
    if roll == 0.0:
        # Stay inside the picture where it is large enough; else take it whole. Whole pixels: nothing is resampled.
        side = min(side, max(height, width))
        side = 2 * math.ceil(side / 2)
        corner = [
            (extent - side) / 2 if side >= extent else min(max(c - side / 2, 0), extent - side)
            for c, extent in zip(centre, (width, height))
        ]
        corner = np.round(corner)
    else:
        corner = turn.T @ (turn @ centre) - side / 2
    pixels = min(round(side), MAX_CROP)
    zoom = side / pixels
    return np.c_[turn * zoom, turn @ corner], pixels


def warped_square(
    image: np.ndarray, square_from_image: np.ndarray, side: int, border: int, *, flags: int = cv2.INTER_CUBIC
) -> np.ndarray:
    """`image` through an affine map of points measured from outer corners, (side, side, 3)."""
    linear, shift = square_from_image[:, :2], square_from_image[:, 2]
    shrinks = abs(np.linalg.det(linear)) < 0.8
    if shrinks:  # warpAffine does not average: soften what gets smaller first
        sigma = 0.4 / math.sqrt(abs(np.linalg.det(linear)))
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    centres = np.c_[linear, shift + linear @ [0.5, 0.5] - 0.5]
    exact = np.allclose(linear, np.eye(2)) and np.allclose(centres, np.round(centres))
    flags = cv2.INTER_NEAREST if exact else flags
    return cv2.warpAffine(image, centres, (side, side), flags=flags, borderMode=border)


class PasteBack:
    """Lays moved crops over the whole picture without a seam."""

    def __init__(self, portrait: Portrait) -> None:
        self._image = portrait.image
        height, width = portrait.image.shape[:2]
        side = portrait.crop.shape[0]
        matrix = portrait.image_from_crop
        corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], float) @ matrix[:, :2].T + matrix[:, 2]
        low = np.clip(np.floor(corners.min(0)).astype(int), 0, [width, height])
        high = np.clip(np.ceil(corners.max(0)).astype(int), 0, [width, height])
        self._window = (slice(low[1], high[1]), slice(low[0], high[0]))
        self._outside = [
            np.s_[: low[1]],
            np.s_[high[1] :],
            np.s_[low[1] : high[1], : low[0]],
            np.s_[low[1] : high[1], high[0] :],
        ]
        self._size = (int(high[0] - low[0]), int(high[1] - low[1]))
        # window from crop, from pixel centres to pixel centres
        self._matrix = np.c_[matrix[:, :2], matrix[:, 2] - low + matrix[:, :2] @ [0.5, 0.5] - 0.5]
        self._exact = np.allclose(matrix[:, :2], np.eye(2)) and np.allclose(self._matrix, np.round(self._matrix))
        mask = self._moved(_feather(side, corners, width, height))
        self._blended = [(band, mask[band], 1 - mask[band]) for band in _blended_bands(mask)]

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8: the picture with a moved crop (S, S, 3) in its place."""
        result = np.empty_like(self._image)
        for part in self._outside:
            result[part] = self._image[part]
        still, window, place = self._image[self._window], self._moved(crop), result[self._window]
        place[:] = window
        for band, share, rest in self._blended:
            place[band] = cv2.blendLinear(window[band], still[band], share, rest)
        return result

    def _moved(self, crop: np.ndarray) -> np.ndarray:
        if self._exact:
            (left, top), (width, height) = -np.round(self._matrix[:, 2]).astype(int), self._size
            part = crop[max(top, 0) : top + height, max(left, 0) : left + width]
            if part.shape[:2] == (height, width):
                return part
        flags = cv2.INTER_NEAREST if self._exact else cv2.INTER_LINEAR
        return cv2.warpAffine(crop, self._matrix, self._size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _blended_bands(mask: np.ndarray) -> list[tuple[slice, slice]]:
    """Rows and columns of the parts of a mask (H, W) that are not all 1: up to four at the edges of what is, or all of it.

    Few and large: between two calls of a library a thread waits for its turn.
    """
    height, width = mask.shape
    (top, bottom), (left, right) = (_true_part(line) for line in (mask[:, width // 2] >= 1, mask[height // 2] >= 1))
    if not (mask[top:bottom, left:right] >= 1).all() or bottom == top or right == left:
        return [np.s_[:height, :width]]
    bands = [
        np.s_[:top, :width],
        np.s_[bottom:height, :width],
        np.s_[top:bottom, :left],
        np.s_[top:bottom, right:width],
    ]
    return [band for band in bands if mask[band].size]


def _true_part(whole: np.ndarray) -> tuple[int, int]:
    """Begin and end of the part of a line (N,) of bools that is true; (0, 0) where nothing is."""
    at = np.flatnonzero(whole)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)


def _feather(side: int, corners: np.ndarray, width: int, height: int) -> np.ndarray:
    """(S, S) float32 in [0, 1]: 1 inside, fading toward those edges of the crop that lie inside the picture."""
    reach = max(2, round(0.06 * side))
    ramp = np.clip((np.arange(side) + 0.5) / reach, 0, 1)
    ramp = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    flat = np.ones(side, np.float32)
    top_left, top_right, bottom_left, bottom_right = corners

    def inside(begin: np.ndarray, end: np.ndarray) -> bool:
        x, y = (begin + (end - begin) * np.linspace(0, 1, side + 1)[:, None]).T
        return bool(np.any((x > 0.5) & (x < width - 0.5) & (y > 0.5) & (y < height - 0.5)))

    left = ramp if inside(top_left, bottom_left) else flat
    right = ramp[::-1] if inside(top_right, bottom_right) else flat
    top = ramp if inside(top_left, top_right) else flat
    bottom = ramp[::-1] if inside(bottom_left, bottom_right) else flat
    return np.minimum(left, right)[None, :] * np.minimum(top, bottom)[:, None]
