"""Remedies applied: motion filled in, pieces cut out, settings changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.motion import piece
from visiongen.retarget import MotionSettings
from visiongen.rotations import mean_rotation, rotation_matrices, rotation_vectors

_CALM_FRAMES = 1.5
"""Frames over which what was seen of a covered face is averaged (standard deviation)."""
_SEEN_SHARE = {"turn": 0.75, "translation": 1.0, "scale": 0.0, "offsets": 0.5}
"""How much of what was seen of a covered face is kept, of each part of the motion."""
_LEAP = 2.0
"""A step is a leap beyond so many of the largest steps elsewhere (and a twentieth of the face's width, or 3 degrees)."""


def apply_remedy(
    remedy: Remedy, motion: MotionTrack, settings: MotionSettings | None = None
) -> tuple[MotionTrack, MotionSettings]:
    """The driver's motion and the settings after one remedy.

    Frames that are filled in count as not seen afterwards, so that none of them is chosen as the reference frame.
    """
    settings = replace(settings or MotionSettings(), **remedy.settings)
    if remedy.fill is not None:
        motion = filled(motion, *remedy.fill)
    if remedy.trim is not None:
        motion = trimmed(motion, *remedy.trim)
        if settings.reference_frame is not None:
            kept = settings.reference_frame - remedy.trim[0]
            settings = replace(settings, reference_frame=kept if 0 <= kept < len(motion) else None)
    return motion, settings


def apply_remedies(
    problems: Iterable[Problem], motion: MotionTrack, settings: MotionSettings | None = None
) -> tuple[MotionTrack, MotionSettings]:
    """The driver's motion and the settings after all automatic remedies of `problems`.

    Of two that change one setting the stronger counts, and what is set stronger already stays.
    """
    settings = settings or MotionSettings()
    for problem in problems:
        if problem.remedy is not None and problem.remedy.automatic:
            motion, changed = apply_remedy(problem.remedy, motion, settings)
            stronger = {
                name: (max if name == "smoothing" else min)(value, getattr(settings, name))
                for name, value in problem.remedy.settings.items()
                if name != "reference_frame"
            }
            settings = replace(changed, **stronger)
    return motion, settings


def filled(motion: MotionTrack, first: int, last: int) -> MotionTrack:
    """`motion` with frames `first` to `last` made anew, as far as what was seen in them cannot be trusted.

    What was seen of the head's place and turn is nearly right even when half the face is covered: it is calmed, the turn
    drawn a little to a soft bridge from the frame before to the frame after, the size wholly replaced by it, for it is
    what a cover changes most. The expression is drawn half way to the usual one of the driver. (Bridges alone are twice as
    far off where a head moves; shares measured by ``docs/measure_diagnostics.py``.) Only bridged is a
    piece of which at most half shows a face, and what leaps away at one of its ends: there the cover itself was taken for
    the face. At an end of the clip the nearest frame holds.

    Raises:
        ValueError: No frame would be left to fill them from.
    """
    last = min(last, len(motion) - 1)
    if first == 0 and last == len(motion) - 1:
        raise ValueError("all frames of the motion would be filled in; there is none to fill them from")
    run = slice(first, last + 1)
    base = mean_rotation(motion.rotation)
    vectors = rotation_vectors(base.T @ motion.rotation)
    parts = {"turn": vectors, "translation": motion.translation, "scale": motion.scale[:, None]}
    parts["offsets"] = motion.offsets.reshape(len(motion), -1)
    mixed = {name: values.copy() for name, values in parts.items()}
    for name, values in parts.items():
        bridge = _bridge(*_ends(values, first, last), last - first + 1)
        if motion.visible[run].mean() <= 0.5 or _jumps(values, first, last):
            mixed[name][run] = bridge
        else:
            usual = np.median(np.delete(values, np.r_[run], axis=0), axis=0)
            guess = usual if name == "offsets" else bridge
            mixed[name][run] = _mixed(values[run], guess, share=_SEEN_SHARE[name])
    visible = motion.visible.copy()
    visible[run] = False
    rotation = motion.rotation.copy()
    rotation[run] = base @ rotation_matrices(mixed["turn"][run])
    return replace(
        motion,
        rotation=rotation,
        translation=mixed["translation"],
        scale=mixed["scale"][:, 0],
        offsets=mixed["offsets"].reshape(motion.offsets.shape),
        visible=visible,
    )


def _mixed(seen: np.ndarray, guess: np.ndarray, *, share: float) -> np.ndarray:
    """(L, D) what was `seen` (L, D), calmed, keeping `share` of it and taking the rest of `guess`; near its ends more of
    it, so that the piece meets the frames beside it."""
    from scipy.ndimage import gaussian_filter1d

    calmed = gaussian_filter1d(seen.astype(np.float64), _CALM_FRAMES, axis=0, mode="nearest")
    length = len(seen)
    t = (np.arange(length) + 1)[:, None]
    inside = np.clip(np.minimum(t, length + 1 - t) / 4, 0, 1)
    return calmed + (1 - share) * inside * (guess - calmed)


def _jumps(values: np.ndarray, first: int, last: int) -> bool:
    """Whether (T, D) leaps at an end of a piece as it nowhere does outside of it."""
    steps = np.linalg.norm(np.diff(values, axis=0), axis=1)  # step i leads from frame i to i + 1
    borders = [steps[i] for i in (first - 1, last) if 0 <= i < len(steps)]
    outside = np.delete(steps, np.r_[max(first - 1, 0) : min(last + 1, len(steps))])
    usual = float(outside.max(initial=0.0))
    return max(borders) > _LEAP * usual + 0.05 * np.sqrt(values.shape[1] / 3)


def _ends(values: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames before and after a piece; at an end of the clip the one that is there, twice."""
    before, after = values[max(first - 1, 0)], values[min(last + 1, len(values) - 1)]
    return (after, after) if first == 0 else (before, before) if last == len(values) - 1 else (before, after)


def _bridge(before: np.ndarray, after: np.ndarray, length: int) -> np.ndarray:
    """(L, D) from one to the other, at rest at both ends."""
    t = (np.arange(1, length + 1) / (length + 1))[:, None]
    weight = t * t * (3 - 2 * t)
    return before * (1 - weight) + after * weight


def trimmed(motion: MotionTrack, first: int, last: int) -> MotionTrack:
    """Frames `first` to `last` of a motion, with its clip (and so its sound) cut alike."""
    part = piece(motion, slice(first, last + 1))
    if not len(part):
        raise ValueError(f"the motion has {len(motion)} frames, none from {first} to {last}")
    clip = motion.clip
    if clip is not None:
        begin = float(first / clip.fps)
        clip = replace(
            clip, start=clip.start + begin, end=clip.start + float((last + 1) / clip.fps), num_frames=len(part)
        )
    return replace(part, times=part.times - part.times[0], clip=clip)
