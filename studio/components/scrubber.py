"""Frame by frame through a run: pictures side by side with landmarks over them, drawn in the browser without delay."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from studio.components.assets import AS_IT_IS, component, media_url
from studio.frame_pack import FramePack
from studio.regions import mesh_edges, regions
from visiongen.errors import MediaError

MISSING = 65535
"""Code of a point that was not seen."""
_LOW, _HIGH = -0.5, 1.5
"""Range that codes 0 to 65534 stand for, in shares of the picture: half a picture beyond every border."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One picture of the scrubber and what is drawn on it."""

    label: str
    size: tuple[int, int]
    """Height and width of the picture that points are given in, px."""
    frames: FramePack | None = None
    """Its film; None: a still picture."""
    picture: Path | None = None
    """The still picture; None (and no film): landmarks on an empty ground."""
    tracks: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Name -> (T, 478, 2 or 3) px, or one frame of it for a still picture; NaN where no face was seen. The second one
    is drawn hollow."""
    origin: np.ndarray | None = None
    """(478, 2 or 3) px, where motion vectors of the first track begin; None: it has none."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Frames to point out under the time line."""

    first: int
    last: int
    label: str
    severity: float = 0.5
    """0 to 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScrubberFiles:
    """What the browser fetches: the layout as JSON values, and where the arrays and frames are."""

    layout: Mapping[str, Any]
    address: str
    """Of the arrays, which the browser fetches when it has shown what is seen first."""
    first: Mapping[str, Any]
    """What is seen first, so that the page has not to fetch it: a frame's number, JPEGs and points (base64)."""


