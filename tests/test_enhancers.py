"""The built-in enhancers on real pictures and moving sequences made from them."""

import itertools
import time as clock

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from visiongen import plugins
from visiongen.datatypes import FrameBatch, Portrait
from visiongen.enhancers import visiongen_enhancers
from visiongen.enhancers.artefacts import detail_table, remove_specks
from visiongen.enhancers.colour import fit_line, lab_quantiles
from visiongen.enhancers.deflicker import _BASIS, fit_gain, log_thumbnail
from visiongen.enhancers.sharpen import sharpen

ALL = {component.name: component for component in visiongen_enhancers()}
FACE = np.ascontiguousarray(data.astronaut()[0:256, 100:356])
FPS = 25


def portrait_of(crop: np.ndarray) -> Portrait:
    side = min(crop.shape[:2])
    crop = crop[:side, :side]
    return Portrait(image=crop, crop=crop, landmarks=np.zeros((478, 3)), image_from_crop=np.eye(2, 3))


def batches_of(frames: np.ndarray, size: int):
    for start in range(0, len(frames), size):
        part = frames[start : start + size]
        yield FrameBatch(pixels=part, times=np.arange(start, start + len(part)) / FPS)


def enhance(name: str, frames: np.ndarray, portrait: np.ndarray = FACE, *, batch: int = 16, **options) -> np.ndarray:
    enhancer = plugins.load(ALL[name], ALL[name].options(**options))
    return np.concatenate([one.pixels for one in enhancer.enhance(batches_of(frames, batch), portrait_of(portrait))])


def turning_head(length: int = 24, size: int = 128) -> np.ndarray:
    """(T, size, size, 3): a disc cut from the face, turning and travelling over the still rest of the picture."""
    picture = cv2.resize(FACE, (size, size), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:size, :size] + 0.5
    frames = []
    for t in range(length):
        centre = size / 2 + np.array([12 * np.sin(t / 5), 4 * np.cos(t / 4)])
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), 10 * np.sin(t / 6), 1.0)
        turn[:, 2] += centre - size / 2
        moved = cv2.warpAffine(picture, turn, (size, size), borderMode=cv2.BORDER_REFLECT)
        inside = np.clip(size * 0.3 - np.hypot(x - centre[0], y - centre[1]), 0, 1)[..., None]
        frames.append(np.rint(inside * moved + (1 - inside) * picture).astype(np.uint8))
    return np.stack(frames)


def with_flicker(frames: np.ndarray, rng: np.random.Generator, noise: float = 0.0) -> np.ndarray:
    """Every frame brighter or darker, tinted, with a slope from left to right, and noisy."""
    length, _, width, _ = frames.shape
    gain = 1 + 0.04 * rng.standard_normal((length, 1, 1, 1)) + 0.015 * rng.standard_normal((length, 1, 1, 3))
    gain = gain + 0.02 * rng.standard_normal((length, 1, 1, 1)) * np.linspace(-1, 1, width)[:, None]
    gain[0] = 1
    noisy = frames * gain + noise * rng.standard_normal(frames.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def psnr(frames: np.ndarray, reference: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((frames.astype(float) - reference) ** 2))


def luma(frame: np.ndarray) -> np.ndarray:
    return frame.astype(np.float64) @ [0.299, 0.587, 0.114]


# What holds for all of them.


@pytest.mark.parametrize("name", ALL)
def test_batch_size_changes_nothing(name):
    frames = with_flicker(turning_head(20, 64), np.random.default_rng(0), noise=4)
    one, sixteen = (enhance(name, frames, batch=size) for size in (1, 16))
    assert np.array_equal(one, sixteen) and not np.array_equal(one, frames)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 5), max_size=5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_number_times_and_size_of_frames_stay(name, sizes, height, width, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0, 0.2, sum(sizes)))
    frames = rng.integers(0, 256, (sum(sizes), height, width, 3), np.uint8)
    ends = np.cumsum([0, *sizes])
    given_batches = [FrameBatch(pixels=frames[a:b], times=times[a:b]) for a, b in itertools.pairwise(ends)]
    got = list(plugins.load(ALL[name]).enhance(given_batches, portrait_of(FACE)))
    assert [len(batch) for batch in got] == sizes
    for before, after in zip(given_batches, got, strict=True):
        assert after.pixels.shape == before.pixels.shape and np.array_equal(after.times, before.times)
    assert np.array_equal(frames, np.concatenate([frames[:0], *(batch.pixels for batch in given_batches)]))


