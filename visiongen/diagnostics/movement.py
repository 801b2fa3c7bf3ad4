"""Problems that the motion itself shows: lost face, extreme pose, fast movement, a face that leaves the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.diagnostics.runs import JOIN_MORE_SECONDS, Run, frame_rate, frames_text, graded, problems_from, runs
from visiongen.motion import INTERPOLATE_SECONDS, place
from visiongen.pose import euler_angles

MOST_YAW, MOST_PITCH = 45.0, 30.0
"""Degrees: beyond, a single picture shows too little of the head, and landmarks are guessed."""
FAST = 2.5
"""Face widths a second: beyond, frames are smeared and the face finder lags."""
JUMP = 0.5
"""Face widths from one frame to the next: no head does that, it is a cut or another person."""
CUT_OFF = 0.04
"""Share of the face's landmarks outside the picture."""
_NEAR_EDGE = 0.05
"""Face widths between face and edge, below which a face that is lost next went over the edge."""
DAMPED_LIMIT = 35.0
"""The pose limit that is proposed, degrees."""


def lost_face(motion: MotionTrack) -> Iterator[Problem]:
    """Runs of frames in which no face was seen. Short ones have been bridged already, others stand still."""
    rate, total = frame_rate(motion), len(motion)
    found = runs((~motion.visible).astype(float), on=0.5, rate=rate)

    def bridged(run: Run) -> bool:
        inside = slice(max(run.first - 1, 0), min(run.last + 2, total))
        return bool((np.diff(motion.translation[inside], axis=0) != 0).any(1).mean() > 0.5)

    def seen(run: Run) -> str:
        gone = int((~motion.visible[run.first : run.last + 1]).sum())
        what = "is filled in from those around" if bridged(run) else "stands still, because no face was found"
        return f"The motion of {gone} frame{'s' * (gone > 1)} ({gone / rate:.2f} s), from frame {run.first} on, {what}."

    yield from problems_from(
        "face-lost",
        found,
        severity=lambda run: min(graded(len(run) / rate, 0.0, 2 * INTERPOLATE_SECONDS), 0.3 if bridged(run) else 1.0),
        seen=seen,
        why="There is no motion to follow: short gaps are bridged, in long ones the face stands still and then jumps.",
        change="Use {piece} to leave these frames out, or let the gap be bridged smoothly with {remedy}.",
        remedy=lambda run: None if bridged(run) else _trimmed_or_filled(run, motion.visible, total),
    )


def _trimmed_or_filled(run: Run, usable: np.ndarray, total: int) -> Remedy | None:
    """At an end of the clip the frames can be cut off; within it they are bridged."""
    rest = np.flatnonzero(usable)
    if run.first == 0 and run.last + 1 < total:
        return Remedy(
            label=f"Begin at frame {run.last + 1}",
            trim=(run.last + 1, max(int(rest[-1]), run.last + 1)),
            automatic=False,
        )
    if run.last == total - 1 and run.first > 0:
        return Remedy(label=f"End at frame {run.first - 1}", trim=(min(int(rest[0]), run.first - 1), run.first - 1),
                      automatic=False)  # fmt: skip
    return fill_remedy(run, total)


def fill_remedy(run: Run, total: int, margin: int = 1) -> Remedy | None:
    """Motion of these frames, and of `margin` doubtful ones beside them, from the frames around; None: nothing is left."""
    first, last = max(run.first - margin, 0), min(run.last + margin, total - 1)
    if first == 0 and last == total - 1:
        return None
    return Remedy(label=f"Fill in the motion of {frames_text(Run(first, last, first))}", fill=(first, last))


