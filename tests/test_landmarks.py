"""MediaPipe's landmarks of pictures and clips: in pixels, in order, of the right face."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import astronaut, moving_head, write_clip

from visiongen import landmarks, media
from visiongen.errors import NoFaceError
from visiongen.landmarks import FaceMesh, face_size, nearest_face, track


@pytest.fixture(scope="module")
def mesh():
    with FaceMesh() as mesh:
        yield mesh


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """12 frames of a moving head; the face is missing in frames 4 and 5."""
    frames = moving_head()[:12].copy()
    frames[4:6] = 128
    return media.probe(write_clip(tmp_path_factory.mktemp("clip") / "head.mp4", frames))


def two_heads(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.concatenate([left, right], axis=1)


# --- single pictures --------------------------------------------------------------------------------------------------


def test_landmarks_are_pixels_of_the_picture(mesh):
    (points,) = mesh(astronaut())
    assert points.shape == (478, 3) and points.dtype == np.float32
    for size in (128, 512, 1400):
        (scaled,) = mesh(cv2.resize(astronaut(), (size, size), interpolation=cv2.INTER_AREA))
        assert np.linalg.norm((scaled * 256 / size - points)[:, :2], axis=1).mean() < 1.5
        assert (scaled[:, 2] * 256 / size - points[:, 2]).std() < 2


def test_a_shift_of_the_picture_shifts_the_landmarks(mesh):
    wide = np.full((300, 300, 3), 128, np.uint8)
    wide[20:276, 30:286] = astronaut()
    np.testing.assert_allclose((mesh(wide)[0] - mesh(astronaut())[0])[:, :2].mean(0), (30, 20), atol=0.6)


def test_landmarks_mean_what_their_names_say(mesh):
    (points,) = mesh(astronaut())
    brow, eye, mouth = (
        points[list(ring), 1].mean() for ring in (landmarks.LEFT_BROW, landmarks.LEFT_EYE, landmarks.INNER_LIPS)
    )
    assert brow < eye < mouth
    assert points[list(landmarks.RIGHT_EYE), 0].mean() < points[list(landmarks.LEFT_EYE), 0].mean()  # subject's own
    for iris, eye_ring in ((landmarks.RIGHT_IRIS, landmarks.RIGHT_EYE), (landmarks.LEFT_IRIS, landmarks.LEFT_EYE)):
        assert cv2.pointPolygonTest(points[list(eye_ring), :2], tuple(map(float, points[iris[0], :2])), False) > 0


def test_largest_face_first_and_none_at_all(mesh):
    small = np.full((256, 256, 3), 128, np.uint8)
    small[60:220, 40:200] = cv2.resize(astronaut(), (160, 160), interpolation=cv2.INTER_AREA)
    faces = mesh(two_heads(small, astronaut()))
    assert len(faces) == 2 and face_size(faces[0]) > face_size(faces[1]) and faces[0][1, 0] > 256
    assert mesh(np.zeros((50, 70, 3), np.uint8)).shape == (0, 478, 3)


def test_pictures_are_looked_at_one_by_one(mesh):
    """No tracker: what was seen before does not matter."""
    first = mesh(astronaut())
    mesh(np.zeros((256, 256, 3), np.uint8))
    mesh(np.ascontiguousarray(astronaut()[:, ::-1]))
    np.testing.assert_array_equal(mesh(astronaut()), first)


def test_views_and_read_only_pictures_are_taken(mesh):
    picture = np.asarray(astronaut())
    assert not picture.flags.writeable
    np.testing.assert_array_equal(mesh(picture[::-1][::-1]), mesh(picture))


# --- which face -------------------------------------------------------------------------------------------------------


def faces_at(*centres_and_sizes: tuple[float, float, float]) -> np.ndarray:
    unit = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3))
    return np.stack([unit * size + [x, y, 0] for x, y, size in centres_and_sizes]).astype(np.float32)


def test_the_face_that_is_followed():
    faces = faces_at((100, 100, 80), (300, 100, 60))
    assert nearest_face(faces[:0], None) is None and nearest_face(faces[:0], faces[0]) is None
    np.testing.assert_array_equal(nearest_face(faces, None), faces[0])  # the largest to begin with
    np.testing.assert_array_equal(nearest_face(faces, faces_at((280, 110, 60))[0]), faces[1])  # then the nearest
    assert nearest_face(faces, faces_at((700, 100, 60))[0]) is None  # further away than it is large: somebody else
    assert nearest_face(faces[1:], faces[0]) is None


# --- clips ------------------------------------------------------------------------------------------------------------


def test_a_track_has_every_frame_and_nan_where_no_face_was(clip):
    reports = []
    track_ = track(clip, progress=lambda *report: reports.append(report))
    assert track_.points.shape == (12, 478, 3) and (track_.height, track_.width) == (256, 256)
    assert track_.visible.tolist() == [True] * 4 + [False] * 2 + [True] * 6
    assert np.isnan(track_.points[4:6]).all() and np.isfinite(track_.points[track_.visible]).all()
    np.testing.assert_allclose(track_.times, np.arange(12) / 25)
    assert reports == [(i + 1, 12) for i in range(12)]


def test_a_track_holds_what_the_single_pictures_show(clip, mesh):
    track_ = track(clip)
    frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
    for i in (0, 3, 11):
        np.testing.assert_allclose(track_.points[i], mesh(frames[i])[0], atol=1e-3)


def test_the_number_of_threads_changes_nothing(clip):
    one, three = (track(clip, workers=n) for n in (1, 3))
    np.testing.assert_array_equal(one.points, three.points)


def test_of_two_people_the_one_begun_with_is_followed(tmp_path):
    """The left one is larger at first and shrinks; the right one grows."""
    frames = []
    for i in range(10):
        scene = np.full((256, 512, 3), 128, np.uint8)
        for left, side in ((0, 250 - 10 * i), (256, 160 + 9 * i)):
            side -= side % 2
            scene[256 - side :, left : left + side] = cv2.resize(
                astronaut(), (side, side), interpolation=cv2.INTER_AREA
            )
        frames.append(scene)
    track_ = track(media.probe(write_clip(tmp_path / "two.mp4", frames)))
    assert track_.visible.all() and (track_.points[:, 1, 0] < 256).all()


def test_after_half_a_second_another_face_is_taken(tmp_path):
    """The left person leaves; the right one, there from the beginning, is nobody else's shadow until then."""
    empty, head = np.full((256, 256, 3), 128, np.uint8), astronaut()
    small = empty.copy()
    small[80:240, 60:220] = cv2.resize(head, (160, 160), interpolation=cv2.INTER_AREA)
    frames = [two_heads(head, small)] * 3 + [two_heads(empty, small)] * 10
    track_ = track(media.probe(write_clip(tmp_path / "leaves.mp4", frames, fps=10)))
    assert track_.visible.tolist() == [True] * 3 + [False] * 5 + [True] * 5
    assert (track_.points[:3, 1, 0] < 256).all() and (track_.points[8:, 1, 0] > 256).all()


def test_a_clip_without_a_face_says_so(tmp_path):
    clip = media.probe(write_clip(tmp_path / "wall.mp4", np.full((5, 64, 64, 3), 90, np.uint8)))
    with pytest.raises(NoFaceError, match=r"wall\.mp4: no face in any of its 5 frames; choose"):
        track(clip)


class Stop(Exception):
    pass


def test_stopping_ends_the_threads_at_once(clip):
    def stop(done, _):
        if done == 3:
            raise Stop

    with pytest.raises(Stop) as caught:
        track(clip, progress=stop)
    assert caught.value.__traceback__ is not None  # it keeps the frames alive, and yet:
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("landmarks") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("VISIONGEN_DATA"), reason="VISIONGEN_DATA is not set")
def test_hard_clips_are_survived():
    clips = sorted((Path(os.environ["VISIONGEN_DATA"]) / "hard").glob("*.mp4"))[::6]
    assert clips
    for path in clips:
        try:
            track_ = track(media.probe(path, end=0.6))
        except NoFaceError:
            continue
        assert track_.visible.any() and np.isfinite(track_.points[track_.visible]).all()
