"""The entry: everything that can go wrong with a job, found in its motion and in the frames of its clip."""

from __future__ import annotations

from collections.abc import Callable

from visiongen.datatypes import MotionTrack, Portrait
from visiongen.diagnostics import appearance, geometry, movement, reference
from visiongen.diagnostics.problems import Problem
from visiongen.diagnostics.sight import watch
from visiongen.retarget import MotionSettings

Progress = Callable[[str, int, int | None], None]


def diagnose(
    motion: MotionTrack,
    *,
    portrait: Portrait | None = None,
    fitted: MotionTrack | None = None,
    settings: MotionSettings | None = None,
    look: bool = True,
    progress: Progress | None = None,
) -> list[Problem]:
    """What is likely to look wrong, worst first.

    Args:
        motion: T frames of the driver as they were observed (`visiongen.extract_motion`), not smoothed.
        portrait: Whose face shall move.
        fitted: The motion on the portrait (`visiongen.fit_motion`); give both or none of them.
        settings: With which it was fitted; default: the defaults.
        look: Also look at the frames of ``motion.clip``, streamed; without, only what the motion itself shows is found,
            in no time: no covered or blurred face, no second face.
        progress: Called with ("diagnosis", frames done, frames expected).
    Returns:
        Problems whose frames count from the start of `motion`, worst first.
    Raises:
        ValueError: Only one of `portrait` and `fitted` was given, or they are of other lengths.
        MediaError: The clip cannot be read any more.
    """
    if (portrait is None) != (fitted is None):
        raise ValueError("give both the portrait and the motion fitted to it, or none of them")
    if fitted is not None and len(fitted) != len(motion):
        raise ValueError(f"the fitted motion has {len(fitted)} frames, the driver's {len(motion)}")
    found = [*movement.lost_face(motion), *movement.fast_motion(motion), *movement.cut_off(motion, fitted=False)]
    found += movement.extreme_pose(motion, fitted)
    found += movement.other_person(motion)
    if look and motion.clip is not None:
        sight = watch(motion, progress=(lambda done, total: progress("diagnosis", done, total)) if progress else None)
        found += appearance.covered_face(sight, motion)
        found += appearance.blurred(sight, motion)
        found += appearance.several_faces(sight, motion)
    if portrait is not None and fitted is not None:
        found += reference.poor_reference(motion, portrait, settings or MotionSettings(), found)
        found += movement.cut_off(fitted, fitted=True)
        folded, unseen = geometry.shares(portrait, fitted)
        found += geometry.folded_field(folded, fitted)
        found += geometry.unseen_side(unseen, fitted)
        found += geometry.opened_mouth(portrait, fitted)
    return sorted(found, key=lambda problem: (-problem.severity, problem.first))
