"""A camera drives a portrait, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from visiongen import MotionSettings, extract_motion, fit_motion, prepare_portrait, render
from visiongen.errors import NoFaceError, PluginError
from visiongen.landmarks import FaceMesh
from visiongen.live import CALIBRATION_SECONDS, LiveSession, with_crop_of
from visiongen.media import probe, read_frames
from visiongen.motion import OneEuro, piece, place
from visiongen.plugins import choose, load
from visiongen.samples import sample

FPS = 25


@pytest.fixture(scope="module")
def camera() -> list[np.ndarray]:
    """Two seconds of somebody before a camera."""
    clip = probe(sample("driving.mp4"), end=2.0)
    return [frame for batch in read_frames(clip) for frame in batch.pixels]


@pytest.fixture(scope="module")
def portrait():
    return prepare_portrait(sample("cartoon.png"))


@pytest.fixture(scope="module")
def watched(portrait, camera):
    """Frames and fitted landmarks of a whole session, geometry only."""
    points = []
    with LiveSession(portrait, generator="warp", size=128) as live:
        for number, picture in enumerate(camera):
            motion = live.follow(picture, time=number / FPS)
            points.append(place(motion).points[0])
        live.reset()
        frames = [live.push(picture, time=number / FPS) for number, picture in enumerate(camera[:25])]
    return frames, np.array(points)


def test_every_picture_comes_back_as_a_portrait(watched):
    frames, _ = watched
    assert all(frame.pixels.shape == (128, 128, 3) and frame.pixels.dtype == np.uint8 for frame in frames)
    assert all(frame.visible for frame in frames)
    assert set(frames[0].seconds) == {"landmarks", "motion", "generate"}


def test_the_neutral_face_is_known_after_half_a_second(watched):
    frames, _ = watched
    known = [frame.calibrated for frame in frames]
    assert not known[0] and known[-1]
    assert known.index(True) <= CALIBRATION_SECONDS * FPS + 1


def test_a_still_face_leaves_the_portrait_as_it_is(portrait, camera):
    small = with_crop_of(portrait, 128)
    with LiveSession(portrait, generator="warp", size=128) as live:
        frames = [live.push(camera[0], time=n / FPS).pixels for n in range(15)]
    assert np.abs(frames[-1].astype(int) - small.crop).mean() < 2.0


def test_it_moves_like_an_ordinary_job(portrait, camera, watched):
    """Mouth opening and head turn of the live session follow those of the offline pipeline."""
    motion = extract_motion(sample("driving.mp4"), end=2.0)
    fitted = fit_motion(portrait, motion, MotionSettings(reference_frame=2))[1]
    offline = place(fitted).points[: len(camera)]
    live = watched[1]

    def gap(points):
        return np.linalg.norm(points[:, 13, :2] - points[:, 14, :2], axis=-1)

    def turn(points):
        return points[:, 1, 0] - (points[:, 234, 0] + points[:, 454, 0]) / 2

    for measure in (gap, turn):
        a, b = measure(offline)[13:], measure(live)[13:]
        assert np.ptp(a) > 2, "the clip must move for this to say anything"
        assert np.corrcoef(a, b)[0, 1] > 0.9


def test_a_lost_face_holds_the_portrait_and_comes_back(portrait, camera):
    with LiveSession(portrait, generator="warp", size=128) as live:
        for number in range(20):
            before = live.push(camera[number], time=number / FPS)
        empty = np.full_like(camera[0], 90)
        lost = [live.push(empty, time=(20 + n) / FPS) for n in range(4)]
        again = live.push(camera[20], time=2.0)
    assert not any(frame.visible for frame in lost)
    assert all(np.array_equal(frame.pixels, before.pixels) for frame in lost)
    assert again.visible and again.calibrated


@pytest.mark.slow
def test_calibrating_makes_the_present_face_neutral(portrait, camera):
    opening = [float(np.linalg.norm(p[13] - p[14])) for p in _landmarks(camera)]
    wide = int(np.argmax(opening[13:])) + 13
    with LiveSession(portrait, generator="warp", size=128, settings=MotionSettings(smoothing=0)) as live:
        for number in range(wide + 1):
            live.follow(camera[number], time=number / FPS)
        own = portrait.landmarks
        held = [live.follow(camera[wide], time=2 + n / FPS) for n in range(20)][-1]
        live.calibrate()
        assert not live.calibrated
        neutral = [live.follow(camera[wide], time=4 + n / FPS) for n in range(20)][-1]
    assert live.calibrated
    off = [np.abs(place(one).points[0, :468, :2] - own[:468, :2]).mean() for one in (held, neutral)]
    assert off[1] < 0.2 < off[0]


def _landmarks(pictures):
    with FaceMesh(max_faces=1) as mesh:
        return [mesh(picture)[0] for picture in pictures]


def test_settings_count_from_the_next_picture_on(portrait, camera):
    with LiveSession(portrait, generator="warp", size=128) as live:
        for number in range(30):
            moved = live.follow(camera[number], time=number / FPS)
        live.settings = MotionSettings(pose=0, mouth=0, eyes=0, brows=0)
        held = live.follow(camera[30], time=30 / FPS)
    own = portrait.landmarks[:468, :2]
    assert np.abs(place(held).points[0, :468, :2] - own).mean() < np.abs(place(moved).points[0, :468, :2] - own).mean()


@pytest.mark.slow
def test_the_whole_picture_can_come_back(camera):
    portrait = prepare_portrait(sample("astronaut.jpg"), size=320)
    with LiveSession(portrait, generator="warp", full=True) as live:
        for number in range(25):
            frame = live.push(camera[number], time=number / FPS)
    assert frame.pixels.shape == portrait.image.shape
    changed = np.abs(frame.pixels.astype(int) - portrait.image).sum(-1) > 30
    assert changed.any() and not changed[-5:].any()


def test_a_picture_without_a_face_is_an_error():
    with pytest.raises(NoFaceError):
        LiveSession(np.full((200, 200, 3), 128, np.uint8))


def test_an_unknown_generator_is_an_error(portrait):
    with pytest.raises(PluginError, match=r"no generator named 'wrap'.*'warp'"):
        LiveSession(portrait, generator="wrap")


def test_a_crop_of_another_size_lies_where_it_was(portrait):
    small = with_crop_of(portrait, 100)
    corner = np.array([[0, 0], [1, 1]]) * portrait.crop.shape[0]
    there = corner @ portrait.image_from_crop[:, :2].T + portrait.image_from_crop[:, 2]
    here = (np.array([[0, 0], [1, 1]]) * 100) @ small.image_from_crop[:, :2].T + small.image_from_crop[:, 2]
    assert small.crop.shape == (100, 100, 3)
    np.testing.assert_allclose(here, there, atol=1e-6)


@pytest.mark.parametrize("name", ["warp", pytest.param("vae-gan", marks=pytest.mark.slow)])
def test_frames_one_by_one_are_the_frames_of_a_job(portrait, name):
    """What a generator keeps of a portrait between calls must not change its frames."""
    fitted = fit_motion(portrait, extract_motion(sample("driving.mp4"), end=0.2))
    source, motion = with_crop_of(fitted[0], 128), fitted[1]
    generator = load(choose("generator", name))
    whole = np.concatenate([b.pixels for b in render(source, motion, generator=generator, full=False)])
    single = [
        next(render(source, piece(motion, slice(n, n + 1)), generator=generator, full=False)).pixels[0]
        for n in range(len(motion))
    ]
    # A network may add up in another order for another batch, and a place that is read be rounded the other way.
    assert (np.abs(whole.astype(int) - np.array(single)) > 1).mean() < 1e-4
    other = with_crop_of(prepare_portrait(sample("statue.png")), 128)
    still = next(render(other, piece(motion, slice(0, 1)), generator=generator, full=False)).pixels[0]
    fresh = load(choose("generator", name))
    again = next(render(other, piece(motion, slice(0, 1)), generator=fresh, full=False)).pixels[0]
    assert np.abs(still.astype(int) - again).max() <= 1, "another portrait gets nothing of the one before"


def test_the_live_filter_stills_noise_and_follows_jumps():
    noise = np.random.default_rng(0).normal(0, 0.002, (100, 1, 2))
    quiet, jump = OneEuro(0.5), OneEuro(0.5)
    smooth = np.array([quiet(value, 1 / FPS) for value in noise])
    assert smooth[20:].std() < 0.6 * noise[20:].std()
    steps = np.where(np.arange(60) < 30, 0.0, 0.3)[:, None, None] * np.ones((1, 1, 2))
    followed = np.array([jump(value, 1 / FPS) for value in steps])
    assert followed[29].max() < 1e-9 and followed[33].min() > 0.25


def test_two_threads_draw_what_one_draws(portrait, camera):
    from concurrent.futures import ThreadPoolExecutor

    with LiveSession(portrait, size=256, drawers=2) as live:
        motions = [live.follow(picture, time=number / FPS) for number, picture in enumerate(camera[:6])]
        alone = [live.draw(motion) for motion in motions]
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(live.draw, motions))
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert any(np.abs(alone[0].astype(int) - later).max() > 20 for later in alone)