def extreme_pose(motion: MotionTrack, fitted: MotionTrack | None = None) -> Iterator[Problem]:
    """Heads turned so far that a picture does not show enough of them, and that landmarks are guessed.

    Args:
        motion: The driver's own.
        fitted: The same on a portrait; where given, the one that is turned further counts.
    """
    poses = [("driver", np.rad2deg(euler_angles(motion.rotation)))]
    if fitted is not None:
        poses.append(("portrait", np.rad2deg(euler_angles(fitted.rotation))))
    levels = np.stack([np.maximum(np.abs(p[:, 0]) / MOST_YAW, np.abs(p[:, 1]) / MOST_PITCH) for _, p in poses])
    level = np.where(motion.visible, levels.max(0), levels[-1] if fitted is not None else 0)

    def seen(run: Run) -> str:
        whose, degrees = poses[int(levels[:, run.peak].argmax())]
        yaw, pitch = degrees[run.peak, :2]
        side = f"{abs(yaw):.0f} degrees to the {'right' if yaw > 0 else 'left'}"
        tilt = f"{abs(pitch):.0f} degrees {'down' if pitch > 0 else 'up'}"
        turned = side if abs(yaw) / MOST_YAW >= abs(pitch) / MOST_PITCH else tilt
        limits = f"the limits are {MOST_YAW:.0f} sideways, {MOST_PITCH:.0f} up or down"
        return f"The {whose}'s head turns {turned} at frame {run.peak} ({limits})."

    yield from problems_from(
        "extreme-pose",
        runs(level, on=1.0, rate=frame_rate(motion), join=JOIN_MORE_SECONDS),
        severity=lambda run: graded(level[run.peak], 1.0, 1.7),
        seen=seen,
        why="One picture shows too little of a head turned that far: the far side is invented, and landmarks are guessed.",
        change=f"Damp large turns with {{pose_limit}} {DAMPED_LIMIT:g}, lower {{pose}}, or choose another {{reference_frame}}.",
        remedy=lambda run: damped(),
    )


def damped() -> Remedy:
    """Large turns are held back."""
    return Remedy(
        label=f"Damp turns beyond {0.75 * DAMPED_LIMIT:.0f} degrees softly", settings={"pose_limit": DAMPED_LIMIT}
    )


def head_speed(motion: MotionTrack) -> np.ndarray:
    """(T,) speed of the head, face widths a second: the faster of the steps before and after a frame.

    Measured at landmarks spread over the face, so that turns count like shifts; frames that were filled in have none.
    """
    if len(motion) < 2:
        return np.zeros(len(motion))
    head = np.array([[-0.5, 0, 0.1], [0.5, 0, 0.1], [0, -0.6, 0], [0, 0.6, 0], [0, 0, -0.3]], np.float32)
    points = np.einsum("tij,nj->tni", motion.rotation, head) * motion.scale[:, None, None] + motion.translation[:, None]
    step = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1).mean(1) / motion.scale[1:]
    step[~(motion.visible[1:] & motion.visible[:-1])] = 0
    return np.maximum(np.r_[step, 0], np.r_[0, step]) * frame_rate(motion)


def fast_motion(motion: MotionTrack) -> Iterator[Problem]:
    """Movements too fast for camera and face finder, and jumps at cuts."""
    rate, total = frame_rate(motion), len(motion)
    speed = head_speed(motion)

    def is_jump(run: Run) -> bool:
        return speed[run.peak] >= JUMP * rate

    def seen(run: Run) -> str:
        what = "The head jumps: a cut or another face" if is_jump(run) else "The head moves"
        return f"{what}; {speed[run.peak]:.1f} face widths a second at frame {run.peak} (the limit is {FAST:g})."

    def remedy(run: Run) -> Remedy | None:
        if not is_jump(run):
            return Remedy(label="Smooth the movement more", settings={"smoothing": 0.7})
        pieces = [(0, run.peak - 1), (run.peak + 1, total - 1)]
        first, last = max(pieces, key=lambda piece: piece[1] - piece[0])
        if last <= max(first, 0):
            return None
        return Remedy(label=f"Keep frames {first} to {last} only", trim=(first, last), automatic=False)

    yield from problems_from(
        "fast-motion",
        runs(speed, on=FAST, rate=rate),
        severity=lambda run: graded(speed[run.peak], FAST, JUMP * rate),
        seen=seen,
        why="Fast frames are smeared and landmarks lag in them, so that the result trembles; at a cut it jumps.",
        change="Raise {smoothing} to 0.7, lower {pose}, or cut the piece out with {piece}.",
        remedy=remedy,
    )


