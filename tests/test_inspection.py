"""What ``visiongen inspect`` writes: complete, of documented form, readable again, and true to the input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from builders import write_clip
from PIL import Image

from visiongen import extract_motion, media, prepare_portrait
from visiongen.errors import MediaError, NoFaceError
from visiongen.inspection import FLOW_GRID, InspectConfig, inspect
from visiongen.motion import place
from visiongen.overlay import REGIONS
from visiongen.samples import sample

ROOT = Path(__file__).parents[1]
CARTOON, DRIVING = sample("cartoon.png"), sample("driving.mp4")
FILES = {"landmarks.npz", "landmarks.json", "motion.npz", "flow.npz"}
COUNT, LOST = 16, slice(6, 9)


@pytest.fixture(scope="module")
def lossy(tmp_path_factory) -> Path:
    """A clip in which the face moves, and is lost for three frames."""
    clip = media.probe(DRIVING, start=0.6, end=0.6 + COUNT / 25)
    frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
    frames[LOST] = 90
    return write_clip(tmp_path_factory.mktemp("lossy") / "clip.mp4", frames, audio=True)


@pytest.fixture(scope="module")
def seen(lossy, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("seen") / "clip"
    reports = []
    written = inspect(InspectConfig(input=lossy, out=out), progress=lambda *report: reports.append(report))
    assert {path.name for path in written} == FILES | {"overlay.mp4"} == {path.name for path in out.iterdir()}
    assert [report for report in reports if report[1] == COUNT] == [
        (stage, COUNT, COUNT) for stage in ("landmarks", "flow", "overlay")
    ]
    return out


def test_landmarks_of_a_clip(seen):
    with np.load(seen / "landmarks.npz") as data:
        points, visible, times = data["points"], data["visible"], data["times"]
        assert data["size"].tolist() == [256, 256]
    assert points.shape == (COUNT, 478, 3) and points.dtype == np.float32
    lost = np.arange(COUNT)[LOST].tolist()
    assert np.flatnonzero(~visible).tolist() == lost
    assert np.isnan(points[lost]).all() and np.isfinite(points[visible]).all()
    np.testing.assert_allclose(times, np.arange(COUNT) / 25)


def test_json_holds_the_same(seen):
    found = json.loads((seen / "landmarks.json").read_text(encoding="utf-8"))
    assert (found["format"], found["source"], found["fps"]) == (1, "clip.mp4", "25")
    assert (found["height"], found["width"], len(found["frames"])) == (256, 256, COUNT)
    assert {name: tuple(members) for name, members in found["regions"].items()} == REGIONS
    with np.load(seen / "landmarks.npz") as data:
        for frame, points, visible in zip(found["frames"], data["points"], data["visible"]):
            assert frame["visible"] == visible
            if visible:
                np.testing.assert_allclose(frame["points"], points, atol=0.006)
            else:
                assert frame["points"] is None
            assert abs(frame["yaw"]) < 25 and abs(frame["pitch"]) < 35 and abs(frame["roll"]) < 25


def test_every_key_and_file_is_documented(seen):
    text = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    found = json.loads((seen / "landmarks.json").read_text(encoding="utf-8"))
    arrays = [name for file in ("landmarks.npz", "flow.npz") for name in np.load(seen / file)]
    for name in [*found, *found["frames"][0], *arrays, *(path.name for path in seen.iterdir())]:
        assert re.search(rf"`{re.escape(name)}`", text), name


def test_the_motion_template_gives_the_landmarks_back(seen):
    motion = extract_motion(seen / "motion.npz")
    with np.load(seen / "landmarks.npz") as data:
        visible = data["visible"]
        assert np.array_equal(motion.visible, visible)
        assert np.abs(place(motion).points[visible] - data["points"][visible]).max() < 0.1


def test_flow_takes_landmarks_back_to_the_reference(seen):
    with np.load(seen / "flow.npz") as data:
        displacement, to_image, reference = data["displacement"], data["image_from_square"], data["reference"]
    assert displacement.shape == (COUNT, FLOW_GRID, FLOW_GRID, 2) and displacement.dtype == np.float16
    assert np.abs(displacement[0]).max() < 0.01  # the first frame is the reference
    points = place(extract_motion(seen / "motion.npz")).points[-1, :468, :2]
    inside = (points - to_image[:, 2]) @ np.linalg.inv(to_image[:, :2]).T
    cells = np.clip((inside * FLOW_GRID).astype(int), 0, FLOW_GRID - 1)
    moved = displacement[-1].astype(float)[cells[:, 1], cells[:, 0]] @ to_image[:, :2].T
    expected = reference[:468, :2] - points
    size = np.linalg.norm(expected, axis=1)
    assert np.median(size) > 5  # it did move
    assert np.median(np.linalg.norm(moved - expected, axis=1)) < 0.2 * np.median(size)


def test_the_overlay_keeps_time_and_sound_and_marks_lost_frames(seen):
    clip = media.probe(seen / "overlay.mp4")
    assert (clip.fps, clip.num_frames, clip.has_audio) == (25, COUNT, True)
    assert (clip.height, clip.width) == (512, 512)  # small clips are enlarged, so that the text can be read
    frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)]).astype(int)
    border = frames[:, 2, :, :].mean(1)
    red = border[:, 0] - border[:, 1:].mean(1) > 90
    assert np.flatnonzero(red).tolist() == np.arange(COUNT)[LOST].tolist()


def test_a_picture(tmp_path):
    written = inspect(InspectConfig(input=CARTOON, out=tmp_path / "seen"))
    assert {path.name for path in written} == FILES | {"overlay.png"}
    portrait = prepare_portrait(CARTOON)
    with np.load(tmp_path / "seen" / "landmarks.npz") as data:
        np.testing.assert_array_equal(data["points"], portrait.landmarks[None])
    with Image.open(tmp_path / "seen" / "overlay.png") as overlay:
        assert overlay.size == (640, 640)
        assert np.abs(np.asarray(overlay).astype(int) - portrait.image).max() > 100
    with np.load(tmp_path / "seen" / "flow.npz") as data:
        assert data["displacement"].shape == (1, FLOW_GRID, FLOW_GRID, 2)
    assert len(extract_motion(tmp_path / "seen" / "motion.npz")) == 1


def test_a_picture_with_a_clip_shows_where_its_landmarks_shall_go(seen, tmp_path):
    inspect(InspectConfig(input=CARTOON, driving=seen / "motion.npz", out=tmp_path / "pair"))
    portrait = prepare_portrait(CARTOON)
    with np.load(tmp_path / "pair" / "flow.npz") as data:
        np.testing.assert_allclose(data["reference"], portrait.landmarks)
    with np.load(tmp_path / "pair" / "landmarks.npz") as data:
        assert data["size"].tolist() == [640, 640]
        assert np.linalg.norm(data["points"][:, 1, :2] - portrait.landmarks[1, :2], axis=1).max() > 5
    assert media.probe(tmp_path / "pair" / "overlay.mp4").num_frames == COUNT


def test_results_are_kept_unless_asked_and_other_files_always(tmp_path):
    config = {"input": CARTOON, "out": tmp_path / "seen"}
    inspect(InspectConfig(**config))
    (tmp_path / "seen" / "notes.txt").write_text("mine")
    before = (tmp_path / "seen" / "motion.npz").stat().st_mtime_ns
    with pytest.raises(MediaError, match="--overwrite"):
        inspect(InspectConfig(**config))
    assert (tmp_path / "seen" / "motion.npz").stat().st_mtime_ns == before
    inspect(InspectConfig(**config, overwrite=True))
    assert (tmp_path / "seen" / "motion.npz").stat().st_mtime_ns > before
    assert (tmp_path / "seen" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("nothing.mp4", MediaError, "does not exist"),
        ("text.txt", MediaError, "picture"),
        ("grey.png", NoFaceError, "face"),
    ],
)
def test_bad_input_leaves_nothing(tmp_path, name, error, words):
    (tmp_path / "text.txt").write_text("no picture")
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=words):
        inspect(InspectConfig(input=tmp_path / name, out=tmp_path / "seen"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_stopped_inspection_leaves_nothing(lossy, tmp_path):
    def stop(stage, done, total):
        if stage == "overlay" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect(InspectConfig(input=lossy, out=tmp_path / "seen"), progress=stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MediaError, match="folder"):
        inspect(InspectConfig(input=lossy, out=tmp_path / "nowhere" / "seen"))
