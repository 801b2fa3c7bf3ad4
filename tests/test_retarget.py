"""A motion on another face: nothing at the reference frame, eyes that close, lips that meet, a size that stays."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from builders import (
    BROWS,
    EYES,
    LIPS_ABOVE,
    LIPS_BELOW,
    OTHER_FACES,
    UNIT,
    eye_opening,
    face,
    lids,
    lip_gap,
    other_face,
    placed,
    portrait_of,
    random_faces,
    rotation,
    seen,
)

from visiongen.datatypes import DrivingClip, LandmarkTrack, MotionTrack
from visiongen.landmarks import INNER_LIPS, LEFT_BROW, OUTER_LIPS, RIGHT_BROW
from visiongen.motion import motion_from_landmarks, place, smooth
from visiongen.pose import euler_angles, fit_head
from visiongen.retarget import MotionSettings, best_reference, portrait_motion, retarget

CLOSED = 0.02
"""Opening at which lids meet, as a share of the eye's width."""
SKULL = (10, 33, 127, 133, 168, 263, 356, 362)
"""Points that no expression of `builders.face` moves."""
FPS = 25


def talking(seconds: float = 2.0) -> np.ndarray:
    """(T, 478, 3) head frame: opens and closes the mouth, blinks, lifts the brows; begins at rest with closed lips."""
    times = np.arange(int(seconds * FPS)) / FPS
    return np.stack(
        [
            face(
                lips=0.0,
                jaw=0.12 * np.sin(2 * np.pi * t) ** 2,
                blink=float(np.exp(-(((t - 0.7) / 0.08) ** 2))),
                brows=0.03 * np.sin(np.pi * t) ** 2,
            )
            for t in times
        ]
    )


def moving(shapes: np.ndarray) -> np.ndarray:
    """The same, px, turning and shifting."""
    return np.stack(
        [
            placed(s, turn=rotation(yaw=15 * np.sin(i / 9), pitch=i / 8, roll=i / 10), centre=(110 + i / 2, 128))
            for i, s in enumerate(shapes)
        ]
    )


def motion_of(points: np.ndarray) -> MotionTrack:
    return motion_from_landmarks(seen(points, fps=FPS))


def fitted(points: np.ndarray, portrait: np.ndarray, **settings) -> np.ndarray:
    """Landmarks (T, 478, 3) px of the portrait with landmarks (478, 3), moved."""
    return place(retarget(motion_of(points), portrait_of(portrait), MotionSettings(**settings))).points


def in_head_frame(points: np.ndarray) -> np.ndarray:
    """(T, 478, 3) px -> turned to the camera, in face widths."""
    turn, shift, scale = fit_head(points.astype(np.float64))
    return np.einsum("tji,tnj->tni", turn, points - shift[:, None]) / scale[:, None, None]


# --- what must not change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OTHER_FACES)
@pytest.mark.parametrize("reference", [0, 12, 40])
def test_at_the_reference_frame_the_portrait_is_as_it_was(kind, reference):
    own = placed(other_face(kind), turn=rotation(yaw=-10, pitch=5), centre=(140, 120), unit=70)
    result = fitted(moving(talking()), own, reference_frame=reference)
    np.testing.assert_allclose(result[reference], own, atol=0.02)


def test_the_automatic_reference_leaves_the_portrait_as_it_was_too():
    motion, own = motion_of(moving(talking())), placed(other_face("wide"), turn=rotation(yaw=10))
    reference = best_reference(motion, portrait_motion(portrait_of(own)))
    np.testing.assert_allclose(place(retarget(motion, portrait_of(own))).points[reference], own, atol=0.02)


def test_a_portraits_own_motion_may_be_known_already():
    motion, portrait = motion_of(random_faces(3)), portrait_of(random_faces(1, seed=5)[0])
    found = retarget(motion, portrait, own=portrait_motion(portrait))
    np.testing.assert_array_equal(place(found).points, place(retarget(motion, portrait)).points)
    other = portrait_motion(portrait_of(random_faces(1, seed=6)[0]))
    assert not np.array_equal(place(retarget(motion, portrait, own=other)).points, place(found).points)


