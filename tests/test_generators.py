"""The built-in generators: one frame per motion time, of the crop's size, whatever the batch, and stopped at any time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import astronaut, astronaut_portrait, self_made_motion

from visiongen import plugins
from visiongen.background import person_matte
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.drawing import lay_over
from visiongen.errors import PluginError, WeightsError
from visiongen.eyes import with_exact_eyes
from visiongen.faces import Face, make_portrait
from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.targets import source_landmarks, target_landmarks, to_crop_units
from visiongen.generators.vae_gan import VaeGanGenerator, resized
from visiongen.generators.warp import WarpGenerator
from visiongen.hair import find_hair
from visiongen.hookspecs import Generator
from visiongen.models import weights
from visiongen.models.vae_gan import VaeGan, VaeGanConfig
from visiongen.motion import place
from visiongen.other_side import OtherSide, Revealed
from visiongen.retarget import portrait_motion
from visiongen.unseen import Unseen
from visiongen.warping import resize_flow, warp

NUM_FRAMES = 5
NAMES = ("vae-gan", "warp")


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return astronaut_portrait()


@pytest.fixture(scope="module")
def motion(portrait) -> MotionTrack:
    return self_made_motion(portrait, NUM_FRAMES, fps=6)


@pytest.fixture(scope="module")
def shipped() -> VaeGanGenerator:
    return VaeGanGenerator(VaeGanOptions(), device="cpu")


@pytest.fixture(scope="module")
def generators(shipped) -> dict[str, Generator]:
    return {"vae-gan": shipped, "warp": WarpGenerator()}


@pytest.fixture(scope="module")
def rendered(generators, portrait, motion) -> dict[str, list[FrameBatch]]:
    return {name: list(generator.render(portrait, motion)) for name, generator in generators.items()}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> Path:
    """A checkpoint of a network that has learned nothing."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    weights.save(VaeGan(VaeGanConfig()), path, {})
    return path


def frames_of(generator: Generator, portrait: Portrait, motion: MotionTrack) -> np.ndarray:
    return pixels(generator.render(portrait, motion))


def pixels(batches: Iterable[FrameBatch]) -> np.ndarray:
    return np.concatenate([batch.pixels for batch in batches])


def at_rest(portrait: Portrait) -> MotionTrack:
    """The portrait's own pose and expression, as a motion of one frame."""
    return portrait_motion(portrait)


# --- the contract -----------------------------------------------------------------------------------------------------


def test_both_are_offered_and_load(shipped):
    offers = plugins.generators()
    assert set(NAMES) <= set(offers)
    for name in NAMES:
        assert offers[name].needs == "motion" and offers[name].summary
        assert isinstance(plugins.load(offers[name], device="cpu"), Generator)


@pytest.mark.parametrize("name", NAMES)
def test_one_frame_per_time_of_the_crops_size(rendered, portrait, motion, name):
    batches = rendered[name]
    assert np.concatenate([batch.times for batch in batches]).tolist() == motion.times.tolist()
    for batch in batches:
        assert batch.pixels.shape[1:] == portrait.crop.shape and batch.pixels.dtype == np.uint8
        assert len(batch) <= 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [64, 300])
def test_crops_of_any_size_are_taken(generators, portrait, motion, name, side):
    image = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    other = make_portrait(image, Face(portrait.landmarks * np.float32(side / 256)))
    scaled = self_made_motion(other, 2, fps=6)
    frames = frames_of(generators[name], other, scaled)
    assert frames.shape == (2, *other.crop.shape)
    assert np.abs(frames[0].astype(int) - other.crop).mean() < 20


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_does_not_depend_on_the_others(generators, rendered, portrait, motion, name):
    arrays = {n: getattr(motion, n)[3:4] for n in ("rotation", "translation", "scale", "offsets", "visible", "times")}
    alone = frames_of(generators[name], portrait, replace(motion, **arrays))
    assert_nearly_equal(alone, pixels(rendered[name])[3:4])


def test_the_batch_size_changes_nothing(portrait, motion, rendered):
    for batch in (1, 3):
        batches = list(VaeGanGenerator(VaeGanOptions(batch=batch), device="cpu").render(portrait, motion))
        assert max(len(one) for one in batches) <= batch
        assert_nearly_equal(pixels(batches), pixels(rendered["vae-gan"]))


