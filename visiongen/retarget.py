"""A motion fitted to another face: relative or absolute, with gains, eyes that close and lips that meet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from visiongen.datatypes import LandmarkTrack, MotionTrack, Portrait
from visiongen.landmarks import (
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from visiongen.motion import blocks, motion_from_landmarks
from visiongen.pose import euler_angles, face_model, fit_similarity
from visiongen.pose_limit import limited
from visiongen.rotations import gaussian_over_time, rotation_matrices, rotation_vectors

# (upper, lower) points that touch when an eye or the mouth is closed, and the ring of skin beyond them that follows.
EYE_PAIRS = {
    "right": ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
    "left": ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
}
EYE_SKIN = {
    "right": ((247, 25), (30, 110), (29, 24), (27, 23), (28, 22), (56, 26), (190, 112)),
    "left": ((467, 255), (260, 339), (259, 254), (257, 253), (258, 252), (286, 256), (414, 341)),
}
UPPER_SHARE, SKIN_SHARE = 0.75, 0.5
"""Of a change of the eye's opening so much is the upper lid's, and so much of each is shared by the skin beyond."""
_EYE_CORNERS = {"right": (33, 133), "left": (263, 362)}
_LIP_PAIRS = ((191, 95), (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318), (415, 324))
# The rings of the lips' skin, from the opening outward.
_LIP_SKIN = (
    ((183, 96), (42, 89), (41, 179), (38, 86), (12, 15), (268, 316), (271, 403), (272, 319), (407, 325)),
    ((184, 77), (74, 90), (73, 180), (72, 85), (11, 16), (302, 315), (303, 404), (304, 320), (408, 307)),
    ((185, 146), (40, 91), (39, 181), (37, 84), (0, 17), (267, 314), (269, 405), (270, 321), (409, 375)),
)
_MOUTH_CORNERS = (61, 291)
_INNER_CORNERS = (78, 308)

# MediaPipe's lids seldom quite meet: a closed eye may still show this gap, as a share of the eye's width.
_CLOSED_EYE = 0.07
_LIPS_MEET = 0.006
"""Gap of closed lips, face widths."""
_ROUND = 0.8
"""An opened mouth is at least so many times as wide as it is high: of a round one the detector sees a slit."""
_AROUND_THE_MOUTH = 0.2
"""Face widths around the lips in which the skin goes along."""
_LEAST_OPENING = 0.02
"""An eye that is open by less, in the same shares, counts as closed."""
_RANGE, _EYES_OPEN, _SHAPE = (0.05, 0.75, 0.95), 3, [5, 6]
"""Quantiles of the driver's frames, and parts of a signature: eyes that are open further than the driver's ever are say no more
than that they are open, as those mostly are; width of the mouth and height of the brows tell the shape of a face, too."""
_WIDEST_EYE = 1.6
"""The portrait's eyes open no wider than this many times their own opening, or than the driver's own."""


@dataclass(frozen=True, kw_only=True)
class MotionSettings:
    """How a driving motion is fitted to a portrait."""

    mode: Literal["relative", "absolute"] = "relative"
    """relative: differences to a reference frame are added to the portrait's own pose and expression. absolute: the
    portrait takes the driver's place, size and pose."""
    pose: float = field(default=1.0, metadata={"range": (0.0, 2.0), "step": 0.05})
    """Gain of head turns and shifts; 0 holds the head still. Relative mode only."""
    mouth: float = field(default=1.0, metadata={"range": (0.0, 2.0), "step": 0.05})
    """Gain of the mouth's movement."""
    eyes: float = field(default=1.0, metadata={"range": (0.0, 2.0), "step": 0.05})
    """Gain of lids and gaze."""
    brows: float = field(default=1.0, metadata={"range": (0.0, 2.0), "step": 0.05})
    """Gain of the brows' movement."""
    pose_limit: float = field(default=50.0, metadata={"range": (10.0, 90.0), "step": 5.0})
    """Turns of the head never go further than this many degrees to the side, nor two thirds of it up or down; they are
    held back softly from three quarters of the way on. A portrait in profile turns little to the camera, too. 90 is no
    limit. Relative mode only."""
    smoothing: float = field(default=0.4, metadata={"range": (0.0, 1.0), "step": 0.05})
    """Strength of the smoothing of the landmarks over time, 0 (none) to 1."""
    scale: Literal["follow", "lock"] = "follow"
    """lock: the head keeps its size, against "pumping" when the driver leans in and out. Relative mode only."""
    reference_frame: int | None = None
    """Driving frame that corresponds to the portrait; default: the one nearest in pose and expression."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pose", 0, 2),
            ("pose_limit", 10, 90),
            ("mouth", 0, 2),
            ("eyes", 0, 2),
            ("brows", 0, 2),
            ("smoothing", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], but got {getattr(self, name)}")
        if self.mode not in ("relative", "absolute") or self.scale not in ("follow", "lock"):
            raise ValueError(f"unknown mode {self.mode!r} or scale {self.scale!r}")


def portrait_motion(portrait: Portrait) -> MotionTrack:
    """Pose and expression of the portrait itself, T = 1."""
    track = LandmarkTrack(
        points=portrait.landmarks[None],
        visible=[True],
        times=[0.0],
        height=portrait.image.shape[0],
        width=portrait.image.shape[1],
    )
    return motion_from_landmarks(track)


def retarget(
    motion: MotionTrack, portrait: Portrait, settings: MotionSettings | None = None, *, own: MotionTrack | None = None
) -> MotionTrack:
    """The movement of `motion`, as the face of `portrait` would do it, in the portrait's picture.

    At the reference frame a relative motion leaves the portrait as it is.

    Args:
        motion: T frames of the driver, smoothed as wished.
        portrait: Whose face shall move.
        settings: See `MotionSettings`.
        own: `portrait_motion` of the portrait, where it is known already.
    Returns:
        T frames in the picture coordinates of ``portrait.image``; ``clip`` is kept.
    Raises:
        ValueError: The reference frame is not in the motion.
    """
    settings = settings or MotionSettings()
    own = own or portrait_motion(portrait)
    reference = reference_of(motion, own, settings)
    if not 0 <= reference < len(motion):
        raise ValueError(
            f"reference frame {reference} is outside the motion's {len(motion)} frames (0 to {len(motion) - 1})"
        )
    motion = _about_the_skull(motion, reference)
    if settings.mode == "absolute":
        placed = _absolute_pose(motion, own)
    else:
        placed = _relative_pose(motion, own, reference, settings)
    return replace(placed, offsets=_expression(motion, own, reference, settings))


def reference_of(motion: MotionTrack, own: MotionTrack, settings: MotionSettings) -> int:
    """The driving frame that corresponds to the portrait: the one that was chosen, else the best."""
    return best_reference(motion, own) if settings.reference_frame is None else settings.reference_frame


def reference_distances(motion: MotionTrack, own: MotionTrack) -> np.ndarray:
    """(T,) how far every driving frame is from the portrait in pose and expression.

    Compared are turns of the head and openings of eyes and mouth as ratios, which do not depend on whose face it is.
    """
    mine, theirs = _signature(own), _signature(motion)
    least, usual, most = np.quantile(theirs, _RANGE, axis=0)
    mine[mine[:, _EYES_OPEN] > most[_EYES_OPEN], _EYES_OPEN] = usual[_EYES_OPEN]
    mine[:, _SHAPE] = np.clip(mine[:, _SHAPE], least[_SHAPE], most[_SHAPE])
    return np.linalg.norm(theirs - mine, axis=1)


def best_reference(motion: MotionTrack, own: MotionTrack) -> int:
    """The driving frame nearest to the portrait in pose and expression; of equals the first."""
    distance = reference_distances(motion, own)
    distance[~motion.visible] = np.inf
    return int(np.argmin(distance > distance.min() + 0.02)) if len(distance) else 0


def _signature(motion: MotionTrack) -> np.ndarray:
    """(T, 7): yaw, pitch, roll in radians; openings of eyes, mouth, its width, height of the brows in face widths."""
    head = face_model().points + motion.offsets
    eyes = [3 * _eye_opening(head, side) for side in EYE_PAIRS]
    mouth = 3 * _gap(head, _LIP_PAIRS).mean(1)
    width = 2 * np.linalg.norm(head[:, _MOUTH_CORNERS[0]] - head[:, _MOUTH_CORNERS[1]], axis=-1)
    brows = head[:, RIGHT_BROW + LEFT_BROW, 1].mean(1) - head[:, (33, 133, 263, 362), 1].mean(1)
    return np.c_[euler_angles(motion.rotation), np.mean(eyes, axis=0), mouth, width, 2 * brows]


# -- pose --------------------------------------------------------------------------------------------------------------


def _about_the_skull(motion: MotionTrack, reference: int) -> MotionTrack:
    """The same landmarks, split so that the pose is what the skull does since the reference frame.

    The whole face was fitted at first: a jaw that drops shrinks and tips that fit, and the offsets make up for it. Once
    one of them is smoothed, scaled or put on another face they no longer cancel, and the head pumps with every word.
    """
    model = face_model()
    upper = np.clip((0.12 - model.points[:, 1]) / 0.1, 0, 1)  # from the tip of the nose upward
    weights = model.stability**2 * upper
    before = (model.points + motion.offsets[reference]).astype(np.float64)
    offsets, poses = np.empty_like(motion.offsets), []
    for part in blocks(len(motion)):
        head = (model.points + motion.offsets[part]).astype(np.float64)
        turn, shift, size = fit_similarity(head, before, weights)
        offsets[part] = np.einsum("tji,tnj->tni", turn, head - shift[:, None]) / size[:, None, None] - model.points
        poses.append((turn, shift, size))
    turn, shift, size = (np.concatenate(part) for part in zip(*poses))
    return replace(
        motion,
        rotation=motion.rotation @ turn,
        translation=motion.translation + np.einsum("tij,tj->ti", motion.rotation, shift) * motion.scale[:, None],
        scale=motion.scale * size,
        offsets=offsets,
    )


def _absolute_pose(motion: MotionTrack, own: MotionTrack) -> MotionTrack:
    """The driver's pose in the portrait's picture: the driving picture is laid over it, filling its width."""
    zoom = own.width / motion.width
    return replace(
        motion,
        face_width=motion.face_width * zoom,
        # Pictures of other proportions are laid middle over middle.
        translation=motion.translation + [0, (own.height - motion.height * zoom) / 2 / (motion.face_width * zoom), 0],
        height=own.height,
        width=own.width,
    )


def _relative_pose(motion: MotionTrack, own: MotionTrack, reference: int, settings: MotionSettings) -> MotionTrack:
    turn = rotation_vectors(motion.rotation @ motion.rotation[reference].T)
    turn = rotation_matrices(settings.pose * turn)
    size = motion.scale / motion.scale[reference]
    if settings.scale == "lock":
        size = np.ones_like(size)
    size = _steady(size, reference, 1 / max(float(np.median(np.diff(motion.times))) if len(motion) > 1 else 0.04, 1e-3))
    # Shifts are measured in the driver's face at the reference frame, so that a face of any size moves alike.
    shift = (motion.translation - motion.translation[reference]) / motion.scale[reference]
    return replace(
        motion,
        rotation=limited(turn @ own.rotation[0], own.rotation[0], settings.pose_limit),
        translation=own.translation + settings.pose * shift,
        scale=size ** min(settings.pose, 1.0),
        face_width=own.face_width,
        height=own.height,
        width=own.width,
    )


def _steady(size: np.ndarray, reference: int, rate: float) -> np.ndarray:
    """Size of the head, 1 at the reference frame, without "pumping": heads come nearer slowly, detectors jump."""
    slow = gaussian_over_time(size, 0.12 * rate)
    return slow / slow[reference]


# -- expression --------------------------------------------------------------------------------------------------------


def _expression(motion: MotionTrack, own: MotionTrack, reference: int, settings: MotionSettings) -> np.ndarray:
    """(T, 478, 3) offsets of the portrait's face: its own, plus the driver's differences to the reference frame."""
    rest = face_model().points
    head = motion.offsets - motion.offsets[reference]
    head *= _gains(settings)[:, None]
    head += own.offsets
    head += rest
    driver, mine = rest + motion.offsets, rest + own.offsets
    for side, pairs in EYE_PAIRS.items():
        _close_eye(head, driver, mine[0], side, pairs, reference, settings.eyes)
    _close_mouth(head, driver, mine[0], reference, settings.mouth)
    if settings.mode == "relative":
        _round_mouth(head)
    return head - rest


@lru_cache(maxsize=16)
def _gains(settings: MotionSettings) -> np.ndarray:
    """(478,) gain of every landmark, blending smoothly from region to region."""
    points = face_model().points
    gains = np.ones(len(points))
    regions = (
        (INNER_LIPS + OUTER_LIPS, settings.mouth, 0.22),
        (RIGHT_BROW + LEFT_BROW, settings.brows, 0.08),
        (RIGHT_EYE + LEFT_EYE + RIGHT_IRIS + LEFT_IRIS, settings.eyes, 0.05),
    )
    for members, gain, reach in regions:
        distance = np.linalg.norm(points[:, None] - points[list(members)][None], axis=-1).min(1)
        weight = np.clip(1 - distance / reach, 0, 1)
        weight = weight * weight * (3 - 2 * weight)
        gains = gains * (1 - weight) + gain * weight
    gains.flags.writeable = False  # shared by all frames of a live session
    return gains


@cache
def _upper_and_lower(pairs: tuple[tuple[int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """(P,) and (P,) numbers of the landmarks of (upper, lower) pairs, none of them twice."""
    upper, lower = np.array(pairs).T
    return upper, lower


def _gap(head: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(T, P) signed vertical gap of (upper, lower) pairs, face widths."""
    upper, lower = _upper_and_lower(pairs)
    return head[..., lower, 1] - head[..., upper, 1]


