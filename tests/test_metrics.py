"""Metrics against independent implementations, and against constructed cases whose value is known."""

import subprocess
import sys

import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.metrics import (
    StabilityMeter,
    acceleration_error,
    akd,
    akd_coordinates,
    flow_error,
    frechet_distance,
    image_scores,
    jitter_ratio,
    keypoint_stability,
    l1,
    motion_ratio,
    ms_ssim,
    optical_flow,
    own_steadiness,
    psnr,
    sharpness,
    ssim,
)
from visiongen.metrics.motion import REGIONS, scaled_to

INTEROCULAR = 0.634 * 110


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    from skimage.data import astronaut

    picture = np.ascontiguousarray(astronaut()[:256, 100:356])
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    return picture, np.clip(picture + noise, 0, 255).astype(np.uint8)


def head(t: float) -> np.ndarray:
    """Landmarks of a talking, turning head at a time, (478, 3) px."""
    return placed(
        face(jaw=0.05 * np.sin(4 * t) ** 2), turn=rotation(yaw=12 * np.sin(2 * t)), centre=(128 + 9 * np.sin(t), 128)
    )


def talking(rate: float = 25, seconds: float = 3) -> np.ndarray:
    return np.stack([head(t) for t in np.arange(0, seconds, 1 / rate)])[:, :468, :2].astype(np.float64)


@pytest.fixture(scope="module")
def moving() -> np.ndarray:
    return talking()


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_equal_pictures(pictures):
    picture, _ = pictures
    assert l1(picture, picture) == 0 and psnr(picture, picture) == 60
    assert ssim(picture, picture) == pytest.approx(1) and ms_ssim(picture, picture) == pytest.approx(1)


def test_l1_and_psnr_against_scikit_image(pictures):
    from skimage.metrics import peak_signal_noise_ratio

    a, b = (p.astype(float) / 255 for p in pictures)
    assert l1(*pictures) == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
    assert psnr(*pictures) == pytest.approx(peak_signal_noise_ratio(*pictures), abs=1e-3)


def test_ssim_against_scikit_image(pictures):
    from skimage.metrics import structural_similarity

    how = {"channel_axis": 2, "data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert ssim(*pictures) == pytest.approx(structural_similarity(*pictures, **how), abs=2e-6)
    assert 0.2 < ssim(*pictures) < 0.9
    assert image_scores(*pictures).ssim == ssim(*pictures)


@pytest.mark.parametrize("size", [(256, 256), (201, 190)])
def test_ms_ssim_against_pytorch_msssim(pictures, size):
    reference = pytest.importorskip("pytorch_msssim")
    import torch

    a, b = (np.ascontiguousarray(p[: size[0], : size[1]]) for p in pictures)
    tensors = (torch.from_numpy(p).permute(2, 0, 1)[None].double() for p in (a, b))
    assert ms_ssim(a, b) == pytest.approx(float(reference.ms_ssim(*tensors, data_range=255)), abs=1e-4)


def test_pictures_that_do_not_fit_are_refused(pictures):
    picture, _ = pictures
    with pytest.raises(ValueError, match="must both be"):
        ssim(picture, picture[:-1])
    with pytest.raises(ValueError, match="at least 161"):
        ms_ssim(picture[:160], picture[:160])


def test_sharpness_falls_with_blur_and_rises_with_noise(pictures):
    import cv2

    picture, noisy = pictures
    box = np.array([[20.0, 20.0], [100.0, 100.0]])
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.5)
    assert sharpness(blurred, box) < sharpness(picture, box) < sharpness(noisy, box)


def test_flow_error_of_a_shift():
    import cv2

    texture = cv2.GaussianBlur(np.random.default_rng(0).normal(128, 300, (160, 160, 3)), (0, 0), 3)
    still, moved, further = (np.roll(texture, shift, axis=1).clip(0, 255).astype(np.uint8) for shift in (0, 1, 3))
    step, leap = optical_flow(still, moved)[20:-20, 20:-20], optical_flow(still, further)[20:-20, 20:-20]
    assert flow_error(step, step) == 0
    assert flow_error(step, leap) == pytest.approx(2, abs=0.1)  # px