def encoded(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (..., 2 or 3) px of a picture of `size` (H, W) as uint16 codes (..., 2).

    A step is 1/32767 of the picture's side, 0.03 px at 1000 px.
    """
    scale = (MISSING - 1) / (_HIGH - _LOW) / np.array([size[1], size[0]], np.float32)
    codes = np.asarray(points, np.float32)[..., :2] * scale.astype(np.float32)
    codes -= np.float32(_LOW * (MISSING - 1) / (_HIGH - _LOW))
    missing = np.isnan(codes).any(-1)
    np.rint(np.clip(codes, 0, MISSING - 1, out=codes), out=codes)
    codes[missing] = MISSING
    return codes.astype("<u2")


def face_box(panel: Panel) -> list[float] | None:
    """Left, top, right and bottom of a square round the face in all frames, with some air, in shares of the picture; None
    where no face is seen."""
    height, width = panel.size
    seen = [points[..., :2].reshape(-1, 2) for points in panel.tracks.values()]
    points = np.concatenate([*seen, np.empty((0, 2))]) / [width, height]
    points = np.clip(points[np.isfinite(points).all(-1)], _LOW, _HIGH)
    if not len(points):
        return None
    low, high = points.min(0), points.max(0)
    if (high <= low).any():
        return None
    ratio = height / width
    side = min(1.2 * max((high[0] - low[0]) / ratio, high[1] - low[1]), 1 / ratio, 1.0)
    extent = np.array([side * ratio, side])
    corner = np.clip((low + high - extent) / 2, 0, 1 - extent)
    return [*corner.tolist(), *(corner + extent).tolist()]


def _as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _jpeg_text(pack: FramePack, frame: int) -> str | None:
    try:
        return _as_text(pack.jpeg(frame))
    except MediaError:  # the browser fetches it like the others, and tells beside the others what is wrong
        return None


def first_sight(panels: Sequence[Panel], frame: int) -> dict[str, Any]:
    """Pictures of a frame (None: not from a film, or not to be read) and its points, one panel's tracks behind another's."""
    codes = [
        encoded(points[min(frame, len(points) - 1)] if points.ndim == 3 else points, panel.size)
        for panel in panels
        for points in panel.tracks.values()
    ]
    return {
        "frame": frame,
        "pictures": [_jpeg_text(panel.frames, frame) if panel.frames else None for panel in panels],
        "points": _as_text(b"".join(one.tobytes() for one in codes)),
    }


def packed(panels: Sequence[Panel]) -> tuple[list[dict[str, Any]], bytes]:
    """The panels' layout, and all their points behind each other: uint16, positions and lengths in elements."""
    parts: list[np.ndarray] = []
    length = 0

    def keep(array: np.ndarray) -> int:
        nonlocal length
        parts.append(array.ravel())
        length += array.size
        return length - array.size

    layout = []
    for panel in panels:
        tracks = []
        for name, points in panel.tracks.items():
            points = points if points.ndim == 3 else points[None]
            tracks.append({"label": name, "at": keep(encoded(points, panel.size)), "frames": len(points)})
        layout.append(
            {
                "label": panel.label,
                "ratio": panel.size[1] / panel.size[0],
                "tracks": tracks,
                "box": face_box(panel),
                "origin": None if panel.origin is None else keep(encoded(panel.origin, panel.size)),
            }
        )
    return layout, np.concatenate([*parts, np.zeros(0, "<u2")]).astype("<u2").tobytes()


def publish(panels: Sequence[Panel], *, frame: int = 0, key: str) -> ScrubberFiles:
    """Hands the panels' files to the page, which shows `frame` first. Call it outside of the fragment that shows the
    scrubber: reading and hashing the frames is then done once, not at every frame the user stops at."""
    layout, points = packed(panels)
    edges = mesh_edges().astype("<u2")
    for number, (entry, panel) in enumerate(zip(layout, panels, strict=True)):
        source = panel.frames.path if panel.frames else panel.picture
        media_type = AS_IT_IS if panel.frames else None
        entry["film"] = panel.frames is not None
        entry["url"] = media_url(source, place=f"{key}-{number}", media_type=media_type) if source else None
    address = media_url(points + edges.tobytes(), place=f"{key}-points")
    places = {"at": len(points) // edges.itemsize, "length": edges.size}
    told = {"panels": layout, "points": address, "edges": places}
    return ScrubberFiles(layout=told, address=address, first=first_sight(panels, frame))


def scrubber(
    files: ScrubberFiles,
    *,
    frames: int,
    frame: int = 0,
    fps: Fraction | float = 25,
    marks: Sequence[Mark] = (),
    chosen: Sequence[int] = (),
    on_frame: Callable[[int], None],
    on_landmark: Callable[[int], None] | None = None,
    space: str = "",
    on_camera: Callable[[Any], None] | None = None,
    is_new: bool = True,
    key: str,
) -> None:
    """Shows the panels and lets the user go through their frames. Nothing goes to the server while that happens: where
    the user stops is reported once.

    Args:
        files: From `publish`.
        frames: Their number.
        frame: Go here when it changes.
        fps: For playing.
        marks: Shown under the time line.
        chosen: Landmarks drawn with a ring and their number.
        on_frame: Called with the frame the user stopped at.
        on_landmark: Called with the number of a landmark that was clicked.
        space: Key of a Plotly chart in space that is drawn anew for every frame, where the page has one.
        on_camera: Called before `on_frame` with what that chart's camera was (unchecked: it comes from the browser).
        is_new: The page has to be told what is seen first; it knows that when only the fragment is drawn again.
        key: Unique on the page.
    """

    def moved() -> None:
        value = (st.session_state.get(key) or {}).get("frame")
        if value is not None:
            if on_camera is not None and value["camera"] is not None:
                on_camera(value["camera"])
            on_frame(min(max(int(value["frame"]), 0), frames - 1))

    def clicked() -> None:
        value = (st.session_state.get(key) or {}).get("landmark")
        if value is not None and on_landmark is not None:
            on_landmark(int(value))

    data = {
        **files.layout,
        "first": files.first if is_new else None,
        "frames": frames,
        "frame": min(max(frame, 0), frames - 1),
        "fps": float(fps),
        "marks": [vars(mark) for mark in marks],
        "chosen": list(chosen),
        "picks": on_landmark is not None,
        "space": space,
        "regions": [
            {"name": one.name, "label": one.label, "colour": one.colour, "points": one.points} for one in regions()
        ],
    }
    component("scrubber", scripts=("after_input", "scrubber_frames", "scrubber_panel"))(
        key=key, data=data, on_frame_change=moved, on_landmark_change=clicked
    )