@pytest.mark.parametrize("mode", ["relative", "absolute"])
def test_a_clip_on_its_own_first_frame_gives_itself(mode):
    points = moving(talking())
    result = fitted(points, points[0], mode=mode, reference_frame=0)
    np.testing.assert_allclose(result, points, atol=0.1)  # px


def test_smoothed_it_gives_the_smoothed_clip():
    points = moving(talking()) + np.random.default_rng(0).normal(0, 0.1, (50, 478, 3))
    smoothed = smooth(motion_of(points))
    first = place(smoothed).points[0]
    result = place(retarget(smoothed, portrait_of(first), MotionSettings(mode="absolute", reference_frame=0))).points
    assert np.abs(result - place(smoothed).points).mean() < 0.01


def test_a_still_clip_moves_nothing():
    points = np.repeat(placed(face(jaw=0.05), turn=rotation(yaw=20))[None], 10, axis=0)
    own = placed(other_face("long"))
    np.testing.assert_allclose(fitted(points, own), np.repeat(own[None], 10, axis=0), atol=0.02)


def test_clip_times_and_visibility_go_along():
    visible = np.ones(30, bool)
    visible[3:6] = False
    clip = DrivingClip(path=Path("a.mp4"), fps=Fraction(25), num_frames=30, height=9, width=9, has_audio=False)
    motion = motion_from_landmarks(seen(random_faces(30), visible=visible), clip=clip)
    result = retarget(motion, portrait_of(placed(face()), height=100, width=70))
    assert result.clip is clip and (result.height, result.width) == (100, 70)
    np.testing.assert_array_equal(result.visible, visible)
    np.testing.assert_array_equal(result.times, motion.times)


# --- pose -------------------------------------------------------------------------------------------------------------


def test_turns_are_added_to_the_portraits_own():
    driver = np.stack([placed(face(), turn=rotation(yaw=y)) for y in range(20)])
    own = placed(other_face("wide"), turn=rotation(yaw=-8))
    motion = retarget(motion_of(driver), portrait_of(own), MotionSettings(reference_frame=0))
    np.testing.assert_allclose(np.rad2deg(euler_angles(motion.rotation))[:, 0], np.arange(20) - 8, atol=0.05)


def test_shifts_are_measured_in_faces():
    driver = np.stack([placed(face(), unit=50, centre=(60 + i, 80)) for i in range(11)])
    own = placed(face(), unit=100, centre=(120, 120))
    moved = fitted(driver, own, reference_frame=0)
    assert np.ptp(moved[:, 168, 0]) == pytest.approx(20, rel=0.02) and np.ptp(moved[:, 168, 1]) < 0.1


@pytest.mark.parametrize("scale, grown", [("follow", 1.3), ("lock", 1.0)])
def test_leaning_in(scale, grown):
    driver = np.stack([placed(face(), unit=u) for u in np.linspace(100, 130, 60)])
    moved = fitted(driver, placed(other_face("wide")), reference_frame=0, scale=scale)
    width = np.linalg.norm(moved[:, 127] - moved[:, 356], axis=1)
    assert width[-1] / width[0] == pytest.approx(grown, rel=0.02)


@pytest.mark.parametrize("scale", ["follow", "lock"])
@pytest.mark.parametrize("kind", OTHER_FACES)
def test_talking_does_not_pump_the_head(kind, scale):
    """An expression must neither resize nor tip nor shift the skull, whatever its proportions."""
    moved = fitted(placed(talking()), placed(other_face(kind)), scale=scale)
    skull = moved[:, list(SKULL)]
    np.testing.assert_allclose(skull, np.broadcast_to(skull[:1], skull.shape), atol=2.5e-3 * UNIT)


def test_pose_0_holds_the_head_and_lets_the_face_talk():
    own = placed(other_face("low mouth"), turn=rotation(yaw=12, roll=5))
    moved = fitted(moving(talking()), own, pose=0)
    skull = moved[:, list(SKULL)]
    np.testing.assert_allclose(skull, np.broadcast_to(skull[:1], skull.shape), atol=3.5e-3 * UNIT)
    assert np.ptp(moved[:, 14, 1]) > 0.05 * UNIT