def assert_nearly_equal(frames: np.ndarray, others: np.ndarray) -> None:
    """But for places that lie between two of the 32 steps of OpenCV's interpolation."""
    change = np.abs(frames.astype(int) - others)
    assert change.max() <= 8 and (change > 1).mean() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_rendering_is_repeatable_and_uses_no_random_numbers(generators, rendered, portrait, motion, name):
    torch.manual_seed(2)
    np.testing.assert_array_equal(frames_of(generators[name], portrait, motion), pixels(rendered[name]))


@pytest.mark.parametrize("name", NAMES)
def test_frames_come_one_by_one_and_may_be_stopped(generators, portrait, name):
    batches = generators[name].render(portrait, self_made_motion(portrait, 200))
    assert len(next(batches)) <= 4
    batches.close()
    assert next(batches, None) is None


@pytest.mark.parametrize("name", NAMES)
def test_two_portraits_may_be_rendered_in_turn(generators, rendered, portrait, motion, name):
    image = np.ascontiguousarray(astronaut()[:, ::-1])
    mirrored = make_portrait(image, Face(portrait.landmarks * np.float32([-1, 1, 1]) + np.float32([256, 0, 0])))
    first, second = generators[name].render(portrait, motion), generators[name].render(mirrored, motion)
    turns = list(zip(first, second, strict=True))
    np.testing.assert_array_equal(pixels(a for a, _ in turns), pixels(rendered[name]))


# --- where things are -------------------------------------------------------------------------------------------------


def test_crop_units_of_a_tilted_portrait(portrait):
    turned = Portrait(
        image=portrait.image,
        landmarks=portrait.landmarks,
        crop=portrait.crop,
        image_from_crop=np.array([[0.0, -2.0, 300.0], [2.0, 0.0, 20.0]]),
    )
    side = portrait.crop.shape[0]
    points = to_crop_units(np.array([[[300.0, 20.0, 4.0], [300.0 - 2 * side, 20.0 + 2 * side, 4.0]]]), turned)
    np.testing.assert_allclose(points[0, :, :2], [[0, 0], [1, 1]], atol=1e-9)
    np.testing.assert_allclose(points[0, :, 2], 2 / side, atol=1e-9)


def test_the_motion_at_rest_is_where_the_portrait_is(portrait):
    own = source_landmarks(portrait)
    assert (own[:468, :2] > 0.1).all() and (own[:468, :2] < 0.9).all()
    np.testing.assert_allclose(target_landmarks(portrait, at_rest(portrait))[0], own, atol=1e-5)


# --- warp -------------------------------------------------------------------------------------------------------------


def test_warp_at_rest_gives_the_crop(portrait):
    frame = frames_of(WarpGenerator(), portrait, at_rest(portrait))[0]
    np.testing.assert_allclose(frame, portrait.crop, atol=1)


def test_warp_puts_the_face_where_the_motion_says(portrait, motion, rendered):
    from visiongen.landmarks import FaceMesh

    frames = pixels(rendered["warp"])
    targets = target_landmarks(portrait, motion)[..., :2] * portrait.crop.shape[0]
    with FaceMesh() as mesh:
        for frame, target in zip(frames, targets, strict=True):
            error = np.linalg.norm(mesh(frame)[0][:468, :2] - target[:468], axis=1)
            assert error.mean() < 2.5


# --- vae-gan ----------------------------------------------------------------------------------------------------------


def test_an_untrained_network_is_nearly_the_warp(portrait, motion, untrained, rendered):
    generator = VaeGanGenerator(VaeGanOptions(weights=str(untrained)), device="cpu")
    frames, warped = frames_of(generator, portrait, motion), pixels(rendered["warp"])
    assert np.abs(frames.astype(int) - warped).mean() < 8
    softened = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in frames])
    as_soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in warped])
    assert np.abs(softened.astype(int) - as_soft).mean() < 5


def test_without_painting_only_moved_pixels_and_background_are_left(portrait, untrained):
    """Both are the portrait itself where nothing moves and nobody hides the wall."""
    generator = VaeGanGenerator(VaeGanOptions(weights=str(untrained), painting=0.0), device="cpu")
    frame = frames_of(generator, portrait, at_rest(portrait))[0].astype(int)
    assert np.abs(frame - portrait.crop).mean() < 2.5


def test_the_shipped_network_keeps_the_portrait_at_rest(portrait, shipped):
    frame = frames_of(shipped, portrait, at_rest(portrait))[0].astype(int)
    assert np.abs(frame - portrait.crop).mean() < 12