@pytest.mark.parametrize(
    ("name", "field"), [(name, "strength") for name in ALL if name != "sharpen"] + [("sharpen", "amount")]
)
def test_strength_zero_is_the_identity(name, field):
    frames = with_flicker(turning_head(6, 48), np.random.default_rng(1), noise=8)
    assert np.array_equal(enhance(name, frames, **{field: 0.0}), frames)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"sharpen"}))
def test_frames_like_the_portrait_stay_as_they_are(name):
    assert np.array_equal(enhance(name, np.stack([FACE] * 5)), np.stack([FACE] * 5))
    large = cv2.resize(FACE, (601, 601), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(enhance(name, large[None], large), large[None])


@pytest.mark.parametrize("name", ALL)
def test_works_frame_by_frame_and_closing_early_closes_the_source(name):
    state = {"made": 0, "closed": False}

    def source():
        try:
            while True:
                state["made"] += 1
                yield FrameBatch(pixels=FACE[None], times=[state["made"] / FPS])
        finally:
            state["closed"] = True

    stream = plugins.load(ALL[name]).enhance(source(), portrait_of(FACE))
    assert state["made"] == 0  # nothing is read before it is asked for
    next(stream), next(stream)
    assert state["made"] == 2 and not state["closed"]
    stream.close()
    assert state["closed"]


@pytest.mark.parametrize("name", ALL)
def test_one_enhancer_serves_streams_at_the_same_time(name):
    enhancer = plugins.load(ALL[name])
    frames = with_flicker(turning_head(8, 64), np.random.default_rng(2), noise=3)
    alone = np.concatenate([one.pixels for one in enhancer.enhance(batches_of(frames, 1), portrait_of(FACE))])
    first = enhancer.enhance(batches_of(frames, 1), portrait_of(FACE))
    second = enhancer.enhance(batches_of(frames[::-1].copy(), 1), portrait_of(FACE))
    mixed = np.concatenate([one.pixels for one, _ in zip(first, second, strict=True)])
    assert np.array_equal(alone, mixed)


@pytest.mark.parametrize("name", ALL)
def test_a_frame_takes_few_milliseconds(name):
    frames = with_flicker(np.stack([FACE] * 12), np.random.default_rng(3), noise=2)
    enhancer = plugins.load(ALL[name])
    costs = []
    for _ in range(3):
        start = clock.process_time()
        for _ in enhancer.enhance(batches_of(frames, 16), portrait_of(FACE)):
            pass
        costs.append((clock.process_time() - start) / len(frames))
    assert min(costs) < 0.025  # 1 to 3 ms on an idle core; a shared machine is slower


def test_options_have_ranges_and_docstrings():
    from visiongen.options import option_fields

    for component in ALL.values():
        for option in option_fields(component.options):
            assert option.help and option.range[0] <= option.default <= option.range[1] and option.step > 0


# Colour.


def cast(frames: np.ndarray) -> np.ndarray:
    """Flatter, darker and warmer."""
    return np.clip(np.rint((frames * np.array([1.06, 1.0, 0.9]) - 110) * 0.85 + 100), 0, 255).astype(np.uint8)


def test_colour_takes_a_cast_away():
    frames = turning_head(10)
    portrait = cv2.resize(FACE, (128, 128), interpolation=cv2.INTER_AREA)
    corrected = enhance("colour", cast(frames), portrait)
    assert psnr(corrected, frames) > psnr(cast(frames), frames) + 8
    half = enhance("colour", cast(frames), portrait, strength=0.5)
    assert psnr(cast(frames), frames) < psnr(half, frames) < psnr(corrected, frames)


def test_colour_hardly_touches_frames_that_only_move():
    frames = turning_head(20)
    assert psnr(enhance("colour", frames, cv2.resize(FACE, (128, 128), interpolation=cv2.INTER_AREA)), frames) > 42


def test_colour_ignores_what_the_portrait_does_not_show():
    quantiles = lab_quantiles(FACE)
    frame = cast(FACE)
    plain = fit_line(lab_quantiles(frame), quantiles)
    frame[150:190, 100:150] = (90, 10, 20)  # an open mouth
    disturbed = fit_line(lab_quantiles(frame), quantiles)
    lightness = np.array([20.0, 50.0, 80.0])
    difference = (disturbed - plain)[:, 0] * lightness[:, None] + (disturbed - plain)[:, 1]
    assert np.abs(difference[:, 0]).max() < 1.0  # Lab units; the mean of L itself moves by more
    moved = lab_quantiles(frame).mean(axis=1) - lab_quantiles(cast(FACE)).mean(axis=1)
    assert np.abs(moved[0]) > 1.0


def test_colour_does_not_flicker():
    frames = turning_head(24)
    rng = np.random.default_rng(4)
    for frame in frames[1::2]:  # something dark comes and goes, at the rate that is most visible
        y, x = rng.integers(20, 80, 2)
        frame[y : y + 24, x : x + 24] = 10
    corner = frames[:, :8, :8].astype(float).mean(axis=(1, 2, 3))  # still in all frames
    after = enhance("colour", frames)[:, :8, :8].astype(float).mean(axis=(1, 2, 3))
    assert np.ptp(corner) == 0 and np.abs(np.diff(after)).max() < 0.5


def test_colour_leaves_a_grey_picture_grey():
    grey = np.repeat(cv2.cvtColor(FACE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    darker = (grey * 0.8).astype(np.uint8)
    result = enhance("colour", darker[None], grey)[0].astype(int)
    assert np.ptp(result, axis=2).max() <= 1
    assert abs(result.mean() - grey.mean()) < 0.2 * abs(darker.mean() - grey.mean())


# Sharpen.


def test_sharpen_raises_detail_and_keeps_flat_parts_and_colour():
    soft = cv2.GaussianBlur(FACE, (0, 0), 1.2)
    result = enhance("sharpen", soft[None])[0]
    edges = [cv2.Laplacian(luma(frame), cv2.CV_64F).var() for frame in (soft, result)]
    assert edges[1] > 1.3 * edges[0] and psnr(result, FACE) > psnr(soft, FACE)
    assert np.abs(result.astype(int) - soft).mean() < 2
    added = (result.astype(int) - soft)[((result > 0) & (result < 255)).all(axis=2)]
    assert np.ptp(added, axis=1).max() <= 1  # the same for red, green and blue
    assert np.array_equal(enhance("sharpen", np.full((1, 30, 30, 3), 77, np.uint8)), np.full((1, 30, 30, 3), 77))


def test_sharpen_makes_no_halo():
    frame = np.full((20, 41, 3), 60, np.uint8)
    frame[:, 20:] = 180
    frame = cv2.GaussianBlur(frame, (0, 0), 1.2)
    result = sharpen(frame, amount=3.0, radius=1.0, threshold=0.0)
    assert result.min() == 60 and result.max() == 180
    assert np.diff(luma(result)[10]).max() > 1.4 * np.diff(luma(frame)[10]).max()
    window = np.ones((3, 3), np.uint8)
    result = luma(sharpen(FACE, amount=3.0, radius=1.0, threshold=0.0))
    before = luma(FACE)
    assert np.all(result <= cv2.dilate(before, window) + 1) and np.all(result >= cv2.erode(before, window) - 1)


def test_sharpen_does_not_raise_noise():
    noisy = np.clip(128 + np.random.default_rng(5).normal(0, 1.0, (64, 64, 3)), 0, 255).astype(np.uint8)
    assert enhance("sharpen", noisy[None]).std() < 1.02 * noisy.std()


def test_sharpen_looks_the_same_in_any_size():
    small = cv2.GaussianBlur(FACE, (0, 0), 1.0)
    large = cv2.resize(small, (512, 512), interpolation=cv2.INTER_CUBIC)
    gains = [enhance("sharpen", one[None])[0].astype(float) - one for one in (small, large)]
    back = cv2.resize(gains[1], (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(back.ravel(), gains[0].ravel())[0, 1] > 0.8
    assert 0.6 < back.std() / gains[0].std() < 1.4


# Artefacts.


def with_specks(frame: np.ndarray, rng: np.random.Generator, number: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """`frame` with little bright rectangles in colours of droplets, and the (H, W) mask of them."""
    frame, mask = frame.copy(), np.zeros(frame.shape[:2], bool)
    colours = [(255, 0, 255), (0, 255, 0), (0, 255, 255), (255, 255, 0), (0, 0, 255)]
    for i in range(number):
        (y, x), (height, width) = rng.integers(4, 250, 2), rng.integers(1, 4, 2)
        frame[y : y + height, x : x + width] = colours[i % len(colours)]
        mask[y : y + height, x : x + width] = True
    return frame, mask


def moved_face(rng: np.random.Generator) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((128, 128), rng.uniform(-12, 12), rng.uniform(0.92, 1.08))
    turn[:, 2] += rng.uniform(-12, 12, 2)
    return cv2.warpAffine(FACE, turn, (256, 256), borderMode=cv2.BORDER_REFLECT)


def test_specks_go():
    rng = np.random.default_rng(6)
    for _ in range(4):
        clean = moved_face(rng)
        stained, mask = with_specks(clean, rng)
        mask &= np.abs(stained.astype(int) - clean).max(axis=2) > 60
        result = enhance("artefacts", stained[None])[0]
        left = np.abs(result.astype(int) - clean).max(axis=2) > 40
        assert (left & mask).sum() < 0.3 * mask.sum()  # those beside edges stay: they are not isolated
        assert psnr(result, clean) > psnr(stained, clean) + 6


def test_a_moved_portrait_keeps_all_its_detail():
    rng = np.random.default_rng(7)
    for _ in range(6):
        frame = moved_face(rng)
        changed = (enhance("artefacts", frame[None])[0] != frame).any(axis=2)
        assert changed.mean() < 5e-4


def test_specks_of_the_portrait_itself_stay():
    spotted, _ = with_specks(FACE, np.random.default_rng(8))
    shifted = np.roll(spotted, (9, -7), (0, 1))
    assert (enhance("artefacts", shifted[None], spotted)[0] != shifted).any(axis=2).mean() < 5e-4


def test_specks_go_in_large_frames_too():
    stained, mask = with_specks(FACE, np.random.default_rng(9), number=12)
    large, clean, mask = (
        cv2.resize(one, (768, 768), interpolation=cv2.INTER_NEAREST) for one in (stained, FACE, mask.astype(np.uint8))
    )
    result = enhance("artefacts", large[None], clean)[0]
    stains = mask.astype(bool) & (np.abs(large.astype(int) - clean).max(axis=2) > 60)
    assert ((np.abs(result.astype(int) - clean).max(axis=2) > 60) & stains).sum() < 0.4 * stains.sum()
    known = detail_table(FACE, threshold=14)
    assert np.array_equal(remove_specks(FACE, known, threshold=28), FACE)


# Deflicker.


def tone_change(frames: np.ndarray) -> float:
    """Mean change of the still rim's brightness from frame to frame, grey levels."""
    return float(np.abs(np.diff(frames[:, :, :10].astype(float).mean(axis=(1, 2)), axis=0)).mean())


def test_flicker_falls_and_edges_stay():
    clean = turning_head(40)
    flickering = with_flicker(clean, np.random.default_rng(10))
    result = enhance("deflicker", flickering)
    assert tone_change(result) < 0.25 * tone_change(flickering)
    assert psnr(result, clean) > psnr(flickering, clean) + 4
    sharpness = [np.mean([cv2.Laplacian(luma(frame), cv2.CV_64F).var() for frame in one]) for one in (clean, result)]
    assert 0.95 < sharpness[1] / sharpness[0] < 1.05


def test_moving_things_do_not_smear():
    clean = turning_head(30)
    assert psnr(enhance("deflicker", clean), clean) > 46
    bar = np.full((20, 64, 96, 3), 60, np.uint8)
    for t, frame in enumerate(bar):
        frame[:, 10 + 3 * t : 20 + 3 * t] = 200
    assert np.abs(enhance("deflicker", bar).astype(int) - bar).max() <= 3


def test_noise_falls_where_nothing_moves():
    clean = np.stack([FACE] * 16)
    noisy = np.clip(clean + np.random.default_rng(11).normal(0, 1.2, clean.shape), 0, 255).round().astype(np.uint8)
    result = enhance("deflicker", noisy)
    over_time = [np.diff(one[6:].astype(float), axis=0).std() for one in (noisy, result)]
    assert over_time[1] < 0.5 * over_time[0]
    unblended = enhance("deflicker", noisy, noise=0.0)
    assert np.abs(unblended.astype(int) - noisy).max() <= 1


def test_slow_changes_of_light_are_kept():
    gains = np.linspace(1.0, 0.7, 75)  # three seconds
    frames = np.rint(FACE[None, ::4, ::4] * gains[:, None, None, None]).astype(np.uint8)
    result = enhance("deflicker", frames)
    assert np.abs(result.astype(float).mean(axis=(1, 2, 3)) - frames.mean(axis=(1, 2, 3))).max() < 8
    assert result[-1].mean() < 0.8 * result[0].mean()


def test_a_cut_starts_anew():
    other = cv2.resize(data.chelsea(), (128, 128), interpolation=cv2.INTER_AREA)
    frames = np.concatenate([turning_head(5), np.stack([other] * 5)])
    result = enhance("deflicker", frames)
    assert np.array_equal(result[5:], frames[5:])
    assert fit_gain(log_thumbnail(other) - log_thumbnail(frames[0])) is None


def test_gain_is_found_although_things_move():
    frames = turning_head(3)
    brighter = np.clip(np.rint(frames[1] * np.array([1.06, 1.04, 1.0])), 0, 255).astype(np.uint8)
    surface = _BASIS @ fit_gain(log_thumbnail(brighter) - log_thumbnail(frames[0]))
    red, _, blue = np.median(surface, axis=0)
    assert 0.035 < red < 0.065 and abs(blue) < 0.01
