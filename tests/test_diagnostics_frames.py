"""What only frames show: every bundled failure case is found as what it is; covered faces; the command that shows them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from builders import write_clip

from visiongen import animate, cli, extract_motion, fit_motion, media, prepare_portrait
from visiongen.diagnostics import KINDS, apply_remedies, diagnose
from visiongen.diagnostics.cover_net import cover_inputs, cover_net, hidden_shares
from visiongen.diagnostics.sheet import contact_sheet, shown_frames, table
from visiongen.diagnostics.sight import watch
from visiongen.diagnostics.texture import CELLS, SIDE, face_cells, unwrapped
from visiongen.motion import piece, place
from visiongen.retarget import MotionSettings
from visiongen.samples import PROBLEM_SETTINGS, PROBLEMS, sample
from visiongen.training.occlusion import Samples, tune

EXPECTED = {
    "occluded": (20, 50),
    "extreme-pose": (18, 44),
    "fast-motion": (18, 42),
    "blur": (16, 43),
    "face-lost": (22, 48),
    "out-of-frame": (14, 46),
    "folded-field": (64, 70),
}
"""Between which frames the defect of a bundled clip lies; see sample_media/make_problem_clips.py."""


@pytest.fixture(scope="module")
def jobs():
    """Kind -> (portrait, driver's motion, fitted motion, problems) of its sample; made when first asked for."""
    known = {}

    def job(kind):
        if kind not in known:
            portrait, driving = (sample(name) for name in PROBLEMS[kind])
            settings = MotionSettings(**PROBLEM_SETTINGS.get(kind, {}))
            motion = extract_motion(driving, end=3.0 if driving.name == "driving.mp4" else None)
            fitted = fit_motion(prepare_portrait(portrait), motion, settings)
            found = diagnose(motion, portrait=fitted[0], fitted=fitted[1], settings=settings)
            known[kind] = (fitted[0], motion, fitted[1], found)
        return known[kind]

    return job


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_bundled_failure_case_is_found_where_it_is(jobs, kind):
    found = [problem for problem in jobs(kind)[3] if problem.kind == kind]
    assert found, f"only {Counter(problem.kind for problem in jobs(kind)[3])}"
    if kind in EXPECTED:
        first, last = EXPECTED[kind]
        worst = found[0]
        assert first - 4 <= worst.first and worst.last <= last + 4 and first <= worst.peak <= last
        assert worst.num_frames > 0.4 * (last - first)


def test_what_folds_the_field_is_mended_by_its_remedy(jobs):
    portrait, motion, _, problems = jobs("folded-field")
    assert problems[0].kind == "folded-field", "the main finding"
    exaggerated = MotionSettings(**PROBLEM_SETTINGS["folded-field"])
    mended, calmer = apply_remedies(problems, motion, exaggerated)
    portrait, fitted = fit_motion(portrait, mended, calmer)
    after = diagnose(mended, portrait=portrait, fitted=fitted, settings=calmer, look=False)
    assert calmer.mouth < 1 and not [problem for problem in after if problem.kind == "folded-field"]


@pytest.mark.parametrize("kind", ["blur", "fast-motion"])
def test_nothing_is_said_to_cover_a_face_that_is_too_blurred_to_tell(jobs, kind):
    assert not [problem for problem in jobs(kind)[3] if problem.kind == "occluded"]


def test_every_main_kind_has_an_example():
    # A poor reference frame is no matter of the media: somebody chooses it.
    assert set(KINDS) - set(PROBLEMS) == {"poor-reference"}


def test_the_clean_clip_shows_nothing_that_only_frames_can_show(jobs):
    kinds = {problem.kind for problem in jobs("mouth-opened")[3]}
    assert kinds <= {"mouth-opened"}


def test_the_remedy_brings_the_covered_mouth_nearer_to_what_it_did(jobs):
    """The bundled clip is `driving.mp4` with a hand before it: the true landmarks are known."""
    _, motion, _, problems = jobs("occluded")
    truth = place(extract_motion(sample("driving.mp4"), end=len(motion) / 25)).points[:, :468, :2]
    mended = apply_remedies(problems, motion)[0]
    (hand,) = (problem for problem in problems if problem.kind == "occluded")
    run = slice(hand.first, hand.last + 1)

    def jitter(points):
        return np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean(1)[run].mean()

    assert jitter(place(mended).points[:, :468, :2]) < 0.5 * jitter(place(motion).points[:, :468, :2])
    assert np.isfinite(truth).all()


def test_the_unwrapped_face_has_every_landmark_in_its_place():
    """Landmarks drawn as dots on a picture come out where the same landmarks of another pose do."""
    from builders import face, placed, rotation

    places = []
    for turn, unit in ((rotation(), 150), (rotation(yaw=25, pitch=10, roll=30), 90)):
        points = placed(face(), turn=turn, centre=(200, 200), unit=unit)
        picture = np.zeros((400, 400), np.uint8)
        x, y = points[33, :2].round().astype(int)
        cv2.circle(picture, (int(x), int(y)), 5, 255, -1)
        texture, facing = unwrapped(picture, points)
        assert texture.shape == facing.shape == (SIDE, SIDE) and (facing[~face_cells()] == 0).all()
        rows, columns = np.nonzero(texture > 100)
        places.append((rows.mean(), columns.mean()))
    assert np.linalg.norm(np.subtract(*places)) < 3


def test_a_patch_on_the_face_is_found_where_it_is():
    """A dark box over the mouth of a clean face, beside how the face usually looks."""
    frame = next(media.read_frames(media.probe(sample("driving.mp4")), batch_size=1)).pixels[0]
    portrait = prepare_portrait(frame)
    clean, facing = unwrapped(frame, portrait.landmarks)
    covered = clean.copy()
    covered[40:60, 15:50] = (40, 60, 90)
    shares = hidden_shares(
        np.stack([clean, covered]).astype(np.float32),
        np.stack([clean, clean]).astype(np.float32),
        np.stack([facing] * 2),
    )
    assert shares.shape == (2, CELLS, CELLS)
    assert shares[0][2:14, 3:13].mean() < 0.05
    inside = shares[1][11:14, 5:11]
    assert inside.mean() > 0.6 and shares[1][2:8, 4:12].mean() < 0.25
    assert cover_net() is cover_net()  # read once


def test_a_carved_face_is_hardly_ever_said_to_be_covered(jobs):
    _, motion, _, problems = jobs("extreme-pose")
    told = sum(problem.num_frames for problem in problems if problem.kind == "occluded")
    assert told < len(motion) / 2, "it was told of every frame"


def test_the_finder_can_be_taught_what_is_no_cover():
    """Smooth cheeks that look like a mask to it, beside a real face that is covered by a box and has to stay so."""
    frame = next(media.read_frames(media.probe(sample("driving.mp4")), batch_size=1)).pixels[0]
    clean, facing = unwrapped(frame, prepare_portrait(frame).landmarks)
    boxed, hidden = clean.copy(), np.zeros((CELLS, CELLS), np.float32)
    boxed[40:60, 15:50] = (40, 60, 90)
    hidden[10:15, 4:12] = 1
    statue = prepare_portrait(sample("statue_turned.png"))
    carved, turned = unwrapped(statue.image, statue.landmarks)

    def samples(now, usual, facing, hidden):
        return Samples(*(np.repeat(one[None], 60, 0) for one in (now, usual, facing, hidden)), source=np.arange(60))

    covered, drawn = samples(boxed, clean, facing, hidden), samples(carved, carved, turned, 0 * hidden)
    tuned = tune(cover_net(), covered, drawn, steps=12, kept=0)

    def seen(net, of):
        with torch.inference_mode():
            logits = net(cover_inputs(*(np.float32(one[:1]) for one in (of.texture, of.usual, of.facing))))
        return torch.sigmoid(logits)[0].numpy()

    near = cv2.resize(turned, (CELLS, CELLS), interpolation=cv2.INTER_AREA) > 0.3
    assert seen(tuned, drawn)[near].mean() < 0.7 * seen(cover_net(), drawn)[near].mean()
    assert seen(tuned, covered)[11:14, 5:11].mean() > 0.6


def test_looking_streams_and_knows_which_frames_it_saw(tmp_path):
    clip = media.probe(sample("driving.mp4"), end=0.4)
    frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
    frames[4:6] = 0
    motion = extract_motion(write_clip(tmp_path / "short.mp4", frames))
    steps = []
    sight = watch(motion, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (10, 10) and len(sight.hidden) == 10
    assert np.isnan(sight.sharpness[4:6]).all() and not sight.facing[4:6].any()
    assert np.isfinite(sight.others).all()
    with pytest.raises(ValueError, match="no clip"):
        watch(replace(motion, clip=None))


def test_the_sheet_and_the_table_show_each_problem(jobs):
    problems = jobs("extreme-pose")[3]
    pictures = {frame: np.full((90, 160, 3), 200, np.uint8) for frame in shown_frames(problems)}
    sheet = contact_sheet(problems, pictures)
    assert sheet.dtype == np.uint8 and (sheet == 200).any()
    text = table(problems)
    assert all(problem.seen in text and problem.advice in text for problem in problems)
    assert table([]) == "no problems found"


def test_the_command_writes_and_prints(tmp_path, capsys):
    out = tmp_path / "seen"
    assert cli.main(["inspect", str(sample("problem_lost.mp4")), "-o", str(out), "--end", "2", "--diagnose"]) == 0
    assert {"problems.json", "problems.png"} <= {path.name for path in out.iterdir()}
    found = json.loads((out / "problems.json").read_text())["problems"]
    printed = capsys.readouterr().out
    assert "face-lost" in printed and any(problem["kind"] == "face-lost" for problem in found)


def test_a_remedied_animation_says_what_was_done(jobs, tmp_path):
    _, motion, _, _ = jobs("extreme-pose")
    part = replace(piece(motion, slice(14, 30)), clip=None)  # without its clip only the motion is judged
    result = animate(sample("statue.png"), part, tmp_path / "out.mp4", generator="warp", size=128, remedy=True)
    assert result.num_frames == 16
    assert any("Damp" in label for label in result.provenance.settings["remedies"])
    assert result.provenance.settings["motion"]["pose_limit"] == 35