# --- landmarks over time: the constructed cases -----------------------------------------------------------------------


def test_exact_copy_is_perfect(moving):
    result = keypoint_stability(moving, moving, 25)
    assert (result.ksr, result.acceleration, result.displacement) == (1, 1, 1)
    assert set(result.regions.values()) == {1.0} and set(result.regions) == set(REGIONS)
    assert jitter_ratio(moving, moving) == motion_ratio(moving, moving) == pytest.approx(1)
    assert akd(moving, moving).max() == 0 and acceleration_error(moving, moving, 25) == 0


def test_frozen_face_is_steady_but_not_in_place(moving):
    frozen = np.repeat(moving[:1], len(moving), axis=0)
    result = keypoint_stability(moving, frozen, 25)
    assert result.acceleration == 1 and result.ksr == result.displacement < 0.6
    assert motion_ratio(moving, frozen) == 0
    assert own_steadiness(frozen, 25) == 1


@pytest.mark.parametrize("sigma", [0.002, 0.005, 1 / 60])
def test_white_noise_gives_the_closed_form(moving, sigma):
    noise = np.random.default_rng(1).normal(0, sigma * INTEROCULAR, moving.shape)
    size = np.median(np.linalg.norm(moving[:, 33] - moving[:, 263], axis=-1))
    # The second difference of white noise has six times its variance in x and in y: a Rayleigh distribution.
    expected = 1 - np.exp(-((0.02 * size) ** 2) / (12 * (sigma * INTEROCULAR) ** 2))
    assert keypoint_stability(moving, moving + noise, 25).acceleration == pytest.approx(expected, abs=0.02)
    error = acceleration_error(moving, moving + noise, 25)
    assert error == pytest.approx(np.sqrt(np.pi / 2 * 6) * sigma * INTEROCULAR, rel=0.02)


def test_a_constant_offset_is_forgiven_and_a_lag_is_seen_by_akd(moving):
    assert keypoint_stability(moving, moving + [5.0, -3.0], 25).ksr == 1
    assert np.allclose(akd(moving, moving + [3.0, 4.0]), 5)
    assert np.allclose(akd_coordinates(moving, moving + [3.0, 4.0]), 3.5)


def test_a_lag_of_two_frames_passes_ksr_and_is_seen_by_akd(moving):
    real, late = moving[2:], moving[:-2]
    assert keypoint_stability(real, late, 25).acceleration > 0.95
    assert np.nanmean(akd(real, late)) > 0.5


def test_half_amplitude_shows_in_the_motion_ratio(moving):
    half = moving.mean(0) + 0.5 * (moving - moving.mean(0))
    assert motion_ratio(moving, half) == pytest.approx(0.5, abs=1e-6)
    assert jitter_ratio(moving, half) == pytest.approx(0.5, abs=1e-6)
    assert keypoint_stability(moving, half, 25).displacement < 0.95  # much of what a face does is small


def test_dropped_frames_are_seen():
    fast = np.stack([head(3 * t) for t in np.arange(75) / 25])[:, :468, :2].astype(np.float64)
    dropped = fast.copy()
    dropped[5::5] = dropped[4:-1:5]  # every fifth frame is shown as the one before
    assert keypoint_stability(fast, dropped, 25).ksr < 0.85
    assert jitter_ratio(fast, dropped) > 1.5 and acceleration_error(fast, dropped, 25) > 0.5


def test_lost_faces_count_as_unstable_around_them(moving):
    lost = moving.copy()
    lost[30] = np.nan
    result = keypoint_stability(moving, lost, 25)
    assert result.ksr == pytest.approx(1 - 3 / (len(moving) - 2), abs=1e-9)
    assert acceleration_error(moving, lost, 25) == 0


def test_faces_that_the_real_film_lost_do_not_count(moving):
    real = moving.copy()
    real[30:33] = np.nan
    assert keypoint_stability(real, moving, 25).ksr == 1


