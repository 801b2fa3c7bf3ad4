"""What the page Inspect shows of a run, read once and kept: arrays, frames, the insides of its generator."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from studio.components.scrubber import Mark, Panel
from studio.expressions import degrees, expression_curves, first_seen
from studio.frame_pack import FramePack, frame_pack
from studio.looking_inside import Insides, Scene, scene_of
from studio.settings import Part
from studio.store import Run
from visiongen.diagnostics import read_problems
from visiongen.errors import MediaError, VisionGenError
from visiongen.hookspecs import InnerMap
from visiongen.media import read_picture
from visiongen.pose import fit_head

TRACKS = {"target": "wanted", "generated": "found in the result", "driving": "driver"}
"""Landmark tracks and what they are called."""


@dataclass(frozen=True, eq=False)
class RunData:
    """Arrays of one run; made by `run_data`."""

    run: Run
    tracks: Mapping[str, np.ndarray]
    series: Mapping[str, np.ndarray]

    @property
    def frames(self) -> int:
        """Their number."""
        return len(self.tracks["times"])

    @property
    def times(self) -> np.ndarray:
        """(T,) s."""
        return self.tracks["times"]

    @property
    def names(self) -> dict[str, str]:
        """Tracks that show a face somewhere, and what they are called."""
        return {
            one: text for one, text in TRACKS.items() if one in self.tracks and first_seen(self.tracks[one]) is not None
        }

    def size(self, track: str) -> tuple[int, int]:
        """Height and width of the picture a track is given in, px."""
        height, width = self.tracks["driving_size" if track == "driving" else "result_size"]
        return int(height), int(width)

    def reference(self, track: str) -> np.ndarray:
        """(478, 3) px where motion is measured from: the portrait; of the driver, its first frame with a face."""
        if track != "driving":
            return self.tracks["reference"]
        return first_seen(self.tracks["driving"])

    def own_landmarks(self, size: tuple[int, int]) -> np.ndarray | None:
        """(478, 3) px of the portrait's picture of height and width `size`; None where a result that is a piece of it does
        not tell."""
        if "portrait" in self.tracks:
            return self.tracks["portrait"]
        return self.reference("target") if size == self.size("target") else None

    @cached_property
    def curves(self) -> dict[str, dict[str, np.ndarray]]:
        """Track -> expression curve -> (T,)."""
        return {one: expression_curves(self.tracks[one]) for one in self.names}

    @cached_property
    def angles(self) -> dict[str, np.ndarray]:
        """Whose head -> (T, 3) degrees."""
        found = {"wanted": degrees(self.tracks["rotation"])}
        if "generated" in self.names:
            points = self.tracks["generated"]
            seen = ~np.isnan(points).any((1, 2))
            turned = np.full((len(points), 3), np.nan)
            turned[seen] = degrees(fit_head(points[seen].astype(np.float64))[0])
            found[TRACKS["generated"]] = turned
        return {**found, TRACKS["driving"]: degrees(self.tracks["driver_rotation"])}

    @cached_property
    def moved(self) -> dict[str, np.ndarray]:
        """Track -> (T, 478) how far landmarks are from their reference, px."""
        return {one: np.linalg.norm((self.tracks[one] - self.reference(one))[..., :2], axis=-1) for one in self.names}

    def film(self, name: str) -> FramePack | None:
        """Frames of ``driving`` or ``result``; None where the run has no such film."""
        path = self.run.file(f"{name}.mp4")
        return frame_pack(path) if path else None

    def under(self, track: str, frame: int) -> bytes | None:
        """JPEG of the picture that a track belongs to: the film's frame, else the portrait."""
        pack = self.film("driving" if track == "driving" else "result")
        if pack is not None and len(pack):
            return pack.jpeg(frame)
        portrait = self.run.file("portrait.png") if track != "driving" else None
        if portrait is None or _size_of(str(portrait)) != self.size(track):
            return None
        return _as_jpeg(str(portrait))


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(run_id: str, changed: float, _run: Run) -> RunData:
    tracks = _run.tracks()
    missing = {"target", "reference", "times", "rotation", "driver_rotation", "result_size"} - set(tracks)
    if missing:
        raise MediaError(
            f"{_run.title}: its landmarks are not complete ({', '.join(sorted(missing))}); render it again"
        )
    return RunData(_run, tracks, _run.series())


