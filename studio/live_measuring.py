"""Makes a recording of Live a run like any other: landmarks of driver and portrait, metrics, failure cases."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.measuring import Measuring
from studio.rendering import DRIVING, RESULT, Result, diagnosed, write_arrays
from studio.settings import Settings
from visiongen import MotionTrack, Portrait
from visiongen.errors import NoFaceError
from visiongen.landmarks import track
from visiongen.media import probe, read_frames
from visiongen.motion import motion_from_landmarks
from visiongen.retarget import portrait_motion


def measure_recording(
    folder: Path, settings: Settings, portrait: Portrait, motions: Sequence[MotionTrack | None]
) -> dict[str, Any]:
    """Writes ``tracks.npz``, ``series.npz`` and ``problems.json`` beside the films of a recording.

    What the portrait should do is known from the session; the driver and the result are looked at in their films.

    Args:
        folder: Of the run, with ``result.mp4`` and ``driving.mp4``.
        settings: Of the run.
        portrait: As the session moved it.
        motions: For each of the F frames one frame of motion, fitted to the portrait; None where no face was seen.
    Returns:
        Plain values for the run: ``summary`` and ``warnings``.
    """
    clip = probe(folder / DRIVING)
    try:
        seen = track(clip, workers=1)  # the camera may go on, and needs the other cores
    except NoFaceError:
        return {
            "summary": {},
            "warnings": ["no face was seen in this recording, so it has no landmarks and no metrics"],
        }
    motion = motion_from_landmarks(seen, clip=clip)
    fitted = joined(motions[: len(seen)], portrait, seen.times)
    result = Result(settings, portrait, fitted, motion)
    measuring = Measuring(
        settings, result.portrait(), result.fps, lambda *_, **__: None, targets=result.target(), driving=seen.points
    )
    with measuring, closing(read_frames(probe(folder / RESULT), batch_size=4)) as batches:
        for batch in batches:
            measuring.add(batch)
    # Live has no reference frame: the neutral face was learned, so what is wrong with a frame is wrong with it alone.
    found = diagnosed(motion, portrait, fitted, settings, folder, without=("poor-reference",))
    write_arrays(folder, result, seen, motion, fitted, measuring, (clip.height, clip.width))
    return {"summary": measuring.summary(), "warnings": [*measuring.warnings, *found]}


def joined(motions: Sequence[MotionTrack | None], portrait: Portrait, times: np.ndarray) -> MotionTrack:
    """Single frames of motion as one; where there is none, the portrait stays as it was before.

    Args:
        motions: F of them, one frame each.
        portrait: Whom they are fitted to.
        times: (F,) s, of the film.
    """
    last = portrait_motion(portrait)
    unit = last.face_width
    shown: list[MotionTrack] = []
    for one in motions:
        last = last if one is None else one
        shown.append(last)

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(one, name) for one in shown])

    zoom = np.array([one.face_width / unit for one in shown])  # absolute motion brings its own unit
    return replace(
        portrait_motion(portrait), rotation=stacked("rotation"), offsets=stacked("offsets"), times=times,
        translation=stacked("translation") * zoom[:, None], scale=stacked("scale") * zoom,
        visible=np.array([one is not None for one in motions], bool),
    )  # fmt: skip
