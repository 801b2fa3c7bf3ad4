"""Hair: seen by its colour, which the hair above the forehead and at the temples tells.

A head that turns shows what is beside its jaw. That is skin, unless hair hangs there and hides ear and jaw. And it shows its
back, which is hair; where the portrait has some depends on how high the forehead is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from visiongen.ramps import rising

_RIGHT, _LEFT = ((234, 93), (132, 58)), ((454, 323), (361, 288))
"""Points of the oval at the ear and at the jaw, on the face's own right and left."""
_ABOVE, _TEMPLES = (10, 109, 338, 67, 297), ((54, 21, 103, 162), (284, 251, 332, 389))
"""Points of the oval above which, and beside which, there is hair."""
_SKIN = (50, 280, 205, 425, 117, 346, 187, 411, 36, 266, 9, 151, 108, 337)
"""Points of cheeks and forehead."""
_UP, _OUT, _BESIDE = (0.1, 0.16, 0.22, 0.28, 0.34, 0.4), (0.05, 0.1, 0.15, 0.22, 0.3), (0.03, 0.06, 0.1, 0.14, 0.18)
"""Face widths above, at the temples and beside ear and jaw at which is looked."""
_FINE = 128
"""Side of a picture in which single hairs are no longer seen."""
_XYZ_FROM_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""IEC 61966-2-1, linear sRGB."""
_APART, _LIKE = 12.0, 22.0
"""Differences in CIELAB: what is nearer to the skin than the first is no hair, what is farther from all hair than the second
is something else. Skin and hair vary by about as much over a head."""
_FEWEST = 6
"""Samples of hair, below which nothing is known of its colour."""
_ODD = 25.0
"""Difference in CIELAB from the usual skin at which a sample is no skin: shadow, paint, or a lock of hair."""
_PERSON = 0.7
"""The matte from which on a pixel is a person's."""
_RIM = 5
"""Cells of the matte, of which there are 128 in a row: so far round it, where hair and background mix, is no sample of hair."""
_SURELY, _ENOUGH = 0.7, 60
"""Likelihood from which on a pixel of a drawing is hair, and of how many colours are looked up."""
_SHARE = (0.5, 0.8)
"""Share of the samples beside ear and jaw that are hair, at which it begins to count as hanging there, and does."""


@dataclass(frozen=True, eq=False)
class Hair:
    """The hair of one portrait."""

    hides: tuple[float, float] = (0.0, 0.0)
    """How surely it hides ear and jaw, in [0, 1]: on the face's own right, and on its left."""
    colours: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    """(N, 3) CIELAB of some of it; none where its colour is not known."""
    skin: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    """(M, 3) CIELAB of the face."""
    picture: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, 3), np.float32))
    """(s, s, 3) float32 RGB in [0, 1], the portrait in small."""

    def at(self, points: np.ndarray) -> np.ndarray:
        """(...) bool: which of points (..., 2), crop units, show hair rather than skin, or anything else."""
        if not len(self.colours):
            return np.zeros(points.shape[:-1], bool)
        return _is_hair(self._seen(points), self.colours, self.skin).reshape(points.shape[:-1])

    def or_skin_at(self, points: np.ndarray) -> np.ndarray:
        """(...) bool: which of points (..., 2), crop units, show hair or skin; all, where their colours are not known."""
        if not len(self.colours):
            return np.ones(points.shape[:-1], bool)
        either = np.concatenate([self.colours, self.skin])
        return (_distance(self._seen(points), either) < _LIKE).reshape(points.shape[:-1])

    def _seen(self, points: np.ndarray) -> np.ndarray:
        return _cielab(_sampled(self.picture, points.reshape(-1, 2)))

    def mirrored(self) -> Hair:
        """That of the mirrored picture."""
        return replace(self, hides=self.hides[::-1], picture=np.ascontiguousarray(self.picture[:, ::-1]))


NO_HAIR = Hair()