def run_data(run: Run) -> RunData:
    """The arrays of a run.

    Raises:
        MediaError: They are missing or damaged.
    """
    path = run.folder / "tracks.npz"
    return _kept(run.id, path.stat().st_mtime if path.is_file() else 0.0, run)


@st.cache_data(max_entries=8, show_spinner=False)
def _size_of(path: str) -> tuple[int, int]:
    from PIL import Image

    from visiongen.media import PICTURE_FORMATS

    with Image.open(path, formats=PICTURE_FORMATS) as picture:
        return picture.height, picture.width


@st.cache_data(max_entries=4, show_spinner=False)
def _as_jpeg(path: str) -> bytes:
    picture = cv2.cvtColor(read_picture(Path(path)), cv2.COLOR_RGB2BGR)  # within limits: projects come from anywhere
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return jpeg.tobytes()


def panels(data: RunData) -> list[Panel]:
    """What the scrubber shows side by side: portrait, driver, result, as far as they are there."""
    result_size = data.size("target")
    found = []
    if portrait := data.run.file("portrait.png"):
        size = _size_of(str(portrait))
        own = data.own_landmarks(size)
        tracks = {} if own is None else {"portrait": own}
        found.append(Panel(label="Portrait", size=size, picture=portrait, tracks=tracks))
    if "driving" in data.names:
        found.append(
            Panel(label="Driver", size=data.size("driving"), frames=data.film("driving"),
                  tracks={"seen": data.tracks["driving"]}, origin=data.reference("driving"))
        )  # fmt: skip
    result = data.film("result")
    shown = {"wanted": data.tracks["target"]}
    if "generated" in data.names:
        shown["found"] = data.tracks["generated"]
    still = portrait if result is None and portrait and _size_of(str(portrait)) == result_size else None
    label = "Result" if result else "Wanted motion"
    found.append(
        Panel(
            label=label, size=result_size, frames=result, picture=still, tracks=shown, origin=data.reference("target")
        )
    )
    return found


def marks(run: Run, frames: int) -> list[Mark]:
    """Failure cases of a run, for the time line; none where they cannot be read."""
    path = run.file("problems.json")
    if path is None:
        return []
    try:
        problems = read_problems(path)
    except VisionGenError:
        return []
    last = frames - 1
    return [
        Mark(first=min(one.first, last), last=min(one.last, last), label=one.title, severity=one.severity)
        for one in problems
    ]


@st.cache_resource(max_entries=2, show_spinner=False)
def scene(run_id: str, _run: Run) -> Scene:
    """Portrait and motion of a run, as its generator got them."""
    return scene_of(_run)


@st.cache_resource(max_entries=1, show_spinner=False)
def _insides(generator: str) -> tuple[Insides, threading.Lock]:
    return Insides(Part(**json.loads(generator))), threading.Lock()


def inner_maps(run: Run, frame: int) -> list[InnerMap] | None:
    """What goes on inside a run's generator for a frame; None where it does not show that.

    Raises:
        VisionGenError: It cannot be loaded, or fails.
    """
    insides, lock = _insides(json.dumps(asdict(run.settings.generator), sort_keys=True))
    if not insides.can_explain:
        return None
    with lock:  # a generator keeps the portrait it saw last
        return insides.maps(scene(run.id, run), frame)


def region_text(landmark: int) -> str:
    """A landmark with the region it is in, for lists."""
    from studio.regions import region_of

    return f"{landmark} {region_of()[landmark].label.lower()}"


def described(settings: Any) -> str:
    """Settings of a run in one line."""
    parts = [settings.generator.name, *(one.name for one in settings.enhancers)]
    motion = settings.motion
    parts.append("absolute" if motion.mode == "absolute" else "relative")
    parts += [
        f"{name} {getattr(motion, name):g}" for name in ("pose", "mouth", "eyes", "brows") if getattr(motion, name) != 1
    ]
    return " · ".join(parts)
