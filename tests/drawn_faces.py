"""A photograph with eyes drawn over its own, whose place and size are known."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.faces import find_faces
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pipeline import prepare_portrait
from visiongen.samples import sample

RINGS = (RIGHT_EYE, LEFT_EYE)
INK, IRIS = (20, 15, 15), (30, 110, 200)


@cache
def photograph() -> np.ndarray:
    """(H, W, 3) uint8 of the portrait that ships with the samples, 512 px."""
    return prepare_portrait(sample("astronaut.jpg"), size=512).image


@cache
def landmarks() -> np.ndarray:
    """(478, 3) of its face, as the face mesh sees it."""
    return find_faces(photograph())[0].landmarks


def face_width() -> float:
    """px."""
    return float(np.linalg.norm(landmarks()[234] - landmarks()[454]))


def middles() -> list[np.ndarray]:
    """(2,) px of both eyes."""
    return [landmarks()[list(ring), :2].mean(0) for ring in RINGS]


def drawn(*, wide: float = 0.26, high: float = 0.22, iris: tuple[int, int, int] = IRIS, white: int = 250) -> np.ndarray:
    """The picture with eyes of so many face widths; a `white` of 0: dark glasses."""
    picture, width = photograph().copy(), face_width()

    def ellipse(at: np.ndarray, half: np.ndarray, colour, thick: int = -1) -> None:
        fixed = [tuple(np.round(np.asarray(value) * 16).astype(int).tolist()) for value in (at, half)]
        cv2.ellipse(picture, *fixed, 0, 0, 360, colour, thick, cv2.LINE_AA, 4)

    for at in middles():
        half = np.array([wide, high]) * width / 2
        ellipse(at, half + 0.05 * width, np.median(picture[int(at[1] + 0.1 * width)], 0).tolist())
        if not white:
            ellipse(at, 1.5 * half, INK)
            continue
        ellipse(at - [0, 0.015 * width], half + 0.015 * width, INK)
        ellipse(at, half, (white,) * 3)
        ellipse(at, np.array([0.5, 0.85]) * half, iris)
        ellipse(at, np.array([0.22, 0.4]) * half, INK)
    return picture


def ellipses(wide: float, high: float) -> list[np.ndarray]:
    """(H, W) bool, what `drawn` opens of both eyes."""
    rows, columns = (axis + 0.5 for axis in np.mgrid[: photograph().shape[0], : photograph().shape[1]])
    half = np.array([wide, high]) * face_width() / 2
    return [((columns - x) / half[0]) ** 2 + ((rows - y) / half[1]) ** 2 < 1 for x, y in middles()]
