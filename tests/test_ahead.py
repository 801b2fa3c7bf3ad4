"""What another process reads ahead is what this one would have read, and whatever happens to it, the job goes on."""

from __future__ import annotations

import logging
import os
import signal
import time

import numpy as np
import pytest
from builders import moving_head, write_clip

from visiongen import cli, mediapipe_graphs
from visiongen.ahead import ReadingAhead, as_text, from_text, reading_ahead
from visiongen.background import person_matte
from visiongen.errors import MediaError, NoFaceError
from visiongen.landmarks import FaceMesh
from visiongen.media import read_picture
from visiongen.pipeline import extract_motion, prepare_portrait
from visiongen.samples import DRIVING, PORTRAIT, sample

PIECE = {"start": 0.2, "end": 1.4}


@pytest.fixture(scope="module")
def here():
    """Portrait and motion of this process."""
    return prepare_portrait(sample(PORTRAIT), size=300), extract_motion(sample(DRIVING), **PIECE)


@pytest.fixture
def reader():
    found = mediapipe_graphs.reader = ReadingAhead()
    yield found
    found.close()
    assert mediapipe_graphs.reader is None and found._process.pid is None


def assert_same(here):
    portrait, motion = prepare_portrait(sample(PORTRAIT), size=300), extract_motion(sample(DRIVING), **PIECE)
    np.testing.assert_array_equal(portrait.landmarks, here[0].landmarks)
    np.testing.assert_array_equal(motion.offsets, here[1].offsets)
    np.testing.assert_array_equal(motion.times, here[1].times)


def test_it_is_the_same_to_the_bit(reader, here, monkeypatch):
    image = read_picture(sample(PORTRAIT))
    mediapipe_graphs.reader = None
    with FaceMesh() as mesh:
        faces, matte = mesh(image), person_matte(image, 128)
    mediapipe_graphs.reader = reader
    monkeypatch.setattr(mediapipe_graphs, "take", None)  # nothing is looked for here
    monkeypatch.setattr("visiongen.landmarks.take", None)
    monkeypatch.setattr("visiongen.background.take", None)
    reader.ask(sample(PORTRAIT), sample(DRIVING), size=300, **PIECE)
    assert_same(here)
    np.testing.assert_array_equal(FaceMesh()(image), faces)
    np.testing.assert_array_equal(person_matte(image, 128), matte)


def test_what_was_not_asked_for_is_read_here(reader, here):
    reader.ask(sample("cartoon.png"), sample(DRIVING), size=300, start=0.0, end=None)
    assert_same(here)


def test_it_may_die_at_any_time(reader, here):
    reader.ask(sample(PORTRAIT), sample(DRIVING), size=300, **PIECE)
    first = prepare_portrait(sample(PORTRAIT), size=300)
    seen = []

    def kill(stage, done, total):
        if done == 3:
            os.kill(reader._process.pid, signal.SIGKILL)
        seen.append(done)

    motion = extract_motion(sample(DRIVING), **PIECE, progress=kill)
    np.testing.assert_array_equal(first.landmarks, here[0].landmarks)
    np.testing.assert_array_equal(motion.offsets, here[1].offsets)
    assert seen == list(range(1, len(motion) + 1))


def test_errors_are_those_of_this_process(reader, tmp_path):
    clip, broken = tmp_path / "wall.mp4", tmp_path / "broken.png"
    write_clip(clip, np.full((8, 128, 128, 3), 90, np.uint8))
    broken.write_bytes(b"no picture")
    reader.ask(broken, clip, size=None, start=0.0, end=None)
    with pytest.raises(MediaError, match=r"broken\.png is not a picture"):
        prepare_portrait(broken)
    with pytest.raises(NoFaceError, match=r"wall\.mp4: no face in any of its"):
        extract_motion(clip)


def test_warnings_of_its_readers_are_told_once(reader, tmp_path, caplog):
    clip = tmp_path / "cut.mp4"
    write_clip(clip, moving_head(40))
    clip.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.75)])
    with caplog.at_level(logging.WARNING, logger="visiongen"):
        alone = prepared(clip)
        told = caplog.messages.copy()
        caplog.clear()
        reader.ask(sample(PORTRAIT), clip, size=None, start=0.0, end=None)
        assert prepared(clip) == alone
        assert caplog.messages == told


def prepared(clip):
    try:
        return len(extract_motion(clip))
    except (MediaError, NoFaceError) as error:
        return str(error)


def test_arrays_pass_through_a_line_of_json():
    for array in (np.zeros((0, 478, 3), np.float32), np.arange(24, dtype=np.uint8).reshape(2, 4, 3)):
        np.testing.assert_array_equal(from_text(as_text(array)), array)


def test_the_command_ends_it(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr("visiongen.ahead.ReadingAhead", lambda: started.append(ReadingAhead()) or started[-1])
    assert cli.main(["animate", str(tmp_path / "none.png"), str(tmp_path / "none.mp4"), "-o", "x.mp4"]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert all(one._process.pid is None for one in started)


def test_one_core_does_without(monkeypatch):
    monkeypatch.setattr("visiongen.ahead.cores", lambda: 1)
    with reading_ahead() as found:
        assert found is None and mediapipe_graphs.reader is None


def test_it_ends_at_once(here):
    with reading_ahead() as found:
        if found is not None:
            found.ask(sample(PORTRAIT), sample(DRIVING), size=None, start=0.0, end=None)
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
