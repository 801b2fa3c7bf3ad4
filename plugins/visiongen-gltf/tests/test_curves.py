"""Curves out and in: what they say of a face, and that they drive one."""

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import visiongen_gltf
from visiongen_gltf.curve_source import basis, rotations
from visiongen_gltf.names import BLENDSHAPES, MIRRORED
from visiongen_gltf.regression import blendshapes, shipped_regression

from visiongen import MediaError, Provenance, load, testing
from visiongen.motion import piece
from visiongen.pose import euler_angles, face_model

EXPORTERS = {one.name: one for one in visiongen_gltf.visiongen_exporters()}
(SOURCE,) = visiongen_gltf.visiongen_motion_sources()
HOW = {"fps": Fraction(25), "provenance": Provenance(software="VisionGen 3D")}


def written(tmp_path, ending, frames=8) -> Path:
    path = tmp_path / f"a.{ending}"
    load(EXPORTERS[f"curves-{ending}"]).export_motion(*testing.sample_job(frames), path, **HOW)
    return path


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_the_source_keeps_the_contract(tmp_path, ending):
    testing.assert_motion_source_contract(SOURCE, written(tmp_path, ending))


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_curves_drive_like_the_motion_they_come_from(tmp_path, ending):
    _, motion = testing.sample_job(8)
    back = load(SOURCE).extract(written(tmp_path, ending), start=0.0, end=None, progress=None)
    np.testing.assert_allclose(back.times, motion.times - motion.times[0], atol=1e-5)
    np.testing.assert_allclose(back.rotation, motion.rotation, atol=1e-4)
    np.testing.assert_allclose(back.translation, motion.translation, atol=1e-4)
    np.testing.assert_allclose(back.scale, motion.scale, atol=1e-4)


def test_the_table_has_a_header_and_says_what_it_is(tmp_path):
    lines = written(tmp_path, "csv").read_text().splitlines()
    assert json.loads(lines[0].removeprefix("# "))["synthetic"] is True
    header, *rows = csv.reader(lines[1:])
    assert header[:2] == ["time", "seen"] and tuple(header[-52:]) == BLENDSHAPES and len(rows) == 8
    document = json.loads(written(tmp_path, "json").read_text())
    assert document["synthetic"] is True and len(document["frames"]) == 8
    assert float(rows[3][header.index("jawOpen")]) == document["frames"][3]["blendshapes"]["jawOpen"]


def test_curves_are_the_truth_about_an_expression():
    """Landmarks moved along the basis of a blendshape raise that blendshape most."""
    neutral = shipped_regression()(np.zeros((1, 478, 3)))[0]
    for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "browInnerUp", "mouthPucker"):
        number = BLENDSHAPES.index(name)
        moved = shipped_regression()(0.7 * basis()[number][None])[0]
        assert moved[number] > neutral[number] + 0.15, name


def test_a_wink_is_told_from_a_blink():
    closing = [0.8 * basis()[BLENDSHAPES.index(f"eyeBlink{side}")][None] for side in ("Left", "Right")]
    left, right = BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")
    for closed, (here, there) in zip(closing, ((left, right), (right, left))):
        shapes = shipped_regression()(closed)[0]
        assert shapes[here] > shapes[there] + 0.2


def test_the_mirror_image_has_mirrored_curves():
    offsets = testing.sample_motion(8).offsets
    rest = face_model().points
    mirrored = (rest + offsets)[:, face_model().mirror] * np.float32([-1, 1, 1]) - rest
    model = shipped_regression()
    assert np.abs(model(mirrored) - model(offsets)[:, MIRRORED]).mean() < 0.03


def test_curves_do_not_depend_on_the_other_frames():
    motion = testing.sample_motion(8)
    np.testing.assert_allclose(blendshapes(motion)[2:4], blendshapes(piece(motion, slice(2, 4))), atol=1e-5)
    assert blendshapes(motion).shape == (8, 52) and not blendshapes(motion)[:, -1].any()


def test_rotations_are_those_of_the_angles():
    angles = np.deg2rad(np.random.default_rng(0).uniform(-40, 40, (50, 3)))
    turns = rotations(angles)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-9)
    assert np.linalg.det(turns).min() > 0.99
    np.testing.assert_allclose(euler_angles(turns), angles, atol=1e-6)


def test_tables_of_other_programs_are_read(tmp_path):
    path = tmp_path / "live.csv"
    path.write_text("Time,JawOpen,EyeBlinkLeft\n0,0,0\n0.04,0.5,0\n0.08,1,0.2\n")
    motion = load(SOURCE).extract(path, start=0.0, end=None, progress=None)
    lips = np.linalg.norm(motion.offsets[:, 14] - motion.offsets[:, 13], axis=-1)
    assert len(motion) == 3 and lips[0] < lips[1] < lips[2]
    np.testing.assert_allclose(motion.rotation, np.broadcast_to(np.eye(3), (3, 3, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,jawOpen\n", "curves need rising times"),
        ("jawOpen\n0.5\n", "no column 'time'"),
        ("time,mood\n0,1\n", "no column of the pose and none of a blendshape"),
        ("time,jawOpen\n0,wide\n", "could not convert"),
        ("time,jawOpen\n0,1\n0,1\n", "rising times"),
        ("time,jawOpen\n0,nan\n", "finite numbers"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(MediaError, match=message):
        load(SOURCE).extract(path, start=0.0, end=None, progress=None)


def test_the_documented_errors_are_the_measured_ones():
    folder = Path(visiongen_gltf.__file__).parent
    errors = json.loads((folder / "weights" / "errors.json").read_text())
    page = (folder.parent / "README.md").read_text()
    for name, one in errors.items():
        assert f"| {name} | {one['mae']:.3f} | {one['mae_of_mean']:.3f} |" in page
