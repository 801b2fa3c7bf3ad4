"""Two runs against each other: what differs in their settings, their numbers and their pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from studio.frame_pack import FramePack
from studio.measurements import heading, of_run, ordered, score_of, score_text
from studio.same_inputs import content_of
from studio.setting_words import label_of, value_text
from studio.settings import Settings
from studio.store import Run

_GAP = 2  # px between pictures beside each other
_PIECE = ("start", "end", "face")
_FILES = ("portrait", "driving")
_NOT_SETTINGS = ("portrait_name", "driving_name")


@dataclass(frozen=True, eq=False)
class Difference:
    """How much two films differ, frame by frame."""

    mean: np.ndarray
    """(T,) mean absolute difference of their pixels on the scale 0 to 1."""
    spots: np.ndarray
    """(T,) the same of the worst hundredth of the pixels."""


def same_input(one: Run, other: Run) -> bool:
    """Both move the same face of the same picture by the same piece of the same clip."""
    return all(getattr(one.settings, name) == getattr(other.settings, name) for name in _PIECE) and all(
        content_of(getattr(one.settings, name)) == content_of(getattr(other.settings, name)) for name in _FILES
    )


def settings_that_differ(one: Settings, other: Settings) -> dict[str, tuple[str, str]]:
    """Setting -> what it is in both, in words; only those that differ."""
    first, second = _flat(one.to_dict()), _flat(other.to_dict())
    names = [name for name in dict.fromkeys([*first, *second]) if name not in _NOT_SETTINGS]
    found = {}
    for name in names:
        a, b = first.get(name, "default"), second.get(name, "default")
        if a != b and name in _FILES:  # their names, not where they are kept
            if content_of(a) == content_of(b):
                continue
            a, b = getattr(one, f"{name}_name"), getattr(other, f"{name}_name")
            b = f"another {b}" if a == b else b
        if a != b:
            found[label_of(name)] = (value_text(name, a), value_text(name, b))
    return found


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested settings as "motion.pose": value; components by their name."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and "name" in value:
            flat[before + name] = value["name"]
            flat |= {f"{before}{value['name']} {option}": one for option, one in (value.get("options") or {}).items()}
        elif isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name} ")
        elif isinstance(value, (list, tuple)) and value and all(isinstance(one, Mapping) for one in value):
            flat[before + name] = ", ".join(str(one.get("name", one)) for one in value)
        else:
            flat[before + name] = value
    return flat


def score_rows(one: Run, other: Run) -> list[dict[str, str]]:
    """A row for every score that either run has: name, both values, their difference, and which is better, as text."""
    first, second = of_run(one).scores, of_run(other).scores
    rows = []
    for name in ordered({*first, *second}):
        a, b = first.get(name), second.get(name)
        rows.append(
            {
                "Score": heading(name),
                "A": score_text(name, a),
                "B": score_text(name, b),
                "B − A": score_text(name, None if a is None or b is None else b - a),
                "Better": _better(a, b, name),
                "Meaning": score_of(name).summary,
            }
        )
    return rows


def _better(a: float | None, b: float | None, name: str) -> str:
    direction, digits = score_of(name).better, score_of(name).digits
    if a is None or b is None or direction == "none":
        return ""
    if direction == "one":
        a, b = -abs(a - 1), -abs(b - 1)
    elif direction == "lower":
        a, b = -a, -b
    if round(a, digits) == round(b, digits):
        return "equal"
    return "A" if a > b else "B"


def pixel_difference(
    one: FramePack, other: FramePack, *, progress: Callable[[int, int], None] | None = None
) -> Difference:
    """How much two films differ, over the frames both have; another size is brought to the first one's."""
    length = min(len(one), len(other))
    mean, spots = np.zeros(length, np.float32), np.zeros(length, np.float32)
    for frame in range(length):
        apart = _apart(one, other, frame).max(-1)
        mean[frame] = apart.mean() / 255
        worst = max(1, apart.size // 100)
        spots[frame] = np.partition(apart.ravel(), apart.size - worst)[-worst:].mean() / 255
        if progress:
            progress(frame + 1, length)
    return Difference(mean, spots)


def _both(one: FramePack, other: FramePack, frame: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = one.picture(frame), other.picture(frame)
    if second.shape != first.shape:
        second = cv2.resize(second, first.shape[1::-1], interpolation=cv2.INTER_AREA)
    return first, second


def _apart(one: FramePack, other: FramePack, frame: int) -> np.ndarray:
    return cv2.absdiff(*_both(one, other, frame))


def difference_picture(one: FramePack, other: FramePack, frame: int, *, amplify: float = 4.0) -> np.ndarray:
    """(h, w, 3) uint8: the absolute difference of a frame, made brighter."""
    return np.clip(_apart(one, other, frame).astype(np.float32) * amplify, 0, 255).astype(np.uint8)


def cut_out(picture: np.ndarray, focus: tuple[float, float, float]) -> np.ndarray:
    """The part of a picture (h, w, 3) that a focus (see `studio.components.compare`) shows large."""
    height, width = picture.shape[:2]
    x, y, zoom = focus
    rows, columns = max(1, round(height / zoom)), max(1, round(width / zoom))
    top = int(np.clip(round(y * height - rows / 2), 0, height - rows))
    left = int(np.clip(round(x * width - columns / 2), 0, width - columns))
    return picture[top : top + rows, left : left + columns]


def strip_picture(
    one: FramePack, other: FramePack, frame: int, focus: tuple[float, float, float], *, amplify: float = 4.0
) -> np.ndarray:
    """(h, 3 w + 2 gaps, 3) uint8: a frame of both films and their difference, beside each other."""
    pictures = [*_both(one, other, frame), difference_picture(one, other, frame, amplify=amplify)]
    parts = [cut_out(picture, focus) for picture in pictures]
    gap = np.full((len(parts[0]), _GAP, 3), 128, np.uint8)
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)


def telling_frames(difference: np.ndarray, count: int) -> list[int]:
    """Frames in their order in which two films differ most, not all from one moment.

    Args:
        difference: (T,) per frame.
        count: How many; fewer where the films are shorter.
    """
    length = len(difference)
    count = min(count, length)
    if count == 0:
        return []
    apart = max(1, length // (2 * count))
    chosen: list[int] = []
    for frame in np.argsort(-difference, kind="stable"):
        if all(abs(int(frame) - other) >= apart for other in chosen):
            chosen.append(int(frame))
        if len(chosen) == count:
            break
    return sorted(chosen)