def test_pose_2_turns_twice_as_far():
    driver = np.stack([placed(face(), turn=rotation(yaw=y)) for y in range(15)])
    motion = retarget(motion_of(driver), portrait_of(placed(face())), MotionSettings(pose=2, reference_frame=0))
    assert np.rad2deg(euler_angles(motion.rotation))[-1, 0] == pytest.approx(28, abs=0.1)


@pytest.mark.parametrize("height, width", [(200, 256), (512, 512), (300, 200)])
def test_absolute_lays_the_clip_over_the_picture(height, width):
    points = moving(talking())
    motion, zoom = motion_of(points), width / 256
    below = (height - 256 * zoom) / 2
    own = (points[0] * zoom + [0, below, 0]).astype(np.float32)
    settings = MotionSettings(mode="absolute", reference_frame=0)
    moved = place(retarget(motion, portrait_of(own, height=height, width=width), settings)).points
    np.testing.assert_allclose(moved[:, SKULL], points[:, SKULL] * zoom + [0, below, 0], atol=0.05 * zoom)


# --- expression -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["relative", "absolute"])
@pytest.mark.parametrize("side", EYES)
@pytest.mark.parametrize("kind", OTHER_FACES)
def test_eyes_close_fully_when_the_drivers_do_and_not_before(kind, side, mode):
    driver = talking()
    own = other_face(kind)
    opening = eye_opening(in_head_frame(fitted(moving(driver), placed(own), mode=mode)), side)
    before = eye_opening(driver, side)
    assert opening[np.argmin(before)] < CLOSED
    half = np.argmin(np.abs(before - before.max() / 2))
    assert 0.3 * eye_opening(own, side) < opening[half] < 0.75 * eye_opening(own, side)
    assert opening.max() < 1.1 * eye_opening(own, side)


@pytest.mark.parametrize("kind", OTHER_FACES)
def test_lids_never_cross(kind):
    for points in (moving(talking()), random_faces(40)):
        head = in_head_frame(fitted(points, placed(other_face(kind)), eyes=2.0))
        for side in EYES:
            upper, lower = lids(side)
            assert (head[:, lower, 1] - head[:, upper, 1]).min() > -0.002


@pytest.mark.parametrize("kind", OTHER_FACES)
def test_lips_meet_when_the_drivers_do(kind):
    driver = talking()
    head = in_head_frame(
        fitted(moving(driver), placed(other_face(kind, face(lips=0.0) if kind != "mouth open" else None)))
    )
    gaps = head[:, LIPS_BELOW, 1] - head[:, LIPS_ABOVE, 1]
    closed = lip_gap(driver) < 0.003
    assert closed.sum() >= 4
    assert np.abs(gaps[closed]).max() < 0.004  # of a face width: a third of a pixel at 256
    assert gaps.min() > -0.002  # and they never pass through each other
    assert gaps.mean(1).max() > 0.05  # but the mouth does open


def test_a_driver_whose_mouth_never_shuts_opens_a_shut_one_as_far_as_its_own():
    driver = np.stack([face(lips=gap) for gap in (0.08, 0.08, 0.1, 0.14, 0.2, 0.08)])
    gaps = lip_gap(in_head_frame(fitted(moving(driver), placed(face(lips=0.0)), reference_frame=0)))
    assert gaps[0] < 0.003 and gaps[-1] < 0.003  # the frame that corresponds to the portrait leaves it as it is
    assert (np.diff(gaps[1:5]) > 0).all() and gaps[4] == pytest.approx(lip_gap(driver)[4], rel=0.1)


def test_a_mouth_that_is_always_shut_leaves_the_portraits_smile():
    driver = np.repeat(placed(face(lips=0.0))[None], 10, axis=0)
    own = placed(other_face("mouth open"))
    np.testing.assert_allclose(fitted(driver, own)[5], own, atol=0.02)