def find_hair(crop: np.ndarray, source: np.ndarray, matte: np.ndarray, *, seen: np.ndarray | None = None) -> Hair:
    """The hair of a portrait.

    Args:
        crop: (S, S, 3) uint8 RGB.
        source: (478, 3) its landmarks, crop units.
        matte: (G, G) in [0, 1], the person.
        seen: (S, S) in [0, 1], where a drawing has hair, which may be of any colour and hang over the forehead: of
            `visiongen.drawn_faces.drawn_hair`.
    """
    small = cv2.resize(crop, (_FINE, _FINE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    small = cv2.GaussianBlur(small, (0, 0), 0.8)
    points = np.asarray(source, np.float64)[:, :2]
    across = points[454] - points[234]
    width = float(np.linalg.norm(across))
    left = across / max(width, 1e-9)
    up = np.array([left[1], -left[0]])
    up *= np.sign(up @ (points[10] - points[152])) or 1.0

    def beyond(marks: tuple[int, ...], way: np.ndarray, distances: tuple[float, ...]) -> np.ndarray:
        return (points[list(marks), None] + np.array(distances)[:, None] * width * way).reshape(-1, 2)

    deep = cv2.erode(np.float32(matte), np.ones((_RIM, _RIM)))
    if seen is not None:
        hair, skin = _of_drawing(small, deep, seen, points[list(_SKIN)])
    else:
        right_temple, left_temple = _TEMPLES
        above = [beyond(_ABOVE, up, _UP), beyond(right_temple, -left, _OUT), beyond(left_temple, left, _OUT)]
        hair, skin = _of_photograph(small, deep, np.concatenate(above), points[list(_SKIN)])
    if len(hair) < _FEWEST:
        return NO_HAIR

    def hidden(marks: tuple[int, ...], way: np.ndarray) -> float:
        places = beyond(marks, way, _BESIDE)
        colours, person = _of_person(small, matte, places)
        is_hair = _sampled(seen, places[person]) > 0.5 if seen is not None else _is_hair(colours, hair, skin)
        return float(is_hair.sum()) / len(person)

    sides = ((_RIGHT, -left), (_LEFT, left))
    right_share, left_share = (min(hidden(part, way) for part in parts) for parts, way in sides)
    hides = float(rising(right_share, _SHARE)), float(rising(left_share, _SHARE))
    return Hair(hides, hair, skin, small)


def _of_photograph(
    small: np.ndarray, deep: np.ndarray, above: np.ndarray, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """CIELAB of hair (N, 3), which is above a face and not like it, and of skin (M, 3); points (..., 2), crop units."""
    skin = _cielab(_sampled(small, face))
    skin = skin[np.linalg.norm(skin - np.median(skin, axis=0), axis=1) < _ODD]
    hair = _of_person(small, deep, above)[0]
    return hair[_distance(hair, skin, nearest=1) > _APART] if len(skin) and len(hair) else hair[:0], skin


def _of_drawing(
    small: np.ndarray, deep: np.ndarray, seen: np.ndarray, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same of a drawing, whose hair may be as light as its skin, by where hair is `seen` (S, S) in [0, 1]."""
    rows, columns = np.nonzero(cv2.resize(seen, (_FINE, _FINE), interpolation=cv2.INTER_AREA) > _SURELY)
    places = (np.stack([columns, rows], 1) + 0.5) / _FINE
    hair = _of_person(small, deep, places)[0]
    skin = _cielab(_sampled(small, face[_sampled(seen, face) < 0.5]))
    return hair[:: max(1, len(hair) // _ENOUGH)] if len(skin) else hair[:0], skin


def _is_hair(seen: np.ndarray, hair: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(N,) bool, which of colours (N, 3) are nearer to some hair's than to the skin's, and near; all CIELAB."""
    to_hair = _distance(seen, hair)
    return (to_hair < _distance(seen, skin)) & (to_hair < _LIKE)


def _of_person(picture: np.ndarray, matte: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CIELAB (M, 3) at those of points (N, 2), crop units, that are a person's, and (N,) bool which are."""
    person = ((points > 0) & (points < 1)).all(-1) & (_sampled(np.float32(matte), points) > _PERSON)
    return _cielab(_sampled(picture, points[person])), person


def _sampled(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, ...) of a picture (S, S, ...) at points (N, 2), crop units."""
    places = (points[None] * picture.shape[0] - 0.5).astype(np.float32)
    if not len(points):
        return np.empty((0, *picture.shape[2:]), np.float32)
    return cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def _cielab(colours: np.ndarray) -> np.ndarray:
    """CIELAB (N, 3) of sRGB (N, 3) in [0, 1], D65. OpenCV makes tables before it converts its first colour, which would keep
    the first frame waiting for a tenth of a second."""
    linear = np.where(colours > 0.04045, ((colours + 0.055) / 1.055) ** 2.4, colours / 12.92)
    tristimulus = linear @ _XYZ_FROM_RGB.T / _XYZ_FROM_RGB.sum(1)
    root = np.where(tristimulus > 0.008856, np.cbrt(tristimulus), 7.787 * tristimulus + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _distance(colours: np.ndarray, others: np.ndarray, nearest: int = 2) -> np.ndarray:
    """(N,) mean distance of colours (N, 3) to the `nearest` of others (M, 3)."""
    apart = np.linalg.norm(colours[:, None] - others[None], axis=-1)
    return np.sort(apart, axis=1)[:, :nearest].mean(1)