def _eye_opening(head: np.ndarray, side: str) -> np.ndarray:
    """(T,) mean gap of the lids over the eye's width, less what a closed eye may show."""
    return _opening(_lid_gap(head, side))


def _opening(lid_gap: np.ndarray) -> np.ndarray:
    return np.maximum(lid_gap - _CLOSED_EYE, 0)


def _lid_gap(head: np.ndarray, side: str) -> np.ndarray:
    """(T,) mean gap of the lids over the eye's width."""
    a, b = _EYE_CORNERS[side]
    wide, high = (head[..., a, axis] - head[..., b, axis] for axis in (0, 1))
    return _gap(head, EYE_PAIRS[side]).mean(-1) / np.sqrt(wide * wide + high * high)


def _set_gaps(head: np.ndarray, pairs, wanted: np.ndarray, upper_share: float, skin=(), least_share=1.0) -> None:
    """Moves upper and lower points of (T, 478, 3) `head` vertically, in place, until their gaps are (T, P) `wanted`.

    The rings of `skin` around follow, the outermost by `least_share` of it.
    """
    change = wanted - _gap(head, pairs)
    for ring, share in zip((pairs, *skin), np.linspace(1, least_share, len(skin) + 1), strict=True):
        upper, lower = _upper_and_lower(ring)
        head[:, upper, 1] -= share * upper_share * change
        head[:, lower, 1] += share * (1 - upper_share) * change