@pytest.mark.parametrize("rate", [25, 30, 50, 24000 / 1001])
def test_another_frame_rate_gives_the_same(rate):
    """A tremble of a given size and rhythm is judged alike at every frame rate."""

    def trembling(rate: float) -> float:
        points = talking(rate)
        shake = 0.6 * np.sin(2 * np.pi * 5 * np.arange(len(points)) / rate)[:, None, None]
        sizes = np.random.default_rng(2).uniform(0, 2, (1, 468, 1))
        return keypoint_stability(points, points + shake * sizes, rate).ksr

    assert trembling(rate) == pytest.approx(trembling(25), abs=0.06) and 0.1 < trembling(25) < 0.9


def test_another_persons_size_does_not_matter(moving):
    large = 3.0 * moving + [40.0, 7.0]
    assert keypoint_stability(scaled_to(moving, large), moving, 25).ksr == 1
    assert motion_ratio(scaled_to(moving, large), moving) == pytest.approx(1)


def test_own_steadiness_sees_tremble_without_a_driver(moving):
    noise = np.random.default_rng(1).normal(0, 0.01 * INTEROCULAR, moving.shape)
    assert own_steadiness(moving, 25) > 0.99
    assert own_steadiness(moving + noise, 25) < 0.7


def test_too_short_is_an_error(moving):
    with pytest.raises(ValueError, match="at least 3 frames"):
        keypoint_stability(moving[:2], moving[:2], 25)
    with pytest.raises(ValueError, match="at least 7 frames"):
        own_steadiness(moving[:6], 25)


# --- the meter, frame by frame ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [25, 30, 50])
def test_the_meter_agrees_with_the_whole_film(rate):
    real = talking(rate)
    generated = real + np.random.default_rng(3).normal(0, 0.3, real.shape)
    meter = StabilityMeter(fps=rate)
    shares = [meter.add(a, b) for a, b in zip(real, generated)]
    told = [share for share in shares if share is not None]
    exact = keypoint_stability(real, generated, rate)
    assert meter.result().ksr == pytest.approx(exact.ksr, abs=2e-3)
    assert np.mean(told) == pytest.approx(exact.ksr, abs=0.03)
    assert shares[:2] == [None, None] and len(meter) == len(real)


def test_the_meter_with_another_driver_and_lost_faces(moving):
    meter = StabilityMeter(fps=25, same_person=False)
    for i, points in enumerate(moving):
        driver = None if i in (20, 21) else 2.5 * points
        share = meter.add(driver, points)
        assert share is None or share == 1, i
        assert (share is None) == (i < 2 or 20 <= i <= 23), i
    assert meter.result().ksr == 1
    assert StabilityMeter().result() is None


# --- distributions ----------------------------------------------------------------------------------------------------


def test_frechet_distance_against_the_matrix_root():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 12)), rng.normal(0.3, 1.5, size=(400, 12))
    (ma, mb), (ca, cb) = (a.mean(0), b.mean(0)), (np.cov(a.T), np.cov(b.T))
    expected = np.sum((ma - mb) ** 2) + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert frechet_distance(ma, ca, mb, cb) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(ma, ca, ma, ca) == pytest.approx(0, abs=1e-9)
    one, other = np.array([[4.0]]), np.array([[9.0]])  # (2 - 0)^2 + (3 - 2)^2
    assert frechet_distance(np.array([2.0]), one, np.array([0.0]), other) == pytest.approx(5)


def test_the_package_is_light_and_its_names_are_there():
    code = (
        "import sys, visiongen.metrics as m; list(m.visiongen_metrics());"
        "print(*{n.split('.')[0] for n in sys.modules} & {'torch', 'cv2', 'scipy', 'skimage', 'mediapipe', 'av', 'dlib'})"
    )
    assert not subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    import visiongen.metrics

    assert all(getattr(visiongen.metrics, name) for name in visiongen.metrics.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ssimm'"):
        visiongen.metrics.ssimm  # noqa: B018
