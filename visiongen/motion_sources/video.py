"""A driving video: the face mesh is found in every frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from visiongen import media
from visiongen.datatypes import MotionTrack
from visiongen.landmarks import track
from visiongen.motion import motion_from_landmarks


class VideoSource:
    """A `MotionSource`, see above; the motion knows its clip."""

    def extract(
        self,
        path: Path,
        *,
        start: float,
        end: float | None,
        progress: Callable[[int, int | None], None] | None,
    ) -> MotionTrack:
        """Head pose and expression of the face that is followed through the video."""
        clip = media.probe(path, start=start, end=end)
        return motion_from_landmarks(track(clip, progress=progress), clip=clip)
