"""Eyes that the portrait shows closed, or nearly: eyeballs are drawn where lids open on what it does not show.

As with the inside of a mouth (`visiongen.mouth`), there is nothing to move: a stretched slit is a smear of lashes. What is
drawn takes the light, and the iris its colour, from what the portrait shows of its eyes, else from its skin.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, Canvas, Piece, canvas_round, cheek_colour, covered, eye_white, fixed, within
from visiongen.landmarks import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

EYES = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))
"""Ring of the lids and ring of the iris, of each eye."""
_LACKING = (0.25, 0.55)
"""An eye is drawn wholly where the portrait's own opening is this share of the wanted one, and not at all above the second."""
_LEAST = 0.06
"""Opening (area over the square of the width) that is worth drawing; an open eye has about 0.2."""
_RADIUS = (0.17, 0.24)
"""Least and largest radius of an iris, widths of the eye: of closed eyes the detector guesses it."""
_LIMBUS, _PUPIL, _GLINT = 0.86, 0.4, 0.17
"""Radii of the iris within its dark ring, of the pupil and of the light on it, radii of the iris."""
_BROWN = np.array([0.42, 0.29, 0.22])
"""Of the light, an iris that was never seen: the commonest colour."""
_SHOWN = 0.1
"""Opening from which an eye shows its iris; between lids that are closer it is lashes and skin."""
_SHADOW = 0.35
"""How far below the upper lid its shadow reaches, heights of the opening."""


class Eyeballs:
    """Draws the eyes of one portrait at any opening and gaze."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._side = crop.shape[0]
        self._openings = [eye_opening(source, eye) for eye, _ in EYES]
        skin, white = cheek_colour(crop, source), eye_white(crop, source)
        self._white = np.clip(
            white * np.clip(white.mean(), 0.8 * skin.mean(), 1.6 * skin.mean()) / white.mean(), 0, 245
        )
        self._iris = _iris_colour(crop, source, self._openings, self._white)

    def __call__(self, target: np.ndarray) -> list[Piece]:
        """What to lay over a frame: a piece for each eye that the portrait does not show open enough.

        Args:
            target: (478, 3) landmarks, crop units.
        """
        pieces = []
        for own, (eye, iris) in zip(self._openings, EYES, strict=True):
            wanted = eye_opening(target, eye)
            low, high = _LACKING
            lacking = min(max((high - own / max(wanted, 1e-6)) / (high - low), 0.0), 1.0)
            strength = lacking * lacking * (3 - 2 * lacking) * min(max(wanted / _LEAST - 1, 0.0), 1.0)
            canvas = canvas_round(target[list(eye)], self._side) if strength > 0.02 else None
            if canvas is not None:
                colour, weight = self._drawn(target, eye, iris, canvas)
                pieces.append(canvas.piece(colour, strength * weight))
        return pieces

    def _drawn(self, target: np.ndarray, eye, iris, canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
        ring, gaze = canvas.placed(target[list(eye)]), canvas.placed(target[list(iris)])
        width = float(np.linalg.norm(ring[0] - ring[len(ring) // 2]))
        radius = np.linalg.norm(gaze[1:] - gaze[0], axis=1).mean()
        radius = float(np.clip(radius, _RADIUS[0] * width, _RADIUS[1] * width))
        drawn = np.empty((*canvas.shape, 3), np.uint8)
        drawn[:] = self._white
        glint = gaze[0] + radius * np.array([-0.3, -0.35])
        for centre, share, colour in (
            (gaze[0], 1.0, 0.6 * self._iris),
            (gaze[0], _LIMBUS, self._iris),
            (gaze[0], _PUPIL, 0.12 * self._white),
            (glint, _GLINT, np.minimum(1.2 * self._white, 250)),
        ):
            at = tuple(fixed(centre[None])[0, 0].tolist())
            cv2.circle(
                drawn, at, max(1, round(share * radius * 2**SUBPIXEL)), colour.tolist(), -1, cv2.LINE_AA, SUBPIXEL
            )
        drawn = cv2.GaussianBlur(drawn, (0, 0), max(0.5, 0.06 * radius))
        mask, inward = covered(ring, canvas.shape)
        # Under the upper lid it is dark; toward the corners the ball turns away.
        first = np.where((mask > 0).any(0), (mask > 0).argmax(0), canvas.shape[0])
        below = np.clip((np.arange(canvas.shape[0])[:, None] - first) / max(1.0, _SHADOW * 2 * inward.max()), 0, 1)
        light = (0.55 + 0.45 * below) * (0.75 + 0.25 * np.clip(inward / (0.12 * width), 0, 1))
        weight = cv2.GaussianBlur(np.float32(mask) / 255, (0, 0), 0.6 * canvas.finer)
        return (drawn * light[..., None]).astype(np.float32), weight


def eye_opening(points: np.ndarray, eye: tuple[int, ...]) -> float:
    """Area of an eye's opening over the square of its width."""
    ring = np.asarray(points[list(eye), :2], np.float64)
    after = np.concatenate([ring[1:], ring[:1]])
    area = abs(float((ring[:, 0] * after[:, 1] - after[:, 0] * ring[:, 1]).sum())) / 2
    return area / max(float(((ring[0] - ring[len(ring) // 2]) ** 2).sum()), 1e-12)


def _iris_colour(crop: np.ndarray, source: np.ndarray, openings: list[float], white: np.ndarray) -> np.ndarray:
    """(3,) median colour of what the portrait shows of its irises; brown in its light where it shows none."""
    shown = np.zeros(crop.shape[:2], bool)
    for opening, (eye, iris) in zip(openings, EYES, strict=True):
        if opening > _SHOWN:
            shown |= within(crop, source, eye) & within(crop, source, iris[1:])
    if shown.sum() < 30:
        brown = _BROWN * white.mean()
        colourful = min(1.0, float(np.ptp(cheek_colour(crop, source)) / white.mean()) / 0.3)
        return brown.mean() + colourful * (brown - brown.mean())
    return np.median(crop[shown].astype(np.float64), axis=0)
