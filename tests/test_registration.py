"""Registration measures what landmarks do not say, takes no colours, and keeps away where it does not fit."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from builders import astronaut_portrait, moving_head, write_clip

from visiongen.flow import GRID, MAPS, MotionField, pixel_centres
from visiongen.generators.driver import driver_frames, laid_over, resized
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.targets import source_landmarks
from visiongen.generators.vae_gan import VaeGanGenerator
from visiongen.pipeline import extract_motion, fit_motion, prepare_portrait, render
from visiongen.plugins import choose, load
from visiongen.registration import SIDE, cleared, likeness, measure, registered, trusted
from visiongen.retarget import MotionSettings
from visiongen.samples import sample
from visiongen.warping import resize_flow, warp


@pytest.fixture(scope="module")
def scene():
    """A portrait at SIDE, its dense motion for a face that stays, and the same picture with everything shifted 5 px."""
    portrait = astronaut_portrait()
    picture = cv2.resize(portrait.crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    source = source_landmarks(portrait)
    dense = MotionField(source).towards(source[None])[0]
    shifted = warp(picture, (pixel_centres(SIDE) + np.float32([5 / SIDE, 0])).astype(np.float32))
    return picture, dense, shifted


def displacement(flow: np.ndarray) -> np.ndarray:
    """(64, 64) px, sideways, away from the border and where the picture has structure."""
    return (flow - pixel_centres(len(flow)))[8:-8, 8:-8, 0] * SIDE


def test_measures_what_the_landmarks_do_not_say(scene):
    picture, dense, shifted = scene
    found = displacement(measure(dense.flow, picture, shifted))
    assert np.median(found) == pytest.approx(5, abs=0.3)
    assert np.abs(displacement(measure(dense.flow, picture, picture))).max() < 0.3


def test_light_changes_nothing_but_trust(scene):
    picture, dense, shifted = scene
    darker = (shifted * 0.9).astype(np.uint8)
    assert np.median(displacement(measure(dense.flow, picture, darker))) == pytest.approx(5, abs=0.5)


def test_an_occluder_is_not_trusted(scene):
    picture, dense, shifted = scene
    hidden = shifted.copy()
    hidden[150:230, 30:110] = np.random.default_rng(0).integers(0, 255, (80, 80, 3))
    trust = trusted(measure(dense.flow, picture, hidden), picture, hidden)
    assert trust[80:110, 20:50].mean() < 0.2
    assert trust[10:60, 70:120].mean() > 0.7


def test_the_measured_motion_replaces_the_shift_and_spares_the_features(scene):
    picture, dense, shifted = scene
    result = registered(dense, picture, shifted)
    assert np.allclose(result.prior.sum(0), 1, atol=1e-5)
    assert np.array_equal(result.candidates[:2], dense.candidates[:2])
    eyes = dense.maps[MAPS.index("eyes")] > 0.9
    assert result.prior[2][eyes].max() < 0.1
    assert result.prior[2].mean() > 0.5
    moved = warp(picture, resize_flow(result.flow, SIDE))
    before = warp(picture, resize_flow(dense.flow, SIDE))
    assert np.abs(moved.astype(float) - shifted).mean() < 0.5 * np.abs(before.astype(float) - shifted).mean()


def test_likeness_ignores_light_and_colour(scene):
    picture, *_ = scene
    where = np.ones((GRID, GRID), np.float32)
    repainted = cv2.cvtColor(
        cv2.cvtColor((picture * 0.7 + 20).astype(np.uint8), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB
    )
    assert likeness(picture, repainted, where) > 0.95
    assert likeness(picture, picture[:, ::-1].copy(), where) < 0.5


def test_laid_over_is_exact():
    rng = np.random.default_rng(1)
    frame = cv2.GaussianBlur(rng.integers(0, 255, (4 * SIDE, 4 * SIDE, 3)).astype(np.uint8), (0, 0), 12)
    quarter = laid_over(frame, np.array([[0.25, 0, 0], [0, 0.25, 0]]))
    wanted = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(quarter.astype(int) - wanted).max() <= 2


@pytest.fixture(scope="module")
def clip_of_portrait(tmp_path_factory):
    frames = moving_head(8)
    return write_clip(tmp_path_factory.mktemp("clips") / "own.mp4", frames), frames


def fitted(path, picture, **settings):
    return fit_motion(prepare_portrait(picture), extract_motion(path), MotionSettings(mode="absolute", **settings))


def test_a_frame_of_the_clip_is_registered(clip_of_portrait):
    path, frames = clip_of_portrait
    portrait, motion = fitted(path, frames[0])
    with driver_frames(portrait, motion) as driver:
        dense = MotionField(source_landmarks(portrait)).towards(source_landmarks(portrait)[None].repeat(3, 0))
        small = resized(portrait.crop, SIDE)
        result = [registered(d, small, seen) for d, seen in zip(dense, driver.frames(motion.times[:3]), strict=True)]
    assert all(d.prior[2].mean() > 0.5 for d in result)


def test_a_clip_that_breaks_off_gives_fewer_frames(clip_of_portrait):
    path, frames = clip_of_portrait
    portrait, motion = fitted(path, frames[0])
    with driver_frames(portrait, motion) as driver:
        seen = driver.frames(np.array([6, 7, 8]) / 25)
    assert len(seen) == 2 and all(frame.shape == (SIDE, SIDE, 3) for frame in seen)


def test_where_the_clip_breaks_off_frames_follow_the_landmarks(clip_of_portrait):
    path, frames = clip_of_portrait
    portrait, motion = fitted(path, frames[0])
    index = np.r_[np.arange(len(motion)), [len(motion) - 1] * 6]
    per_frame = {
        name: getattr(motion, name)[index] for name in ("rotation", "translation", "scale", "offsets", "visible")
    }
    longer = replace(motion, times=np.arange(len(index)) / 25, **per_frame)
    pictures = [b.pixels for b in render(portrait, longer, generator=load(choose("generator", "vae-gan")), full=False)]
    assert sum(map(len, pictures)) == len(longer)


def test_somebody_else_is_not_registered(clip_of_portrait):
    path, _ = clip_of_portrait
    portrait, motion = fitted(path, sample("painting.png"))
    assert driver_frames(portrait, motion) is None


def test_a_motion_without_pixels_is_not_registered(clip_of_portrait):
    path, frames = clip_of_portrait
    portrait, motion = fitted(path, frames[0])
    assert driver_frames(portrait, replace(motion, clip=None)) is None
    gone = replace(motion.clip, path=path.with_name("gone.mp4"))
    assert driver_frames(portrait, replace(motion, clip=gone)) is None


def test_the_background_comes_into_sight_where_the_driver_shows_it_and_nowhere_else(scene):
    picture, _, _ = scene
    noise = np.random.default_rng(0).integers(0, 255, picture.shape, np.uint8)
    layers = np.random.default_rng(1).random((5, GRID, GRID)).astype(np.float32)
    shreds, inside = picture.copy(), (slice(None), slice(60, 90), slice(30, 60))
    shreds[110:190, 50:130] = noise[110:190, 50:130]

    nowhere = np.zeros((GRID, GRID), np.float32)
    made = cleared(layers, shreds, picture, picture, face=nowhere)
    np.testing.assert_allclose(made[:, 60:90, 30:60][4], 1, atol=0.02)
    np.testing.assert_allclose(made[inside][:4], 0, atol=0.02)
    far = np.ones((GRID, GRID), bool)
    far[50:100, 20:70] = False
    np.testing.assert_allclose(made[:, far], layers[:, far])

    # What is rendered fits; or the background fits no better.
    for rendered, background in ((picture, noise), (picture, picture), (shreds, noise)):
        np.testing.assert_allclose(cleared(layers, rendered, picture, background, nowhere), layers)
    np.testing.assert_allclose(cleared(layers, shreds, picture, picture, face=nowhere + 1), layers)


@pytest.mark.parametrize("feedback", ["never", "registered"])
def test_what_the_driver_shows_to_be_gone_goes_with_feedback_and_without(monkeypatch, feedback):
    count = []
    monkeypatch.setattr("visiongen.generators.vae_gan.cleared", lambda layers, *rest: count.append(1) or layers)
    portrait, motion = fit_motion(
        prepare_portrait(sample("astronaut.jpg"), size=256), extract_motion(sample("driving.mp4"), end=0.2)
    )
    generator = VaeGanGenerator(VaeGanOptions(feedback=feedback), device="cpu")
    for _ in render(portrait, motion, generator=generator, full=False):
        pass
    assert len(count) == len(motion)
