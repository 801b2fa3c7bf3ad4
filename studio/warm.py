"""What a worker process keeps between tasks: portraits, landmarks of clips, generators."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.settings import Part, Settings
from visiongen import DrivingClip, LandmarkTrack, MotionTrack, Portrait, choose, extract_motion, load, prepare_portrait
from visiongen.errors import VisionGenError
from visiongen.media import probe
from visiongen.motion import motion_from_landmarks
from visiongen.pipeline import Progress, resolve_device

_KEPT = {"frame": 200}
"""How many things of a kind are kept."""
_FEW_KEPT = 4
LONG_PIECE, FEW_FRAMES = 250, 24
"""A preview of a longer piece, frames, looks at so many frames of it."""


class Warm:
    """Caches of one worker process. Landmarks are also kept on disk, where all workers find them."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "cache"
        self._kept: dict[str, OrderedDict[Any, Any]] = {}

    def up(self) -> None:
        """Loads what nearly every task needs: the detector's libraries and the default generator."""
        from visiongen.landmarks import FaceMesh

        FaceMesh(max_faces=1).close()
        with contextlib.suppress(VisionGenError):  # whoever chooses it is told
            self.component("generator", Part(name="vae-gan"), resolve_device("auto"))

    def _keep(self, kind: str, key: Any, make: Callable[[], Any]) -> Any:
        kept = self._kept.setdefault(kind, OrderedDict())
        if key not in kept:
            kept[key] = make()
            while len(kept) > _KEPT.get(kind, _FEW_KEPT):
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key]

    def portrait(self, settings: Settings) -> Portrait:
        """The portrait, its face found and cropped."""
        size = settings.size if settings.full else None
        key = (_identity(settings.portrait), settings.face, size)
        return self._keep("portrait", key, lambda: prepare_portrait(settings.portrait, face=settings.face, size=size))

    def driving(self, settings: Settings, progress: Progress | None = None) -> tuple[LandmarkTrack | None, MotionTrack]:
        """Landmarks of the used piece (None for a template) and the motion they make."""
        if settings.is_template:
            return None, extract_motion(settings.driving, start=settings.start, end=settings.end)
        clip = probe(settings.driving, start=settings.start, end=settings.end)
        key = _piece_key(settings, clip)

        def read() -> tuple[LandmarkTrack, MotionTrack]:
            seen = self._landmarks(key, clip, progress)
            return seen, motion_from_landmarks(seen, clip=clip)

        return self._keep("driving", key, read)

    def _file(self, key: Any) -> Path:
        return self._folder / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}.npz"

    def _is_known(self, key: Any) -> bool:
        return key in self._kept.get("driving", {}) or self._file(key).exists()

    def _landmarks(self, key: Any, clip: Any, progress: Progress | None) -> LandmarkTrack:
        from visiongen.landmarks import track

        path = self._file(key)
        with contextlib.suppress(Exception):  # not there, or cut off: it is made again
            with np.load(path, allow_pickle=False) as data:
                size = data["size"]
                return LandmarkTrack(points=data["points"], visible=data["visible"], times=data["times"],
                                     height=int(size[0]), width=int(size[1]))  # fmt: skip
        seen = track(clip, progress=(lambda done, total: progress("landmarks", done, total)) if progress else None)
        with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
            self._folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez(file, points=seen.points, visible=seen.visible, times=seen.times,
                         size=[seen.height, seen.width])  # fmt: skip
            os.replace(part, path)
        return seen

    def component(self, kind: str, part: Part, device: str) -> Any:
        """A loaded component; generators are kept, since loading their weights takes longest."""
        choice = part.choice(kind)
        component = choose(kind, choice.name)
        if kind != "generator":
            return load(component, choice.options, device=device)
        key = (choice.name, repr(choice.options), device)
        return self._keep(kind, key, lambda: load(component, choice.options, device=device))

    def fitted(self, settings: Settings, progress: Progress | None = None) -> tuple[Any, ...]:
        """(landmarks or None, motion, portrait with a crop for it, motion fitted to the portrait).

        Raises:
            VisionGenError: The motion does not fit, for example its reference frame does not exist.
        """
        portrait = self.portrait(settings)
        seen, motion = self.driving(settings, progress)
        motion = _filled(motion, settings)
        return seen, motion, *_fit(portrait, motion, settings)

    def fitted_for_preview(
        self, settings: Settings, frame: int, progress: Progress | None = None
    ) -> tuple[Portrait, MotionTrack, int]:
        """(portrait, fitted motion, number of `frame` in it): of a long piece that was not read yet, a few frames."""
        portrait = self.portrait(settings)
        clip = None if settings.is_template else probe(settings.driving, start=settings.start, end=settings.end)
        if clip is None or (clip.num_frames or 0) <= LONG_PIECE or self._is_known(_piece_key(settings, clip)):
            _, motion = self.driving(settings, progress)
            # The same objects for every frame of a piece: generators keep what they know of them.
            key = id(portrait), id(motion), settings.fills, repr(settings.motion)
            fitted = self._keep(
                "fitted", key, lambda: (portrait, motion, *_fit(portrait, _filled(motion, settings), settings))
            )
            return *fitted[2:], min(max(frame, 0), len(fitted[3]) - 1)
        count = clip.num_frames or 1
        few = sorted({*np.linspace(0, count - 1, FEW_FRAMES).astype(int).tolist(), min(max(frame, 0), count - 1)})
        points = []
        for done, number in enumerate(few):
            points.append(self._landmarks_at(settings.driving, clip, number))
            if progress:
                progress("landmarks", done + 1, len(few))
        visible = [not np.isnan(one).any() for one in points]
        seen = LandmarkTrack(points=points, visible=visible, times=[float(n / clip.fps) for n in few],
                             height=clip.height, width=clip.width)  # fmt: skip
        motion_settings = replace(settings.motion, smoothing=0.0)
        if motion_settings.reference_frame is not None:  # its number is one of the whole piece
            nearest = int(np.argmin(np.abs(np.array(few) - motion_settings.reference_frame)))
            motion_settings = replace(motion_settings, reference_frame=nearest)
        fitted = _fit(portrait, motion_from_landmarks(seen, clip=clip), settings.replace(motion=motion_settings))
        return *fitted, few.index(min(max(frame, 0), count - 1))

    def _landmarks_at(self, path: str, clip: DrivingClip, number: int) -> np.ndarray:
        """(478, 3) px of one frame of a clip's piece, NaN where no face was seen."""
        from visiongen.landmarks import FaceMesh
        from visiongen.media import read_frames

        def look() -> np.ndarray:
            mesh = self._keep("mesh", "one", lambda: FaceMesh(max_faces=1))
            frames = read_frames(probe(path, start=clip.start + float(number / clip.fps)), batch_size=1)
            with contextlib.closing(frames):
                faces = mesh(next(frames).pixels[0])
            return faces[0] if len(faces) else np.full((478, 3), np.nan, np.float32)

        return self._keep("frame", (_identity(path), clip.start, number), look)

    def device(self, settings: Settings) -> str:
        """The device really used."""
        return resolve_device(settings.device)


def _identity(path: str) -> tuple[str, int, int]:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return path, found.st_mtime_ns, found.st_size
    return path, 0, 0  # reading it will say what is wrong


def _piece_key(settings: Settings, clip: DrivingClip) -> Any:
    return _identity(settings.driving), clip.start, clip.end


def _filled(motion: MotionTrack, settings: Settings) -> MotionTrack:
    """A motion after the remedies that fill frames in."""
    from visiongen.diagnostics import Remedy, apply_remedy

    try:
        for first, last in settings.fills:
            motion = apply_remedy(Remedy(label="fill", fill=(first, last)), motion)[0]
    except ValueError as error:
        raise VisionGenError(f"{settings.driving_name}: {error}") from error
    return motion


def _fit(portrait: Portrait, motion: MotionTrack, settings: Settings) -> tuple[Portrait, MotionTrack]:
    from visiongen import fit_motion

    try:
        return fit_motion(portrait, motion, settings.motion)
    except ValueError as error:
        raise VisionGenError(f"{settings.driving_name}: {error}") from error
