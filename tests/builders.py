"""Faces with a known pose and expression, and small real clips of a moving head, made inside the tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from films import beeps
from scipy.spatial.transform import Rotation

from visiongen.datatypes import LandmarkTrack, MotionTrack, Portrait
from visiongen.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from visiongen.pose import face_model

EYES = {"right": RIGHT_EYE, "left": LEFT_EYE}
LIPS_ABOVE, LIPS_BELOW = INNER_LIPS[1:10], INNER_LIPS[:10:-1]
BROWS = RIGHT_BROW + LEFT_BROW
UNIT = 110.0
"""Face width of the built faces, px."""


# --- faces in the head frame, (..., 478, 3) face widths ---------------------------------------------------------------


def lids(side: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Points of the upper and the lower lid, each above the other."""
    return EYES[side][1:8], EYES[side][:8:-1]


def eye_opening(points: np.ndarray, side: str) -> np.ndarray:
    """(...) mean gap of the lids over the width of the eye; of frontal faces."""
    upper, lower = lids(side)
    width = np.linalg.norm(points[..., EYES[side][0], :2] - points[..., EYES[side][8], :2], axis=-1)
    return (points[..., lower, 1] - points[..., upper, 1]).mean(-1) / width


def lip_gap(points: np.ndarray) -> np.ndarray:
    """(...) mean gap of the inner lips; of frontal faces, in their unit."""
    return (points[..., LIPS_BELOW, 1] - points[..., LIPS_ABOVE, 1]).mean(-1)


def _near(face: np.ndarray, members: Sequence[int], reach: float) -> np.ndarray:
    distance = np.linalg.norm(face[:, None] - face[list(members)], axis=-1).min(1)
    return np.clip(1 - distance / reach, 0, 1)


def face(*, blink: float = 0.0, jaw: float = 0.0, brows: float = 0.0, lips: float | None = None) -> np.ndarray:
    """The rest face with an expression, (478, 3).

    Args:
        blink: Share of the lids' gap that is closed, 0 to 1.
        jaw: How far the lower lip and the chin sink, face widths.
        brows: How far the brows rise, face widths.
        lips: Gap of the closed mouth to begin with; None: that of the rest face.
    """
    rest = face_model().points.astype(np.float64)
    shape = rest.copy()
    if lips is not None:
        below = (rest[:, 1] > rest[INNER_LIPS[0], 1] + 1e-6) & (_near(rest, LIPS_ABOVE, 1e-6) == 0)
        gap = rest[list(LIPS_BELOW), 1] - rest[list(LIPS_ABOVE), 1]
        shape[below, 1] -= gap.mean() - lips
        shape[list(LIPS_BELOW), 1] = rest[list(LIPS_ABOVE), 1] + lips
    mouth = rest[INNER_LIPS[0], 1]
    sinks = np.clip((rest[:, 1] - mouth) / 0.03, 0, 1) * (rest[:, 2] < 0.15)
    sinks[list(LIPS_ABOVE)], sinks[list(LIPS_BELOW)] = 0, 1
    shape[:, 1] += jaw * sinks
    for side in EYES:
        for upper, lower in zip(*lids(side), strict=True):
            shape[upper, 1] += blink * (rest[lower, 1] - rest[upper, 1])
    shape[:, 1] -= brows * _near(rest, BROWS, 0.08)
    return shape


def other_face(kind: str, shape: np.ndarray | None = None) -> np.ndarray:
    """A face of other proportions than the rest face, (478, 3); `kind` is one of `OTHER_FACES`."""
    shape = (face() if shape is None else shape).copy()
    rest = face_model().points
    if kind in ("large eyes", "small eyes"):
        for side, ring in EYES.items():
            centre = shape[list(ring), 1].mean()
            near = _near(rest, ring, 0.06)
            if side == "right":
                near = np.where(rest[:, 0] < 0, near, 0)
            else:
                near = np.where(rest[:, 0] > 0, near, 0)
            shape[:, 1] += near * (shape[:, 1] - centre) * (0.6 if kind == "large eyes" else -0.45)
    elif kind == "low mouth":
        shape[:, 1] += 0.07 * np.clip((rest[:, 1] - 0.05) / 0.15, 0, 1)
    elif kind == "small mouth":
        near = _near(rest, INNER_LIPS, 0.15)
        shape[:, :2] -= (near * 0.35)[:, None] * (shape[:, :2] - shape[list(INNER_LIPS), :2].mean(0))
    elif kind == "wide":
        shape[:, 0] *= 1.2
    elif kind == "long":
        shape[:, 1] *= 1.2
    elif kind == "mouth open":
        shape[:] = face(jaw=0.06)
    else:
        raise ValueError(kind)
    return shape


OTHER_FACES = ("large eyes", "small eyes", "low mouth", "small mouth", "wide", "long", "mouth open")