def other_person(motion: MotionTrack) -> Iterator[Problem]:
    """Gaps after which a face is seen in another place or of another size: most likely somebody else's."""
    seen = np.flatnonzero(motion.visible)
    before, after = seen[:-1], seen[1:]
    shift = np.linalg.norm(motion.translation[after, :2] - motion.translation[before, :2], axis=1)
    shift /= np.minimum(motion.scale[before], motion.scale[after])
    growth = np.abs(np.log2(motion.scale[after] / motion.scale[before]))
    total = len(motion)
    for i in np.flatnonzero((after - before > 1) & ((shift > 1) | (growth > 0.7))):
        first, last = int(before[i]) + 1, int(after[i])
        pieces = [(0, first - 1), (last, total - 1)]
        keep = max(pieces, key=lambda piece: piece[1] - piece[0])
        yield Problem(
            kind="several-faces",
            first=last,
            last=last,
            peak=last,
            severity=0.8,
            seen=f"After {last - first} frames without a face, another one is followed from frame {last} on: it is "
            f"{shift[i]:.1f} face widths away and {motion.scale[last] / motion.scale[first - 1]:.1f} times as large.",
            why="The motion of another person goes on in the place of the first: the result jumps, and its size with it.",
            change="Keep one piece with {piece}, or crop the clip to one person.",
            remedy=Remedy(label=f"Keep frames {keep[0]} to {keep[1]} only", trim=keep, automatic=False),
        )


def cut_off(motion: MotionTrack, *, fitted: bool) -> Iterator[Problem]:
    """Faces that leave the picture: the driver's own (`fitted` false), or the portrait's."""
    points = place(motion).points[:, :468, :2]
    outside = ((points < 0) | (points > [motion.width, motion.height])).any(-1).mean(1)
    gone = np.zeros(len(motion), bool) if fitted else _gone_over_the_edge(motion, points)
    outside[~motion.visible] = 0
    outside[gone] = CUT_OFF
    total = len(motion)
    where = "moved face leaves the portrait's picture" if fitted else "driver's face is cut off by the edge of the clip"
    if fitted:
        why = "What leaves the picture cannot be shown: the result looks cut off."
        change = "Lower {pose}, or use a picture with more room around the face."
    else:
        why = "Landmarks outside the clip are guessed: jaw, brows or one side of the face tremble or drift."
        change = "Use a clip with room around the face, or leave these frames out with {piece}."

    def lost(count: int) -> str:
        return f" In {count} frame{'s' * (count > 1)} it is too far out to be found." if count else ""

    def remedy(run: Run) -> Remedy | None:
        if fitted:
            return Remedy(label="Move the head a third less", settings={"pose": 0.65}, automatic=False)
        return fill_remedy(run, total) if len(run) <= frame_rate(motion) else None

    yield from problems_from(
        "out-of-frame",
        runs(outside, on=0.1 if fitted else CUT_OFF, rate=frame_rate(motion)),
        severity=lambda run: graded(outside[run.peak], CUT_OFF, 0.5),
        seen=lambda run: (
            f"The {where}: {100 * outside[run.peak]:.0f} % of its landmarks are outside at frame {run.peak}."
            + lost(int(gone[run.first : run.last + 1].sum()))
        ),
        why=why,
        change=change,
        remedy=remedy,
    )


def _gone_over_the_edge(motion: MotionTrack, points: np.ndarray) -> np.ndarray:
    """(T,) bool: frames without a face, between such as have it at the edge of the clip: half a face is not found."""
    room = np.minimum(points.min(1), [motion.width, motion.height] - points.max(1)).min(-1)  # (T,) px; < 0 outside
    at_edge = motion.visible & (room < _NEAR_EDGE * motion.scale * motion.face_width)
    gone = np.zeros(len(motion), bool)
    for run in runs((~motion.visible).astype(float), on=0.5, rate=1.0, join=0.0):
        before, after = at_edge[max(run.first - 1, 0)], at_edge[min(run.last + 1, len(motion) - 1)]
        gone[run.first : run.last + 1] = before or after
    return gone