def _close_eye(head, driver, mine, side, pairs, reference: int, gain: float) -> None:
    """Closing is transferred as a ratio: an eye of any shape closes when the driver's does, and not before. Opening
    further than at the reference is added, so that eyes that were closed open too."""
    gap, own_gap = _lid_gap(driver, side), _lid_gap(mine[None], side)
    opening, own = _opening(gap), float(_opening(own_gap)[0])
    usual = max(float(opening[reference]), _LEAST_OPENING)
    if usual < own:  # a reference frame in the middle of a blink does not say how far the driver's eyes are open
        usual = max(usual, min(own, 0.35 * float(np.quantile(opening, 0.9))))
    wanted = own * np.minimum(opening / usual, 1)
    wanted += np.maximum(opening - usual, 0) * min(1.0, max(own, _LEAST_OPENING) / usual)
    wanted = np.minimum(wanted, np.maximum(_WIDEST_EYE * own, opening))
    change = np.maximum(gain * (wanted - own), -own)
    # Below what counts as closed there is no opening any more, but the lids still have to meet.
    rest = min(_CLOSED_EYE, float(own_gap[0]))
    change -= min(gain, 1.0) * np.clip(rest - gap, 0, max(rest, 0))

    a, b = _EYE_CORNERS[side]
    width = np.linalg.norm(mine[a, :2] - mine[b, :2])
    own_gaps = np.maximum(_gap(mine[None], pairs)[0], 0)
    open_gaps = own_gaps + np.maximum(_gap(face_model().points[None], pairs)[0], 0)  # a shape for closed eyes too
    shape = np.where(change[:, None] < 0, own_gaps / max(own_gaps.mean(), 1e-6), open_gaps / open_gaps.mean())
    _set_gaps(
        head,
        pairs,
        np.maximum(own_gaps + change[:, None] * width * shape, 0),
        UPPER_SHARE,
        (EYE_SKIN[side],),
        SKIN_SHARE,
    )


