"""Remedies applied: motion filled in, pieces cut out, settings changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.motion import piece
from visiongen.retarget import MotionSettings

_CALM_FRAMES = 2.0
"""Frames over which what was seen of a covered face is averaged (standard deviation)."""


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
            }
            settings = replace(changed, **stronger)
    return motion, settings


def filled(motion: MotionTrack, first: int, last: int) -> MotionTrack:
    """`motion` with frames `first` to `last` made from the ones beside them, as far as what was seen cannot be trusted.

    Two guesses are mixed: a soft bridge over the piece, and what was observed in it, calmed. How far the driver usually
    strays from such a bridge is measured in the rest of the clip: e. Where what was observed strays further, d, the
    rest of it is put down to what covers the face, and its weight is 2 e / d, at most 1 (of squares: a Wiener filter in
    favour of what was seen). Pose, place, size and expression are judged by themselves. Frames without a face are
    bridged alone; at an end of the clip the nearest frame holds.

    Raises:
        ValueError: No frame would be left to fill them from.
    """
    last = min(last, len(motion) - 1)
    if first == 0 and last == len(motion) - 1:
        raise ValueError("all frames of the motion would be filled in; there is none to fill them from")
    run = slice(first, last + 1)
    seen = motion.visible[run]
    turns = Rotation.from_matrix(motion.rotation)
    base = turns.mean()
    vectors = (base.inv() * turns).as_rotvec()
    parts = {"turn": vectors, "translation": motion.translation, "scale": motion.scale[:, None]}
    parts["offsets"] = motion.offsets.reshape(len(motion), -1)
    mixed = {}
    for name, values in parts.items():
        mixed[name] = values.copy()
        mixed[name][run] = _mixed(values, first, last, seen)
    visible = motion.visible.copy()
    visible[run] = False
    rotation = motion.rotation.copy()
    rotation[run] = (base * Rotation.from_rotvec(mixed["turn"][run])).as_matrix()
    return replace(
        motion,
        rotation=rotation,
        translation=mixed["translation"],
        scale=mixed["scale"][:, 0],
        offsets=mixed["offsets"].reshape(motion.offsets.shape),
        visible=visible,
    )


def _mixed(values: np.ndarray, first: int, last: int, seen: np.ndarray) -> np.ndarray:
    """(L, D) for frames `first` to `last` of `values` (T, D), of which `seen` (L,) were observed."""
    length = last - first + 1
    ends = values[max(first - 1, 0)], values[min(last + 1, len(values) - 1)]
    ends = (ends[1], ends[1]) if first == 0 else (ends[0], ends[0]) if last == len(values) - 1 else ends
    bridge = _bridge(*ends, length)
    if not seen.all():
        return bridge
    calmed = gaussian_filter1d(values[first : last + 1].astype(np.float64), _CALM_FRAMES, axis=0, mode="nearest")
    strays = float(((calmed - bridge) ** 2).sum(-1).mean())
    usual = max(_usual_straying(values[:first], length), _usual_straying(values[last + 1 :], length))
    trust = min(2 * usual / max(strays, 1e-12), 1.0)
    # At its ends the piece meets the bridge, and with it the frames beside it.
    t = (np.arange(length) + 1)[:, None]
    blend = trust * np.clip(np.minimum(t, length + 1 - t) / 4, 0, 1)
    return bridge + blend * (calmed - bridge)


def _bridge(before: np.ndarray, after: np.ndarray, length: int) -> np.ndarray:
    """(L, D) from one to the other, at rest at both ends."""
    t = (np.arange(1, length + 1) / (length + 1))[:, None]
    weight = t * t * (3 - 2 * t)
    return before * (1 - weight) + after * weight


def _usual_straying(values: np.ndarray, length: int) -> float:
    """Mean square distance of (T, D) from bridges over pieces of it; longer ones than it are judged by shorter ones."""
    piece_length = min(length, len(values) - 2)
    if piece_length < 3:
        return 0.0
    starts = range(0, len(values) - piece_length - 1, max(1, piece_length // 4))
    errors = [
        ((values[s + 1 : s + 1 + piece_length] - _bridge(values[s], values[s + 1 + piece_length], piece_length)) ** 2)
        .sum(-1)
        .mean()
        for s in starts
    ]
    return float(np.mean(errors)) * (length / piece_length) ** 2


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