def test_closed_eyes_open_when_the_driver_opens_his():
    """Both begin with closed eyes: there is no ratio to transfer."""
    shut = 0.64  # of the gap: what MediaPipe shows of closed eyes
    blinks = np.r_[np.full(10, shut), np.linspace(shut, 0, 10), np.zeros(10)]
    driver = np.stack([placed(face(blink=b)) for b in blinks])
    opening = eye_opening(in_head_frame(fitted(driver, placed(face(blink=shut)))), "left")
    assert opening[:9].max() < 0.075 and opening[-5:].min() > 0.8 * eye_opening(face(), "left")


def test_a_reference_within_a_blink_does_not_tear_the_eyes_open():
    driver = talking()
    shut = int(np.argmin(eye_opening(driver, "left")))
    own = other_face("large eyes")
    opening = eye_opening(in_head_frame(fitted(moving(driver), placed(own), reference_frame=shut)), "left")
    assert opening[shut] < CLOSED and opening.max() < 1.7 * eye_opening(own, "left")


def test_the_gaze_follows():
    shapes = np.repeat(face()[None], 10, axis=0)
    shapes[:, 468:, 0] += 0.003 * np.arange(10)[:, None]
    moved = in_head_frame(fitted(placed(shapes), placed(other_face("wide"))))
    assert np.ptp(moved[:, 468, 0]) == pytest.approx(0.027, rel=0.1)


REGIONS = {"mouth": LIPS_ABOVE + LIPS_BELOW, "eyes": (*lids("left")[0], *lids("left")[1], 468, 473), "brows": BROWS}


@pytest.mark.parametrize("kind", ["small mouth", "large eyes", "mouth open"])
@pytest.mark.parametrize("region", REGIONS)
def test_a_gain_of_0_freezes_its_region_and_no_other(region, kind):
    own = placed(other_face(kind))
    moved = fitted(placed(talking()), own, **{region: 0.0})
    for name, members in REGIONS.items():
        change = np.abs(moved[:, list(members)] - own[list(members)]).max() / UNIT
        assert (change < 0.003) if name == region else (change > 0.015), name


@pytest.mark.parametrize("region, measure", [("mouth", lip_gap), ("eyes", lambda head: eye_opening(head, "left"))])
def test_a_larger_gain_moves_more(region, measure):
    ranges = []
    for gain in (0.0, 0.5, 1.0, 1.5):
        shapes = talking() if region == "mouth" else np.stack([face(blink=b) for b in (0, 0.2, 0.4)])
        ranges.append(np.ptp(measure(in_head_frame(fitted(placed(shapes), placed(face(lips=0.02)), **{region: gain})))))
    assert ranges[0] < 0.001 and all(b > a + 0.01 for a, b in itertools.pairwise(ranges))


# --- reference and settings -------------------------------------------------------------------------------------------


def test_the_best_reference_is_alike_in_pose_and_expression():
    shapes = np.stack([face(lips=0.0), face(jaw=0.1), face(blink=1), face(), face(brows=0.05)])
    turns = [rotation(yaw=y) for y in (0, 20, 0, -15, 0)]
    motion = motion_of(np.stack([placed(s, turn=t) for s, t in zip(shapes, turns, strict=True)]))
    for i, (shape, turn) in enumerate(zip(shapes, turns, strict=True)):
        own = portrait_motion(portrait_of(placed(shape, turn=turn, unit=60, centre=(100, 90))))
        assert best_reference(motion, own) == i


def test_frames_without_a_face_are_no_reference():
    visible = np.ones(12, bool)
    visible[:3] = False
    motion = motion_from_landmarks(seen(np.repeat(placed(face())[None], 12, axis=0), visible=visible))
    assert best_reference(motion, portrait_motion(portrait_of(placed(face())))) == 3


@pytest.mark.parametrize("frame", [-1, 50, 1000])
def test_a_reference_outside_is_refused(frame):
    with pytest.raises(ValueError, match=r"reference frame .* outside .* 50 frames \(0 to 49\)"):
        fitted(moving(talking()), placed(face()), reference_frame=frame)


