"""Two films or pictures over each other, in step: a slider between them, side by side, or their difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st

from studio.components.assets import component, media_url

_FILMS = (".mp4", ".webm")
Focus = tuple[float, float, float]
"""A square to show large: its middle, x and y in shares of the picture, and how many times it is enlarged."""


def focus_on(points: np.ndarray, size: tuple[int, int], *, margin: float = 1.5, most: float = 6.0) -> Focus:
    """The square round all points (..., 2 or 3) px of a picture of `size` (H, W), with some air round it."""
    flat = np.asarray(points, np.float64)[..., :2].reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(1)]
    if not len(flat):
        return (0.5, 0.5, 1.0)
    extent = np.array([size[1], size[0]], np.float64)
    low, high = np.clip(flat.min(0), 0, extent), np.clip(flat.max(0), 0, extent)
    zoom = float(np.clip((extent / np.maximum(margin * (high - low).max(), 1)).min(), 1.0, most))
    middle = np.clip((low + high) / 2 / extent, 0.5 / zoom, 1 - 0.5 / zoom)
    return (float(middle[0]), float(middle[1]), zoom)


def compare_player(
    *,
    left: Path,
    right: Path,
    labels: tuple[str, str] = ("Before", "After"),
    others: Mapping[str, Path] | None = None,
    fps: Fraction | float = 25,
    frames: int | None = None,
    frame: int | None = None,
    on_frame: Callable[[int], None] | None = None,
    mode: Literal["slider", "side", "difference"] = "slider",
    focus: Mapping[str, Focus] | None = None,
    key: str,
) -> None:
    """Shows `left` and `right`, which may be films (MP4, WebM) or pictures, and plays the films in step.

    Args:
        left: What is seen left of the slider.
        right: What is seen right of it; its shape is the shape of the player.
        labels: What the two are called.
        others: More films or pictures by name, which can be put on either side.
        fps: Frame rate of the films.
        frames: Their number of frames; None: as the browser finds it.
        frame: Go to this frame when it changes.
        on_frame: Called with the frame the user stops at; None: nothing is reported to the server.
        mode: How the two are shown at first; the user can change it.
        focus: By name, what to show large when the user asks for it: usually the face.
        key: Unique on the page.
    """
    sources = {labels[0]: left, labels[1]: right, **(others or {})}
    if len(sources) != 2 + len(others or {}):
        raise ValueError(f"the names of what is compared must differ, but got {labels} and {list(others or {})}")
    data = {
        "sources": [
            {
                "label": label,
                "url": media_url(path, place=f"{key}-{number}"),
                "film": path.suffix.lower() in _FILMS,
                "focus": list((focus or {}).get(label) or ()) or None,
            }
            for number, (label, path) in enumerate(sources.items())
        ],
        "fps": float(fps),
        "frames": frames,
        "frame": frame,
        "report": on_frame is not None,
        "mode": mode,
    }

    def moved() -> None:
        value = (st.session_state.get(key) or {}).get("frame")
        if value is not None and on_frame is not None:
            on_frame(int(value))

    component("compare")(key=key, data=data, on_frame_change=moved)
