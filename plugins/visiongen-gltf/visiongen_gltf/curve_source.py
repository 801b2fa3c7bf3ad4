"""A motion source: curves of the head's pose and of ARKit blendshapes drive a face.

Reads what `visiongen_gltf.curves` writes, and tables of other programs with a column ``time`` (s), blendshapes under their
ARKit names (the first letter may be large) and, if wanted, yaw, pitch, roll (degrees). What is missing is 0.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from visiongen import MediaError, MotionTrack
from visiongen_gltf.curves import HEAD
from visiongen_gltf.names import BLENDSHAPES

_SIDE, _FACE = 512, 200.0  # px: size of the picture the motion lives in, and of the face in it
_MIDDLE = _SIDE / (2 * _FACE)
_DEFAULTS = {"x": _MIDDLE, "y": _MIDDLE, "scale": 1.0}


class CurveSource:
    """A `MotionSource`, see above; the motion knows no clip."""

    def extract(
        self,
        path: Path,
        *,
        start: float,
        end: float | None,
        progress: Callable[[int, int | None], None] | None,
    ) -> MotionTrack:
        """The motion that the curves between `start` and `end` describe."""
        rows = _rows(Path(path))
        table = _table(rows, Path(path).name)
        times = table[:, 0]
        inside = (times >= start - 1e-9) & (times < (np.inf if end is None else end) - 1e-9)
        if not inside.any():
            raise MediaError(
                f"{Path(path).name}: it ends at {times[-1]:.2f} s, so there is nothing in the piece asked for"
            )
        table = table[inside]
        if progress:
            progress(len(table), len(table))
        head, shapes = table[:, 1 : 1 + len(HEAD)], table[:, 1 + len(HEAD) :]
        # Curves do not say how large the picture was: large enough for the head wherever it goes.
        side = max(_SIDE, int(np.ceil((head[:, 3:5].max() + 1) * _FACE)))
        return MotionTrack(
            rotation=rotations(np.deg2rad(head[:, :3])),
            translation=head[:, 3:6],
            scale=head[:, 6],
            offsets=np.tensordot(shapes, basis(), axes=1),
            visible=np.ones(len(table), bool),
            times=table[:, 0] - table[0, 0],
            face_width=_FACE,
            height=side,
            width=side,
        )


def _rows(path: Path) -> list[dict[str, float]]:
    """Column -> value of every frame."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            frames = json.loads(text)["frames"]
            return [{"time": one["time"], **one.get("head", {}), **one.get("blendshapes", {})} for one in frames]
        return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise MediaError(
            f"{path.name} cannot be read as curves ({error}); it needs a time column and blendshapes"
        ) from error


def _table(rows: list[dict[str, float]], name: str) -> np.ndarray:
    """(T, 1 + 7 + 52) time, head, blendshapes."""
    wanted = ("time", *HEAD, *BLENDSHAPES)
    try:
        plain = [{str(key)[:1].lower() + str(key)[1:]: value for key, value in row.items()} for row in rows]
        if plain and not set(plain[0]) & set(wanted[1:]):
            raise ValueError("there is no column of the pose and none of a blendshape")
        table = np.array(
            [[float(row[c] if c == "time" else row.get(c, _DEFAULTS.get(c, 0.0))) for c in wanted] for row in plain],
            dtype=np.float64,
        ).reshape(len(plain), len(wanted))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"there is no column {error}" if isinstance(error, KeyError) else error
        raise MediaError(f"{name} cannot be read as curves: {reason}") from error
    if not len(table) or not np.isfinite(table).all() or (np.diff(table[:, 0]) <= 0).any() or table[:, 7].min() <= 0:
        raise MediaError(f"{name}: curves need rising times, finite numbers and a positive scale in every frame")
    return table


def rotations(angles: np.ndarray) -> np.ndarray:
    """(T, 3, 3) of (T, 3) yaw, pitch, roll, radians: the inverse of `visiongen.pose.euler_angles`."""
    yaw, pitch, roll = angles.T
    nose = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], axis=-1)
    back = -nose  # the head's z axis in the picture
    # The head's x axis lies across `back`; its direction in the picture plane is the roll.
    across = np.stack([np.cos(roll), np.sin(roll), np.zeros_like(roll)], axis=-1)
    across[:, 2] = -(across[:, :2] * back[:, :2]).sum(-1) / np.where(np.abs(back[:, 2]) < 1e-6, 1e-6, back[:, 2])
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    return np.stack([across, np.cross(back, across), back], axis=-1)


@cache
def basis() -> np.ndarray:
    """(52, 478, 3) float32 face widths: how landmarks move per unit of a blendshape."""
    path = resources.files("visiongen_gltf") / "weights" / "blendshapes.npz"
    with resources.as_file(path) as file, np.load(file, allow_pickle=False) as data:
        return data["basis"].astype(np.float32)