@pytest.mark.parametrize(
    "values",
    [{"pose": -0.1}, {"mouth": 2.1}, {"eyes": float("nan")}, {"smoothing": 1.5}, {"mode": "x"}, {"scale": "x"}],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MotionSettings(**values)


def test_one_frame_is_a_motion_too():
    own = placed(other_face("long"))
    np.testing.assert_allclose(fitted(placed(face(jaw=0.1))[None], own)[0], own, atol=0.02)


def test_rotations_stay_orthonormal():
    result = retarget(motion_of(random_faces(30)), portrait_of(random_faces(1, seed=5)[0]), MotionSettings(pose=1.7))
    turns = result.rotation @ result.rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(turns, np.broadcast_to(np.eye(3), turns.shape), atol=1e-5)
    assert np.isfinite(place(result).points).all()


# --- real clips -------------------------------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("VISIONGEN_DATA"), reason="VISIONGEN_DATA is not set")
def test_real_clips_on_their_own_first_frame():
    from visiongen import media
    from visiongen.landmarks import track

    clips = sorted((Path(os.environ["VISIONGEN_DATA"]) / "val" / "clips").glob("*.mp4"))[::7]
    assert clips
    for path in clips:
        seen_: LandmarkTrack = track(media.probe(path, end=1.5))
        motion = motion_from_landmarks(replace(seen_))
        own = portrait_of(seen_.points[0], height=seen_.height, width=seen_.width)
        moved = place(retarget(motion, own, MotionSettings(mode="absolute", reference_frame=0))).points
        error = np.linalg.norm((moved - place(motion).points)[..., :2], axis=-1) * 256 / seen_.width
        assert error.mean() < 0.1, path.name


# --- the limit of turns -----------------------------------------------------------------------------------------------


def turned_by(yaws: np.ndarray, *, own: float = 0.0, axis: str = "yaw", **settings) -> np.ndarray:
    """(T, 3) yaw, pitch, roll in degrees of a portrait that follows a driver's turns."""
    driver = np.stack([placed(face(), turn=rotation(**{axis: y})) for y in yaws])
    portrait = portrait_of(placed(face(), turn=rotation(**{axis: own})))
    motion = retarget(motion_of(driver), portrait, MotionSettings(reference_frame=0, **settings))
    return np.rad2deg(euler_angles(motion.rotation))


def test_small_turns_do_not_feel_the_limit():
    np.testing.assert_allclose(turned_by(np.arange(0, 30), pose_limit=40.0)[:, 0], np.arange(0, 30), atol=0.05)


def test_large_turns_grow_ever_less_and_never_beyond_the_limit():
    angles = turned_by(np.arange(0, 81), pose_limit=40.0)[:, 0]
    steps = np.diff(angles)
    assert (steps > 0).all() and angles[-1] < 40 < angles[-1] + 1
    assert np.abs(np.diff(steps)).max() < 0.15  # smooth: no kink where it begins


def test_nods_are_limited_to_two_thirds():
    assert turned_by(np.arange(0, 61), axis="pitch", pose_limit=45.0)[-1, 1] == pytest.approx(30, abs=1)


def test_ninety_degrees_are_no_limit():
    np.testing.assert_allclose(turned_by(np.arange(0, 81), pose_limit=90.0)[:, 0], np.arange(0, 81), atol=0.1)


def test_a_portrait_in_profile_keeps_its_own_pose_and_turns_little():
    for limit in (30.0, 50.0):
        away, back = (turned_by(sign * np.arange(0, 40), own=55.0, pose_limit=limit)[:, 0] for sign in (1, -1))
        assert away[0] == pytest.approx(55, abs=0.1) and back[0] == pytest.approx(55, abs=0.1)
        assert (np.diff(away) >= 0).all() and away[-1] < 60
        assert (np.diff(back) <= 0).all() and 53 < back[-1] < 55


def test_a_portrait_in_three_quarter_view_turns_to_the_camera_freely():
    np.testing.assert_allclose(turned_by(-np.arange(0, 60), own=35.0)[:, 0], 35 - np.arange(0, 60), atol=0.15)


def test_the_limit_leaves_the_tilt_alone():
    driver = np.stack([placed(face(), turn=rotation(yaw=y, roll=25)) for y in range(70)])
    own = placed(face(), turn=rotation(roll=25))
    motion = retarget(motion_of(driver), portrait_of(own), MotionSettings(reference_frame=0, pose_limit=40.0))
    yaw, _, roll = np.rad2deg(euler_angles(motion.rotation)).T
    assert yaw[-1] < 40 and np.abs(roll - 25).max() < 8


def test_absolute_motion_is_not_limited():
    driver = np.stack([placed(face(), turn=rotation(yaw=y)) for y in range(70)])
    motion = retarget(motion_of(driver), portrait_of(driver[0]), MotionSettings(mode="absolute", pose_limit=10.0))
    assert np.rad2deg(euler_angles(motion.rotation))[-1, 0] == pytest.approx(69, abs=0.5)


# --- round mouths -----------------------------------------------------------------------------------------------------


def mouth_of(width: float, jaw: float = 0.15) -> np.ndarray:
    """A face whose opened mouth has a share of its width."""
    shape = face(jaw=jaw)
    shape[list(INNER_LIPS + OUTER_LIPS), 0] *= width
    return shape


def aspect(points: np.ndarray) -> float:
    """Width of the opening over its height; landmarks (478, 3)."""
    return float(np.linalg.norm(points[78] - points[308]) / np.linalg.norm(points[13] - points[14]))


@pytest.mark.parametrize("width", [0.2, 0.4])
def test_of_a_round_mouth_the_detector_sees_a_slit(width):
    driver = placed(np.stack([face(lips=0.0), mouth_of(width)]))
    assert aspect(driver[1]) < 0.7
    _, opened = fitted(driver, placed(face(lips=0.0)))
    assert 0.75 < aspect(opened) < 1.1
    assert opened[[61, 291], 0].mean() == pytest.approx(opened[[78, 308], 0].mean(), abs=0.5)
    moved = np.linalg.norm(opened - fitted(driver, placed(face(lips=0.0)), mode="absolute")[1], axis=1)
    assert moved[[78, 308]].min() > 2 and moved[[234, 454, 1, 33, 263]].max() < 0.1  # the mouth's own, and only there


def test_wide_mouths_are_left_alone():
    driver = placed(np.stack([face(lips=0.0), mouth_of(1.0)]))
    relative, absolute = (fitted(driver, placed(face(lips=0.0)), mode=mode)[1] for mode in ("relative", "absolute"))
    np.testing.assert_allclose(relative, absolute, atol=0.1)


def test_drawn_eyes_do_not_choose_the_reference():
    """They are open further than anybody's: the portrait's pose and mouth say which frame, not the widest eyes."""
    frames = np.stack([face(jaw=0.3), face(), face(jaw=0.3, blink=-0.5)])
    motion = motion_from_landmarks(seen(np.stack([placed(frame) for frame in frames])))
    own = face()
    for side in ("right", "left"):
        upper, lower = map(list, lids(side))
        own[upper, 1] -= 0.08
        own[lower, 1] += 0.08
    assert best_reference(motion, portrait_motion(portrait_of(placed(own)))) == 1


@pytest.mark.parametrize("wider", [0.03, 0.08])
def test_the_shape_of_a_face_does_not_choose_the_reference(wider):
    """Large eyes and high brows are no astonishment: a frame in which the driver is astonished, and looks away, is not it."""
    turned = placed(face(blink=-0.5), turn=rotation(0, 15, 0))
    motion = motion_from_landmarks(seen(np.stack([turned] + 9 * [placed(face())])))
    own = face()
    for side in ("right", "left"):
        upper, lower = map(list, lids(side))
        own[upper, 1] -= wider / 2
        own[lower, 1] += wider / 2
    own[list(RIGHT_BROW + LEFT_BROW), 1] -= 0.05
    assert best_reference(motion, portrait_motion(portrait_of(placed(own)))) == 1