def test_detail_comes_from_the_crop_itself(portrait, untrained):
    """Twice the resolution gives twice the detail and not an enlarged 256."""
    from skimage.data import astronaut as photograph

    large = cv2.resize(photograph()[0:256, 96:352], (512, 512), interpolation=cv2.INTER_CUBIC)
    large[::2, ::2] //= 2  # a pattern that no picture of 256 px can hold
    source = make_portrait(large, Face(portrait.landmarks * np.float32(2)))
    frame = frames_of(VaeGanGenerator(VaeGanOptions(weights=str(untrained)), device="cpu"), source, at_rest(source))[0]
    pattern = frame[1::2, 1::2].astype(float) - frame[::2, ::2]
    truth = source.crop[1::2, 1::2].astype(float) - source.crop[::2, ::2]
    assert np.abs(pattern).mean() > 0.6 * np.abs(truth).mean()


@pytest.mark.parametrize("side", [100, 256, 700])
def test_resized_is_square_and_of_the_right_brightness(side):
    picture = cv2.resize(astronaut(), (side, side))
    assert resized(picture, 256).shape == (256, 256, 3)
    np.testing.assert_allclose(resized(picture, 256).mean((0, 1)), picture.mean((0, 1)), atol=1)


def test_options_out_of_range_are_refused():
    component = plugins.choose("generator", "vae-gan")
    for options in (VaeGanOptions(painting=1.5), VaeGanOptions(batch=0)):
        with pytest.raises(PluginError, match="must be"):
            plugins.load(component, options, device="cpu")


def test_missing_weights_are_an_error_of_the_users(tmp_path, untrained):
    component = plugins.choose("generator", "vae-gan")
    with pytest.raises(WeightsError, match=r"none\.safetensors: not found"):
        plugins.load(component, VaeGanOptions(weights=str(tmp_path / "none.safetensors")), device="cpu")
    shutil.copy(untrained, tmp_path / "cut.safetensors")
    with pytest.raises(WeightsError, match=r"cut\.json: not found"):
        plugins.load(component, VaeGanOptions(weights=str(tmp_path / "cut.safetensors")), device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_a_gpu_gives_the_same_picture(portrait, motion, rendered):
    frames = frames_of(VaeGanGenerator(VaeGanOptions(), device="cuda"), portrait, motion)
    assert np.abs(frames.astype(int) - pixels(rendered["vae-gan"])).mean() < 0.5


def test_the_field_of_the_portrait_is_used(portrait, motion, rendered):
    """`warp` is `flow` with exact eyes and what is unseen, and nothing else."""
    source, target = source_landmarks(portrait), target_landmarks(portrait, motion)[2]
    matte = person_matte(portrait.crop, GRID)
    hair = find_hair(portrait.crop, source, matte)
    (dense,) = MotionField(source, matte, hair=hair).towards(target[None])
    exact = with_exact_eyes(resize_flow(dense.flow, portrait.crop.shape[0]), source, target)
    expected = lay_over(warp(portrait.crop, exact), Unseen(portrait.crop, source)(target))
    np.testing.assert_array_equal(pixels(rendered["warp"])[2], expected)
    assert len(place(motion)) == NUM_FRAMES


def test_feedback_looks_only_where_it_is_asked_to(portrait, motion, monkeypatch):
    looked = []
    monkeypatch.setattr("visiongen.generators.vae_gan.correction", lambda picture, target: looked.append(picture.shape))
    for feedback, count in (("always", len(motion)), ("registered", 0), ("never", 0)):
        looked.clear()
        frames_of(VaeGanGenerator(VaeGanOptions(feedback=feedback), device="cpu"), portrait, motion)
        assert looked == [(256, 256, 3)] * count


def test_where_the_mirror_image_shows_a_hidden_side_is_told(portrait, motion, monkeypatch):
    generator = VaeGanGenerator(VaeGanOptions(), device="cpu")

    def share() -> np.ndarray:
        return {one.name: one.values for one in generator.explain(portrait, motion, 0)}["Mirror image"]

    assert share().max() == 0  # the sample looks to the camera
    weight = np.random.default_rng(0).uniform(0, 1, (GRID, GRID)).astype(np.float32)
    monkeypatch.setattr(
        OtherSide, "__call__", lambda self, dense, target: Revealed(pixel_centres(GRID), weight, weight)
    )
    np.testing.assert_array_equal(share(), weight)
