"""Problems for people: a table for the terminal, and a picture with one thumbnail for each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from visiongen.diagnostics.problems import Problem

MOST_THUMBNAILS = 24
_SIDE, _COLUMNS, _TEXT = 240, 4, 64
_MILD, _GRAVE = (240, 200, 60), (235, 60, 50)


def table(problems: Sequence[Problem]) -> str:
    """One line a problem, worst first as `diagnose` gives them, and what to do about each kind."""
    if not problems:
        return "no problems found"
    lines = [f"{len(problems)} problem{'s' * (len(problems) > 1)} found, worst first:"]
    width = max(len(problem.kind) for problem in problems)
    for problem in problems:
        frames = f"{problem.first}-{problem.last}"
        lines.append(f"  {problem.kind:<{width}}  frames {frames:<9}  severity {problem.severity:.2f}  {problem.seen}")
    lines.append("What to do:")
    for kind in dict.fromkeys(problem.kind for problem in problems):
        change = next(problem.advice for problem in problems if problem.kind == kind)
        lines.append(f"  {kind:<{width}}  {change}")
    return "\n".join(lines)


def shown_frames(problems: Iterable[Problem]) -> set[int]:
    """The frames `contact_sheet` needs."""
    return {problem.peak for problem in list(problems)[:MOST_THUMBNAILS]}


def contact_sheet(problems: Sequence[Problem], pictures: Mapping[int, np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8: the worst frame of each of the worst problems, and what was seen there.

    Args:
        problems: At least one, worst first.
        pictures: Frame number -> (H, W, 3) uint8, for all of `shown_frames`; a missing one stays black.
    """
    tiles = [_tile(problem, pictures.get(problem.peak)) for problem in problems[:MOST_THUMBNAILS]]
    columns = min(_COLUMNS, len(tiles))
    blank = np.full_like(tiles[0], 24)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(problem: Problem, picture: np.ndarray | None) -> np.ndarray:
    tile = np.full((_SIDE + _TEXT, _SIDE, 3), 24, np.uint8)
    if picture is not None:
        zoom = _SIDE / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * zoom)), max(1, round(picture.shape[0] * zoom)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
        top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
        tile[top : top + size[1], left : left + size[0]] = small
    colour = tuple(round(a + problem.severity * (b - a)) for a, b in zip(_MILD, _GRAVE))
    cv2.rectangle(tile, (1, 1), (_SIDE - 2, _SIDE + _TEXT - 2), colour, 2)
    head = f"{problem.title}, {problem.first}-{problem.last}"
    lines = [head, *textwrap.wrap(problem.seen, 42)[:3]]
    for number, line in enumerate(lines):
        place = (7, _SIDE + 14 + 15 * number)
        shade = colour if number == 0 else (225, 225, 225)
        cv2.putText(tile, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42 if number == 0 else 0.32, shade, 1, cv2.LINE_AA)
    return tile
