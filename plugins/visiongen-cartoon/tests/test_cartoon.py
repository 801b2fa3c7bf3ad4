"""The cartoon look: the contract, what the options do, and that it does not flicker."""

from dataclasses import replace

import numpy as np
import visiongen_cartoon
from visiongen_cartoon import CartoonOptions
from visiongen_cartoon.cartoon import Cartoon, draw, flattened, outlines, quantised

from visiongen import FrameBatch, testing

(COMPONENT,) = visiongen_cartoon.visiongen_enhancers()


def drawn(frames, **options):
    """(T, H, W, 3) uint8 of the same."""
    batches = [FrameBatch(pixels=frames, times=np.arange(len(frames)) / 25)]
    enhancer = Cartoon(CartoonOptions(**options))
    return np.concatenate([batch.pixels for batch in enhancer.enhance(iter(batches), testing.sample_portrait())])


def face(size=128):
    return testing.sample_batches(1, height=size, width=size)[0].pixels[0]


def flicker(frames):
    """Mean second difference over time, grey levels: what does not belong to an even movement."""
    frames = frames.astype(np.float32)
    return float(np.abs(frames[2:] - 2 * frames[1:-1] + frames[:-2]).mean())


def test_contract():
    testing.assert_enhancer_contract(COMPONENT)
    testing.assert_enhancer_contract(COMPONENT, options=CartoonOptions(steadiness=0.0, lines=0.0, softness=0.0))


def test_listing_is_light():
    testing.assert_light_plugin("visiongen_cartoon")


def test_it_looks_drawn():
    before, after = face(), drawn(face()[None])[0]
    brightness = [frame.astype(float).mean(-1) for frame in (before, after)]
    steps = [np.abs(np.diff(one, axis=0)) for one in brightness]
    assert np.median(steps[1]) < 0.75 * np.median(steps[0])  # flat areas ...
    assert (brightness[1] < 20).sum() > 1.2 * (brightness[0] < 20).sum()  # ... and dark lines
    blurred = [one.reshape(16, 8, 16, 8).mean((1, 3)) for one in brightness]
    assert np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1] > 0.95  # of the same face


def test_noise_on_a_still_picture_does_not_flicker():
    noise = np.random.default_rng(0).normal(0, 4, (10, 128, 128, 3))
    frames = np.clip(face() + noise, 0, 255).astype(np.uint8)
    steady, hard = drawn(frames), drawn(frames, steadiness=0.0, softness=0.0)
    assert flicker(steady) < 0.5 * flicker(hard)
    assert flicker(steady) < 0.35 * flicker(frames)


def test_what_moves_is_drawn_anew():
    first, second = face(), face()[:, ::-1]
    alone = drawn(second[None])[0].astype(int)
    after = drawn(np.stack([first, second]))[1].astype(int)
    moved = np.abs(first.astype(int) - second).max(-1) > 60
    assert np.abs(after - alone)[moved].mean() < 1.0


def test_steps_are_monotonic_and_as_many_as_asked():
    ramp = np.linspace(0, 100, 4001, dtype=np.float32)[None]
    for softness in (0.0, 0.3, 0.7, 1.0):
        steps = quantised(ramp, 5, softness)[0]
        assert (np.diff(steps) >= -1e-4).all() and np.abs(steps - ramp[0]).max() <= 10.01
    hard = np.round(quantised(ramp, 5, 0.0)[0], 1)
    _, counts = np.unique(hard, return_counts=True)
    assert sum(counts > 300) == 5
    assert np.array_equal(quantised(ramp, 5, 1.0), ramp)


def test_lines_lie_where_brightness_changes():
    bright = np.full((40, 40), 80.0, np.float32)
    bright[:, :20] = 20
    ink = outlines(bright, 1.0)
    assert ink[:, 16:20].max() > 0.5 and ink[:, :8].max() == ink[:, 28:].max() == 0
    assert ink[:, :20].sum() > 10 * ink[:, 20:].sum()  # on the dark side


def test_without_colour_and_lines():
    flat = flattened(face(), 0.5)
    plain = CartoonOptions(lines=0.0)
    assert np.ptp(draw(flat, replace(plain, saturation=0.0)).astype(int), axis=-1).max() <= 2
    assert draw(flat, plain).mean() > draw(flat, replace(plain, lines=1.0)).mean()


def test_lines_grow_with_the_frame():
    share = [(drawn(face(size)[None], saturation=0.0)[0].mean(-1) < 12).mean() for size in (160, 320)]
    assert 0.5 < share[0] / share[1] < 2
