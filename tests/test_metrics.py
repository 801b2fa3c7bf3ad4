"""Metrics against constructed cases whose value is known."""

import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.metrics.image import l1, psnr, sharpness, ssim
from visiongen.metrics.motion import akd, jitter_ratio, keypoint_stability, motion_ratio

INTEROCULAR = 0.634 * 110


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    from skimage.data import astronaut

    picture = np.ascontiguousarray(astronaut()[:128, 150:278])
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    return picture, np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def moving() -> np.ndarray:
    time = np.arange(75) / 25
    faces = [
        placed(
            face(jaw=0.05 * np.sin(4 * t) ** 2),
            turn=rotation(yaw=12 * np.sin(2 * t)),
            centre=(128 + 9 * np.sin(t), 128),
        )
        for t in time
    ]
    return np.stack(faces)[:, :468, :2].astype(np.float64)


def test_equal_pictures(pictures):
    picture, _ = pictures
    assert l1(picture, picture) == 0 and psnr(picture, picture) == 60 and ssim(picture, picture) == pytest.approx(1)


def test_l1_and_psnr_are_their_formulas(pictures):
    a, b = (p.astype(float) / 255 for p in pictures)
    assert l1(*pictures) == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
    assert psnr(*pictures) == pytest.approx(-10 * np.log10(((a - b) ** 2).mean()), abs=1e-3)


def test_ssim_falls_with_noise_and_is_symmetric(pictures):
    assert 0.2 < ssim(*pictures) < 0.9
    assert ssim(*pictures) == pytest.approx(ssim(*pictures[::-1]), abs=1e-9)


def test_sharpness_falls_with_blur_and_rises_with_noise(pictures):
    import cv2

    picture, noisy = pictures
    box = np.array([[20.0, 20.0], [100.0, 100.0]])
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.5)
    assert sharpness(blurred, box) < sharpness(picture, box) < sharpness(noisy, box)


def test_exact_copy_is_perfect(moving):
    result = keypoint_stability(moving, moving, 25)
    assert (result.ksr, result.acceleration, result.displacement) == (1, 1, 1)
    assert jitter_ratio(moving, moving) == motion_ratio(moving, moving) == pytest.approx(1)
    assert akd(moving, moving).max() == 0


def test_frozen_face_is_steady_but_not_in_place(moving):
    frozen = np.repeat(moving[:1], len(moving), axis=0)
    result = keypoint_stability(moving, frozen, 25)
    assert result.acceleration == 1 and result.ksr == result.displacement < 0.6
    assert motion_ratio(moving, frozen) == 0


@pytest.mark.parametrize("sigma", [0.002, 0.005])
def test_white_noise_gives_the_closed_form(moving, sigma):
    noise = np.random.default_rng(1).normal(0, sigma * INTEROCULAR, moving.shape)
    size = np.median(np.linalg.norm(moving[:, 33] - moving[:, 263], axis=-1))
    # The second difference of white noise has six times its variance in x and in y: a Rayleigh distribution.
    expected = 1 - np.exp(-((0.02 * size) ** 2) / (12 * (sigma * INTEROCULAR) ** 2))
    assert keypoint_stability(moving, moving + noise, 25).acceleration == pytest.approx(expected, abs=0.02)


def test_a_constant_offset_is_forgiven_and_a_lag_is_seen_by_akd(moving):
    assert keypoint_stability(moving, moving + [5.0, -3.0], 25).ksr == 1
    assert np.allclose(akd(moving, moving + [3.0, 4.0]), 5)
    assert np.nanmean(akd(moving[2:], moving[:-2])) > 0.5


def test_half_amplitude_shows_in_the_motion_ratio(moving):
    half = moving.mean(0) + 0.5 * (moving - moving.mean(0))
    assert motion_ratio(moving, half) == pytest.approx(0.5, abs=1e-6)


def test_lost_faces_count_as_unstable_around_them(moving):
    lost = moving.copy()
    lost[30] = np.nan
    result = keypoint_stability(moving, lost, 25)
    assert result.ksr == pytest.approx(1 - 3 / (len(moving) - 2), abs=1e-9)


def test_another_frame_rate_is_resampled():
    def at(rate: float) -> np.ndarray:
        time = np.arange(0, 2, 1 / rate)
        faces = [placed(face(), centre=(128 + 10 * np.sin(3 * t), 128)) for t in time]
        return np.stack(faces)[:, :468, :2].astype(np.float64)

    for rate in (25, 30, 60):
        points = at(rate)
        trembling = points + np.random.default_rng(0).normal(0, 0.2, points.shape)
        assert 0.5 < keypoint_stability(points, trembling, rate).ksr <= 1


def test_too_short_is_an_error(moving):
    with pytest.raises(ValueError, match="at least 3 frames"):
        keypoint_stability(moving[:2], moving[:2], 25)
