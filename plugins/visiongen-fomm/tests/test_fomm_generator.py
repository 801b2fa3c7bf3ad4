"""The generator keeps the contract, reads the right pixels, and its options do what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from visiongen_fomm.driver import driving_frames, look_through
from visiongen_fomm.generator import FommGenerator
from visiongen_fomm.options import FommOptions

import visiongen
from visiongen.testing import assert_generator_contract


def frames_of(generator, portrait, motion):
    batches = list(generator.render(portrait, motion))
    return np.concatenate([b.pixels for b in batches]), np.concatenate([b.times for b in batches])


def test_it_is_offered():
    offer = visiongen.choose("generator", "fomm")
    assert offer.needs == "pixels"
    assert offer.plugin.startswith("visiongen-fomm")
    assert not [failure for failure in visiongen.plugin_failures() if "fomm" in str(failure)]


def test_it_keeps_the_contract():
    assert_generator_contract("fomm")


def test_one_frame_per_time_of_the_crops_size(tiny, fitted):
    portrait, motion = fitted
    generator = visiongen.load(visiongen.choose("generator", "fomm"), FommOptions(weights=str(tiny), size=64, batch=5))
    pixels, times = frames_of(generator, portrait, motion)
    assert pixels.shape == (len(motion), *portrait.crop.shape)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(times, motion.times)


def test_batches_do_not_change_the_result(tiny, fitted, shortened):
    portrait, motion = fitted
    motion = shortened(motion, 5)
    one, many = (
        frames_of(FommGenerator(FommOptions(weights=str(tiny), size=64, batch=n)), portrait, motion)[0] for n in (1, 4)
    )
    assert np.abs(one.astype(int) - many).max() <= 1


def test_it_can_be_closed_early_and_used_again(tiny, fitted):
    portrait, motion = fitted
    generator = FommGenerator(FommOptions(weights=str(tiny), size=64, batch=2))
    rendering = generator.render(portrait, motion)
    first = next(rendering).pixels
    rendering.close()
    np.testing.assert_array_equal(next(generator.render(portrait, motion)).pixels, first)


def test_a_motion_without_its_clip_is_refused(tiny, fitted):
    portrait, motion = fitted
    generator = FommGenerator(FommOptions(weights=str(tiny), size=64))
    with pytest.raises(visiongen.UnsupportedMotionError, match="driving video itself"):
        next(generator.render(portrait, replace(motion, clip=None)))


def test_at_the_reference_frame_the_portrait_is_untouched(tiny, fitted, shortened):
    """With all its detail, a face that has not moved is the crop itself."""
    portrait, motion = fitted
    generator = FommGenerator(FommOptions(weights=str(tiny), size=64, reference="first"))
    first = next(generator.render(portrait, shortened(motion, 1))).pixels[0]
    assert np.abs(first.astype(int) - portrait.crop).mean() < 0.5


def test_detail_0_is_the_networks_own_picture(tiny, fitted, shortened):
    portrait, motion = fitted
    motion = shortened(motion, 2)
    plain, carried = (
        frames_of(FommGenerator(FommOptions(weights=str(tiny), size=64, detail=d)), portrait, motion)[0]
        for d in (0.0, 1.0)
    )
    assert np.abs(plain.astype(int) - carried).mean() > 5  # this network has random weights and paints noise


@pytest.mark.parametrize(
    "changed", [{"motion": "absolute"}, {"align_corners": False}, {"adapt_scale": True}, {"size": 128}]
)
def test_options_reach_the_network(tiny, fitted, shortened, changed):
    portrait, motion = fitted
    motion = shortened(motion, 3)
    plain, other = (
        frames_of(FommGenerator(FommOptions(**{"weights": str(tiny), "size": 64, **c})), portrait, motion)[0].astype(
            int
        )
        for c in ({}, changed)
    )
    assert (plain != other).any()


def test_a_size_that_does_not_fit_is_refused(tiny):
    with pytest.raises(visiongen.WeightsError, match="must be a multiple of 64"):
        FommGenerator(FommOptions(weights=str(tiny), size=72))


def test_self_reenactment_looks_at_the_portraits_own_square(own_reenactment):
    """The driver's square is the portrait's crop where both are the same picture."""
    portrait, motion, first = own_reenactment
    driver = look_through(portrait, motion, best=True)
    side = portrait.crop.shape[0] * np.hypot(*portrait.image_from_crop[:, 0])
    assert abs(driver.square.side / side - 1) < 0.03
    corner = portrait.image_from_crop[:, 2]
    assert np.abs(np.array([driver.square.left, driver.square.top]) - corner).max() < 0.02 * side
    np.testing.assert_array_equal(driver.reference, first)  # nothing is more like the first frame than itself
    assert driver.reference_time == 0


def test_the_first_reference_is_the_first_frame_with_a_face(fitted):
    portrait, motion = fitted
    assert look_through(portrait, motion, best=False).reference_time == motion.times[0]


def test_every_time_gets_its_frame(fitted):
    _, motion = fitted
    from visiongen.media import read_frames

    all_frames = np.concatenate([b.pixels for b in read_frames(motion.clip)])
    chosen = np.array([0, 3, 4, 9])
    found = np.concatenate(list(driving_frames(motion.clip, motion.times[chosen], batch=3)))
    np.testing.assert_array_equal(found, all_frames[chosen])
    late = np.array([motion.times[-1], motion.times[-1] + 1])  # beyond the end: the last frame is held
    found = np.concatenate(list(driving_frames(motion.clip, late, batch=1)))
    np.testing.assert_array_equal(found, all_frames[[-1, -1]])


def test_the_shipped_weights_animate(fitted, shortened):
    portrait, motion = fitted
    generator = visiongen.load(visiongen.choose("generator", "fomm"))
    pixels, _ = frames_of(generator, portrait, shortened(motion, 4))
    assert np.abs(pixels[0].astype(int) - portrait.crop).mean() < 12  # still the same person
