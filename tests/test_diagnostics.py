"""Failure cases that motion and geometry show, each made on purpose; what they are written to; their remedies."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from builders import face, other_face, placed, portrait_of, rotation, seen

from visiongen.datatypes import DrivingClip, MotionTrack
from visiongen.diagnostics import (
    KINDS,
    Problem,
    Remedy,
    apply_remedies,
    apply_remedy,
    diagnose,
    read_problems,
    save_problems,
    warnings,
)
from visiongen.errors import MediaError
from visiongen.motion import motion_from_landmarks, place
from visiongen.pipeline import fit_motion
from visiongen.pose import euler_angles, face_model
from visiongen.retarget import MotionSettings, retarget

COUNT, FPS = 60, 25


def motion_of(*, yaw=None, pitch=None, x=None, jaw=None, visible=None, size=256) -> MotionTrack:
    """60 frames of a face that turns, shifts and speaks; arrays (60,) in degrees, px and face widths."""
    zero = np.zeros(COUNT)
    parts = (zero if part is None else part for part in (yaw, pitch, x, jaw))
    points = np.stack(
        [
            placed(face(jaw=j, lips=0.0), turn=rotation(yaw=a, pitch=b), centre=(128 + s, 128))
            for a, b, s, j in zip(*parts, strict=True)
        ]
    )
    return motion_from_landmarks(seen(points, visible=visible, size=size))


def hump(height: float, first: int = 20, last: int = 40) -> np.ndarray:
    """(60,) 0, and a soft hump between two frames."""
    t = np.clip((np.arange(COUNT) - first) / (last - first), 0, 1)
    return height * np.sin(np.pi * t) ** 2


def kinds_of(problems: list[Problem]) -> set[str]:
    return {problem.kind for problem in problems}


def fitted_to(motion: MotionTrack, portrait: np.ndarray, **settings) -> tuple:
    source = portrait_of(portrait)
    return source, retarget(motion, source, MotionSettings(**settings))


# --- finding ----------------------------------------------------------------------------------------------------------


def test_a_calm_clip_has_no_problems():
    motion = motion_of(yaw=hump(15), x=hump(12), jaw=hump(0.02))
    portrait, fitted = fitted_to(motion, placed(other_face("wide"), centre=(120, 120)))
    assert diagnose(motion, portrait=portrait, fitted=fitted) == []


@pytest.mark.parametrize(("angles", "word"), [({"yaw": hump(62)}, "right"), ({"pitch": hump(-44)}, "up")])
def test_a_head_turned_far(angles, word):
    problems = diagnose(motion_of(**angles))
    assert kinds_of(problems) == {"extreme-pose"} and len(problems) == 1
    problem = problems[0]
    assert problem.peak == 30 and 22 < problem.first < 29 and 31 < problem.last < 38
    assert word in problem.seen and ("62" if "yaw" in angles else "44") in problem.seen


def test_severity_grows_with_the_angle():
    severities = [diagnose(motion_of(yaw=hump(angle)))[0].severity for angle in (48, 58, 68)]
    assert 0.2 <= severities[0] < severities[1] < severities[2] <= 1


def test_a_lost_face_within_the_clip_is_bridged_and_at_its_end_cut_off():
    visible = np.ones(COUNT, bool)
    visible[10:35] = False
    (inside,) = diagnose(motion_of(x=np.arange(COUNT) * 0.5, visible=visible))
    assert (inside.kind, inside.first, inside.last) == ("face-lost", 10, 34)
    assert inside.remedy.automatic and inside.remedy.fill == (9, 35) and "25 frames" in inside.seen
    visible = np.arange(COUNT) < 40
    (end,) = diagnose(motion_of(visible=visible))
    assert not end.remedy.automatic and end.remedy.trim == (0, 39)


def test_a_short_gap_is_bridged_already_and_hardly_worth_a_word():
    visible = np.ones(COUNT, bool)
    visible[30:33] = False
    (problem,) = diagnose(motion_of(x=np.arange(COUNT) * 0.5, visible=visible))
    assert problem.kind == "face-lost" and problem.severity <= 0.3 and problem.remedy is None


def test_fast_movement_and_a_cut():
    shake = np.where((np.arange(COUNT) > 20) & (np.arange(COUNT) < 40), 25 * np.sin(np.arange(COUNT) * 1.1), 0)
    (fast,) = diagnose(motion_of(x=shake, size=400))
    assert fast.kind == "fast-motion" and 19 <= fast.first and fast.last <= 41
    assert fast.remedy.settings == {"smoothing": 0.7}
    (cut,) = diagnose(motion_of(x=np.where(np.arange(COUNT) < 25, 0, 90.0), size=400))
    assert cut.kind == "fast-motion" and cut.severity > 0.9 and "cut" in cut.seen
    assert cut.remedy.trim == (25, COUNT - 1) and not cut.remedy.automatic


def test_another_person_after_a_gap():
    visible = np.ones(COUNT, bool)
    visible[20:30] = False
    problems = diagnose(motion_of(x=np.where(np.arange(COUNT) < 25, 0, 160.0), visible=visible, size=500))
    (other,) = (problem for problem in problems if problem.kind == "several-faces")
    assert other.peak == 30 and other.remedy.trim == (30, COUNT - 1)


def test_a_driver_cut_off_by_the_frame():
    (problem,) = diagnose(motion_of(x=hump(110, 2, 58)))
    assert problem.kind == "out-of-frame" and problem.peak == 30 and problem.remedy.fill is not None


def test_a_face_that_goes_over_the_edge_and_is_lost_there():
    lost = (np.arange(COUNT) >= 25) & (np.arange(COUNT) < 36)
    gone = diagnose(motion_of(x=hump(110, 2, 58), visible=~lost))
    (left,) = [one for one in gone if one.kind == "out-of-frame"]
    assert left.first < 25 and left.last >= 36 and "11 frames" in left.seen
    # Lost in the middle of the picture it was covered, or turned away: nothing went over the edge.
    assert "out-of-frame" not in kinds_of(diagnose(motion_of(visible=~lost)))


def test_a_portrait_that_leaves_its_picture():
    motion = motion_of(x=hump(90, 2, 58), size=500)
    portrait, fitted = fitted_to(motion, placed(face(lips=0.0), centre=(150, 128)))
    (problem,) = diagnose(motion, portrait=portrait, fitted=fitted)
    assert problem.kind == "out-of-frame" and problem.remedy.settings == {"pose": 0.65}
    assert not problem.remedy.automatic


def test_a_mouth_opened_from_closed_but_not_one_that_was_open():
    motion = motion_of(jaw=hump(0.2))
    closed = placed(face(lips=0.0))
    portrait, fitted = fitted_to(motion, closed)
    (problem,) = diagnose(motion, portrait=portrait, fitted=fitted)
    assert problem.kind == "mouth-opened" and problem.peak == 30
    portrait, fitted = fitted_to(motion, placed(face(jaw=0.06)))
    assert "mouth-opened" not in kinds_of(diagnose(motion, portrait=portrait, fitted=fitted))


def test_the_far_side_of_a_turned_portrait():
    motion = motion_of(yaw=-np.linspace(40, 0, COUNT))
    portrait, fitted = fitted_to(motion, placed(face(lips=0.0), turn=rotation(yaw=-40)), reference_frame=0)
    problems = diagnose(motion, portrait=portrait, fitted=fitted)
    (unseen,) = (problem for problem in problems if problem.kind == "unseen-side")
    assert unseen.first > 10 and unseen.last == COUNT - 1 and "%" in unseen.seen


def test_a_reference_frame_that_is_unlike_the_portrait_or_lost():
    motion = motion_of(yaw=hump(30))
    turned = MotionSettings(reference_frame=30)
    portrait, fitted = fitted_to(motion, placed(face(lips=0.0)), reference_frame=30)
    (poor,) = (
        p for p in diagnose(motion, portrait=portrait, fitted=fitted, settings=turned) if p.kind == "poor-reference"
    )
    best = poor.remedy.settings["reference_frame"]
    assert (poor.first, poor.last, poor.peak) == (0, COUNT - 1, 30) and abs(best - 30) > 15 and poor.remedy.automatic
    _, settings = apply_remedies([poor], motion, turned)
    assert settings == replace(turned, reference_frame=best)
    # With it, the portrait goes where the driver does.
    (_, before), (_, after) = (fitted_to(motion, placed(face(lips=0.0)), reference_frame=f) for f in (30, best))
    wanted = euler_angles(motion.rotation)[:, 0]
    off = [np.abs(euler_angles(one.rotation)[:, 0] - wanted).max() for one in (before, after)]
    assert off[1] < 0.1 * off[0]
    again = diagnose(motion, portrait=portrait, fitted=after, settings=settings)
    assert "poor-reference" not in kinds_of(again)
    # A frame without a face is no reference, however near its bridge comes.
    lost = replace(motion, visible=np.arange(COUNT) != 2)
    kinds = kinds_of(diagnose(lost, portrait=portrait, fitted=after, settings=MotionSettings(reference_frame=2)))
    assert "poor-reference" in kinds


def test_a_reference_frame_moves_with_the_piece_that_is_kept():
    motion = motion_of()
    keep = Remedy(label="keep", trim=(10, 40))
    assert apply_remedy(keep, motion, MotionSettings(reference_frame=25))[1].reference_frame == 15
    assert apply_remedy(keep, motion, MotionSettings(reference_frame=5))[1].reference_frame is None


def test_a_face_that_is_turned_over_by_its_expression():
    motion = motion_of()
    offsets = motion.offsets.copy()
    near = np.linalg.norm(face_model().points - face_model().points[1], axis=1) < 0.22  # round the tip of the nose
    offsets[25:35, near, 0] -= 2.2 * face_model().points[near, 0]
    wild = replace(motion, offsets=offsets)
    portrait, fitted = fitted_to(wild, placed(face(lips=0.0)), reference_frame=0)
    problems = diagnose(wild, portrait=portrait, fitted=fitted)
    (folded,) = (problem for problem in problems if problem.kind == "folded-field")
    assert (folded.first, folded.last) == (25, 34)


def test_worst_first_with_texts_that_say_what_to_do():
    motion = motion_of(yaw=hump(70, 5, 25), x=hump(100, 35, 55))
    problems = diagnose(motion)
    assert [p.severity for p in problems] == sorted((p.severity for p in problems), reverse=True)
    for problem in problems:
        assert problem.title == KINDS[problem.kind] and any(c.isdigit() for c in problem.seen)
        assert (
            "--" in problem.advice
            and "{" not in problem.advice
            and problem.why.endswith(".")
            and problem.seen.endswith(".")
        )


def test_both_or_none_of_portrait_and_fitted_motion():
    motion = motion_of()
    with pytest.raises(ValueError, match="both"):
        diagnose(motion, fitted=motion)
    portrait, fitted = fitted_to(motion_of(), placed(face()))
    with pytest.raises(ValueError, match="frames"):
        diagnose(motion_from_landmarks(seen(placed(face())[None])), portrait=portrait, fitted=fitted)


def test_one_frame_and_an_all_but_lost_clip_can_be_diagnosed():
    assert diagnose(motion_from_landmarks(seen(placed(face())[None]))) == []
    visible = np.zeros(COUNT, bool)
    visible[30] = True
    assert kinds_of(diagnose(motion_of(visible=visible))) == {"face-lost"}


def test_warnings_name_what_counts_in_any_job():
    visible = np.ones(COUNT, bool)
    visible[10:15] = False
    motion = motion_of(yaw=hump(70), jaw=hump(0.2, 45, 58), visible=visible)
    portrait, fitted = fitted_to(motion, placed(face(lips=0.0)))
    texts = warnings(diagnose(motion, portrait=portrait, fitted=fitted), motion)
    assert any("no face was seen in 5 of 60 frames" in text for text in texts)
    assert any("--pose-limit" in text for text in texts)
    assert not any("mouth" in text for text in texts)  # every clip that speaks opens the mouth


# --- files ------------------------------------------------------------------------------------------------------------


def test_problems_survive_a_file(tmp_path):
    visible = np.arange(COUNT) < 50
    problems = diagnose(motion_of(yaw=hump(60), x=hump(110, 2, 18), visible=visible))
    save_problems(problems, tmp_path / "problems.json")
    assert read_problems(tmp_path / "problems.json") == problems
    assert json.loads((tmp_path / "problems.json").read_text())["format"] == 1


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "problems": []}', '{"format": 1, "problems": [{"kind": 3}]}']
)
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "problems.json").write_text(text)
    with pytest.raises(MediaError, match=r"problems\.json"):
        read_problems(tmp_path / "problems.json")
    with pytest.raises(MediaError, match="cannot be read"):
        read_problems(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "wrong", [{"kind": "hiccup"}, {"severity": 1.5}, {"peak": 9}, {"first": -1}, {"last": 2}], ids=str
)
def test_an_impossible_problem_is_refused(wrong):
    right = dict(kind="blur", first=3, last=5, peak=4, severity=0.5, seen="a", why="b", change="c")
    Problem(**right)
    with pytest.raises(ValueError):
        Problem(**right | wrong)


def test_a_remedy_does_something():
    for wrong in ({}, {"fill": (5, 3)}, {"trim": (-1, 4)}):
        with pytest.raises(ValueError):
            Remedy(label="nothing", **wrong)


# --- remedies ---------------------------------------------------------------------------------------------------------


def test_filling_in_leaves_all_other_frames_and_goes_smoothly_between():
    motion = motion_of(yaw=np.linspace(-20, 20, COUNT), x=np.linspace(0, 40, COUNT))
    broken = replace(motion, offsets=motion.offsets + 0.1 * (np.arange(COUNT) // 10 == 2)[:, None, None])
    mended, _ = apply_remedy(Remedy(label="fill", fill=(20, 29)), broken)
    others = np.r_[0:20, 30:COUNT]
    for name in ("rotation", "translation", "scale", "offsets"):
        np.testing.assert_array_equal(getattr(mended, name)[others], getattr(motion, name)[others])
    assert not mended.visible[20:30].any() and mended.visible[others].all()
    assert (
        np.abs(place(mended).points - place(motion).points).max() < 3
    )  # px; the truth moves evenly, the bridge softly
    np.testing.assert_allclose(
        mended.rotation @ mended.rotation.transpose(0, 2, 1), np.eye(3)[None].repeat(COUNT, 0), atol=1e-5
    )


def test_at_an_end_the_nearest_frame_holds():
    motion = motion_of(x=np.linspace(0, 40, COUNT), visible=np.arange(COUNT) < 55)
    mended, _ = apply_remedy(Remedy(label="fill", fill=(50, COUNT - 1)), motion)
    np.testing.assert_allclose(mended.translation[50:], np.repeat(motion.translation[49:50], 10, 0), atol=1e-6)
    with pytest.raises(ValueError, match="none"):
        apply_remedy(Remedy(label="fill", fill=(0, COUNT - 1)), motion)


def test_what_was_seen_is_trusted_where_it_moves_as_the_driver_usually_does():
    """A driver who sways all the time goes on swaying behind the hand; one who sits still does not jump with it."""
    sway = 12 * np.sin(np.arange(COUNT) / 5)
    lively, calm = motion_of(x=sway), motion_of()
    jump = np.where((np.arange(COUNT) >= 24) & (np.arange(COUNT) < 36), 15.0, 0)
    remedy = Remedy(label="fill", fill=(24, 35))

    def error(motion, truth):
        points = place(apply_remedy(remedy, motion)[0]).points[24:36]
        return np.linalg.norm(points - place(truth).points[24:36], axis=-1).mean()

    assert error(lively, lively) < 3  # px
    assert error(motion_of(x=jump), calm) < 1


def test_frames_that_were_filled_in_are_no_reference():
    motion = motion_of(yaw=np.where(np.arange(COUNT) < 30, 0.0, 12.0))
    portrait = portrait_of(placed(face(lips=0.0)))
    kept = fit_motion(portrait, apply_remedy(Remedy(label="fill", fill=(0, 10)), motion)[0])[1]
    assert not kept.visible[:11].any()


def test_trimming_cuts_the_clip_and_its_sound_alike():
    clip = DrivingClip(
        path=Path("a.mp4"), fps=Fraction(25), num_frames=COUNT, height=256, width=256, has_audio=True, start=2.0
    )
    motion = replace(motion_of(x=hump(20)), clip=clip)
    part, _ = apply_remedy(Remedy(label="trim", trim=(10, 39)), motion)
    assert len(part) == 30 and part.times[0] == 0 and part.times[-1] == pytest.approx(29 / 25)
    assert (part.clip.start, part.clip.end, part.clip.num_frames) == (pytest.approx(2.4), pytest.approx(3.6), 30)
    np.testing.assert_array_equal(part.translation, motion.translation[10:40])


def test_only_automatic_remedies_are_applied_and_the_stronger_setting_stays():
    visible = np.arange(COUNT) < 50
    motion = motion_of(yaw=hump(70), visible=visible)
    problems = diagnose(motion)
    assert kinds_of(problems) == {"extreme-pose", "face-lost"}
    after, settings = apply_remedies(problems, motion, MotionSettings(pose_limit=20.0, mode="absolute"))
    assert len(after) == COUNT and settings == MotionSettings(pose_limit=20.0, mode="absolute")
    assert apply_remedies(problems, motion)[1].pose_limit == 35


def test_the_remedy_of_an_extreme_pose_removes_it():
    motion = motion_of(yaw=hump(70))
    portrait = portrait_of(placed(face(lips=0.0)))
    worst = [np.abs(np.rad2deg(euler_angles(retarget(motion, portrait, s).rotation)))[:, 0].max() for s in
             (MotionSettings(pose_limit=90.0), apply_remedies(diagnose(motion), motion)[1])]  # fmt: skip
    assert worst[0] == pytest.approx(70, abs=1) and worst[1] < 35.5
