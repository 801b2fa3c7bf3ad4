"""Draws what was seen onto pictures: landmarks by region, motion vectors, the head's axes and angles, lost frames."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from visiongen.landmarks import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)

REGIONS = {
    "face_oval": FACE_OVAL,
    "right_eye": RIGHT_EYE,
    "left_eye": LEFT_EYE,
    "right_iris": RIGHT_IRIS,
    "left_iris": LEFT_IRIS,
    "right_brow": RIGHT_BROW,
    "left_brow": LEFT_BROW,
    "outer_lips": OUTER_LIPS,
    "inner_lips": INNER_LIPS,
}
"""Landmarks with a meaning; right and left are the subject's own."""

_SKIN, _LOST, _ARROW = (190, 190, 190), (235, 60, 50), (255, 225, 60)
_COLOURS = {
    "face_oval": (160, 200, 255),
    "right_eye": (90, 230, 120),
    "left_eye": (90, 230, 120),
    "right_iris": (60, 220, 230),
    "left_iris": (60, 220, 230),
    "right_brow": (255, 170, 60),
    "left_brow": (255, 170, 60),
    "outer_lips": (255, 110, 140),
    "inner_lips": (230, 80, 220),
}
_AXES = ((235, 70, 60), (80, 210, 90), (80, 140, 255))  # to the picture's right, down, out of the face
_ARROW_EVERY = 7  # landmarks: enough to see the movement, few enough to see the face
_SMALLEST, _LARGEST = 512, 1280  # longer side of what is drawn on, px


@dataclass(frozen=True, eq=False)
class Sight:
    """What is drawn on one picture; points are px of the picture."""

    points: np.ndarray
    """(478, 3)."""
    reference: np.ndarray
    """(478, 3), where the motion vectors begin."""
    rotation: np.ndarray
    """(3, 3), picture axes from head axes."""
    angles: tuple[float, float, float]
    """Yaw, pitch, roll, degrees."""
    visible: bool
    """The face was seen; else the points are filled in."""
    label: str
    """Of the frame: number and time."""


def drawn(image: np.ndarray, sight: Sight) -> np.ndarray:
    """(H', W', 3) uint8: `image` (H, W, 3), brought to a size that can be read, with `sight` drawn on it."""
    longer = max(image.shape[:2])
    zoom = max(_SMALLEST / longer, 1.0) if longer < _LARGEST else _LARGEST / longer
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=interpolation) if zoom != 1 else image.copy()
    points, reference = sight.points[:, :2] * zoom, sight.reference[:, :2] * zoom
    _draw_vectors(canvas, points, reference)
    _draw_landmarks(canvas, points, lost=not sight.visible)
    _draw_axes(canvas, points, sight.rotation)
    yaw, pitch, roll = sight.angles
    lines = [f"yaw {yaw:+.0f}  pitch {pitch:+.0f}  roll {roll:+.0f} deg", sight.label]
    if not sight.visible:
        lines.append("face lost: filled in")
        cv2.rectangle(canvas, (0, 0), (canvas.shape[1] - 1, canvas.shape[0] - 1), _LOST, 6)
    _write(canvas, lines, _LOST if not sight.visible else (255, 255, 255))
    return canvas


def _corner(point: np.ndarray) -> tuple[int, int]:
    """A point as OpenCV's pixel, counted from pixel centres; far outside is clipped, drawing there would overflow."""
    x, y = np.clip(np.round(point - 0.5), -10_000, 10_000)
    return int(x), int(y)


def _draw_vectors(canvas: np.ndarray, points: np.ndarray, reference: np.ndarray) -> None:
    for i in range(0, 468, _ARROW_EVERY):
        if np.linalg.norm(points[i] - reference[i]) > 1.5:
            cv2.arrowedLine(canvas, _corner(reference[i]), _corner(points[i]), _ARROW, 1, cv2.LINE_AA, tipLength=0.25)


def _draw_landmarks(canvas: np.ndarray, points: np.ndarray, *, lost: bool) -> None:
    for point in points[:468]:
        cv2.circle(canvas, _corner(point), 1, _LOST if lost else _SKIN, -1, cv2.LINE_AA)
    for name, members in REGIONS.items():
        colour = _LOST if lost else _COLOURS[name]
        part = points[list(members)]
        if name.endswith("iris"):
            radius = np.linalg.norm(part[1:] - part[0], axis=1).mean()
            cv2.circle(canvas, _corner(part[0]), max(1, round(float(radius))), colour, 1, cv2.LINE_AA)
            continue
        ring = np.array([_corner(point) for point in part], np.int32)
        cv2.polylines(canvas, [ring], True, colour, 1, cv2.LINE_AA)
        for corner in ring:
            cv2.circle(canvas, tuple(map(int, corner)), 2, colour, -1, cv2.LINE_AA)


def _draw_axes(canvas: np.ndarray, points: np.ndarray, rotation: np.ndarray) -> None:
    nose = points[1]
    length = 0.45 * float(np.linalg.norm(points[454] - points[234]) + np.linalg.norm(points[10] - points[152])) / 2
    directions = (rotation[:2, 0], rotation[:2, 1], -rotation[:2, 2])
    for direction, colour in zip(directions, _AXES, strict=True):
        cv2.line(canvas, _corner(nose), _corner(nose + length * direction), colour, 3, cv2.LINE_AA)


def _write(canvas: np.ndarray, lines: list[str], colour: tuple[int, int, int]) -> None:
    size = max(canvas.shape[:2]) / 1000
    for number, line in enumerate(lines, 1):
        place = (round(14 * size) + 4, round((14 + 34 * number) * size))
        for shade, width in (((0, 0, 0), 4), (colour, 1)):
            cv2.putText(canvas, line, place, cv2.FONT_HERSHEY_SIMPLEX, 1.05 * size, shade, width, cv2.LINE_AA)