def _close_mouth(head, driver, mine, reference: int, gain: float) -> None:
    """Lips meet when the driver's do, whatever the portrait's mouth does by itself."""
    gaps = np.maximum(_gap(driver, _LIP_PAIRS), 0)
    at_reference = gaps[reference]
    own_gaps = np.maximum(_gap(mine[None], _LIP_PAIRS)[0], 0)
    # The portrait's own opening beyond the driver's at the reference goes as far as the driver closes.
    nearness = np.clip((gaps.mean(1) - _LIPS_MEET) / max(at_reference.mean() - _LIPS_MEET, _LIPS_MEET), 0, 1)
    if at_reference.mean() <= 2 * _LIPS_MEET:
        nearness = np.ones(len(gaps))  # the driver's rest is closed lips: the portrait's own rest corresponds to it
    surplus = min(gain, 1.0) * np.maximum(own_gaps - at_reference, 0)
    # A driver whose lips never meet would leave a portrait with closed lips behind by as much: it catches up.
    further = np.clip((gaps.mean(1) - at_reference.mean()) / max(at_reference.mean(), _LIPS_MEET), 0, 1)
    lacking = min(gain, 1.0) * np.maximum(at_reference - own_gaps, 0)
    change = gain * (gaps - at_reference) - (1 - nearness[:, None]) * surplus + further[:, None] * lacking
    wanted = np.maximum(own_gaps + change, 0)
    _set_gaps(head, _LIP_PAIRS, wanted, 0.4, _LIP_SKIN, 0.8)


def _round_mouth(head: np.ndarray) -> None:
    """Widens mouths of (T, 478, 3) `head`, in place, that are open higher than wide."""
    left, right = _INNER_CORNERS
    width = np.abs(head[:, right, 0] - head[:, left, 0])
    lacking = _ROUND * np.maximum(_gap(head, _LIP_PAIRS), 0).max(1) - width
    if (lacking <= 0).all():
        return
    middle = 0.5 * (head[:, left, 0] + head[:, right, 0])
    aside = (head[..., 0] - middle[:, None]) / np.maximum(width / 2, 1e-6)[:, None]  # 1 at a corner of the mouth
    step = np.maximum(lacking, 0)[:, None] / 2 * np.clip(aside, -1, 1)
    head[..., 0] += _near_lips() * step


@cache
def _near_lips() -> np.ndarray:
    """(478,) 1 on the lips, 0 from `_AROUND_THE_MOUTH` on."""
    points = face_model().points
    distance = np.linalg.norm(points[:, None] - points[list(INNER_LIPS + OUTER_LIPS)], axis=-1).min(1)
    near = np.clip(1 - distance / _AROUND_THE_MOUTH, 0, 1)
    return near * near * (3 - 2 * near)