# --- faces in a picture, px -------------------------------------------------------------------------------------------


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) picture axes from head axes, degrees: looks to the picture's right, down, turned clockwise."""
    return Rotation.from_euler("zyx", [roll, -yaw, pitch], degrees=True).as_matrix()


def placed(
    shape: np.ndarray,
    *,
    turn: np.ndarray | None = None,
    centre: Sequence[float] = (128.0, 128.0),
    unit: float = UNIT,
) -> np.ndarray:
    """Landmarks (..., 478, 3) float32 px of a face in the head frame."""
    turn = np.eye(3) if turn is None else turn
    return (np.asarray(shape) @ np.swapaxes(turn, -1, -2) * unit + [*centre, 0.0]).astype(np.float32)


def random_faces(count: int, seed: int = 0) -> np.ndarray:
    """(count, 478, 3) float32 px: random pose, place, size, and expression."""
    rng = np.random.default_rng(seed)
    faces = [
        placed(
            face(blink=rng.uniform(), jaw=rng.uniform(0, 0.15), brows=rng.uniform(0, 0.05))
            + rng.normal(0, 0.004, (478, 3)),
            turn=rotation(*rng.uniform(-35, 35, 3)),
            centre=rng.uniform(80, 400, 2),
            unit=rng.uniform(40, 300),
        )
        for _ in range(count)
    ]
    return np.stack(faces)


def seen(points: np.ndarray, *, fps: float = 25.0, visible: np.ndarray | None = None, size: int = 256) -> LandmarkTrack:
    """Landmarks (T, 478, 3) as a track in a square picture."""
    visible = np.ones(len(points), bool) if visible is None else np.asarray(visible)
    points = np.where(visible[:, None, None], points, np.nan)
    return LandmarkTrack(points=points, visible=visible, times=np.arange(len(points)) / fps, height=size, width=size)


def portrait_of(points: np.ndarray, *, height: int = 256, width: int = 256) -> Portrait:
    """A portrait with these landmarks (478, 3) in a black picture which is its own crop."""
    side = max(height, width)
    return Portrait(
        image=np.zeros((height, width, 3), np.uint8),
        landmarks=points,
        crop=np.zeros((side, side, 3), np.uint8),
        image_from_crop=np.eye(3)[:2],
    )


# --- real pictures and clips ------------------------------------------------------------------------------------------


@cache
def astronaut(top: int = 0, left: int = 96, side: int = 256) -> np.ndarray:
    """(side, side, 3) uint8: a piece of scikit-image's portrait photograph; the face is 92 px wide."""
    from skimage.data import astronaut as photograph

    piece = np.ascontiguousarray(photograph()[top : top + side, left : left + side])
    piece.flags.writeable = False
    return piece


@cache
def astronaut_portrait() -> Portrait:
    """The head of the photograph, 256 x 256, found and cropped."""
    from visiongen.pipeline import prepare_portrait

    return prepare_portrait(astronaut())


def self_made_motion(portrait: Portrait, num_frames: int, *, fps: float = 25.0) -> MotionTrack:
    """Turns and nods by some degrees, speaks, and blinks once in a second: a motion in the portrait's own picture."""
    from visiongen.motion import motion_from_landmarks, place
    from visiongen.retarget import retarget

    time = np.arange(num_frames) / fps
    speech = 0.05 * np.sin(2 * np.pi * 2 * time) ** 2
    blink = np.exp(-(((time % 1 - 0.5) / 0.06) ** 2))
    points = [
        placed(
            face(jaw=j, blink=b), turn=rotation(yaw=8 * np.sin(2 * np.pi * t), pitch=4 * np.sin(2 * np.pi * 0.7 * t))
        )
        for t, j, b in zip(time, speech, blink, strict=True)
    ]
    motion = motion_from_landmarks(seen(np.stack(points), fps=fps))
    fitted = retarget(motion, portrait)
    assert len(place(fitted)) == num_frames
    return fitted


@cache
def moving_head(num_frames: int = 24) -> np.ndarray:
    """(T, 256, 256, 3) uint8: the photograph moved by the `warp` generator; the first frame is nearly itself."""
    from visiongen.generators.warp import WarpGenerator
    from visiongen.pipeline import render

    portrait = astronaut_portrait()
    batches = render(portrait, self_made_motion(portrait, num_frames), generator=WarpGenerator())
    frames = np.concatenate([batch.pixels for batch in batches])
    frames.flags.writeable = False
    return frames


def write_clip(path: Path, frames: Sequence[np.ndarray] | np.ndarray, *, fps: int = 25, audio: bool = False) -> Path:
    """Frames as an H.264 file, with the tones of `beeps` where there shall be sound."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], "yuv420p"
        track = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(video.encode(None))
        if track is not None:
            samples = beeps(np.arange(48000 * len(frames) // fps) / 48000).astype(np.float32)
            for first in range(0, len(samples), 1024):
                block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = 48000, first, Fraction(1, 48000)
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path
