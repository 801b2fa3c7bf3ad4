"""Metrics of one frame against the real one: (H, W, 3) uint8 RGB pictures of equal size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_WINDOW = 11
"""Side of SSIM's gaussian window, px."""
_SIGMA = 1.5
_GREY = np.float32(127.5)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@dataclass(frozen=True)
class ImageScores:
    """How near one frame is to the real one."""

    l1: float
    """[0, 1], 0 is equal."""
    psnr: float
    """dB, at most 60."""
    ssim: float
    """At most 1, which is equal."""


def image_scores(real: np.ndarray, generated: np.ndarray) -> ImageScores:
    """L1, PSNR and SSIM of one frame."""
    return ImageScores(l1(real, generated), psnr(real, generated), ssim(real, generated))


def _check(real: np.ndarray, generated: np.ndarray) -> None:
    if real.shape != generated.shape or real.ndim != 3:
        raise ValueError(f"the pictures must both be (H, W, 3), but are {real.shape} and {generated.shape}")


def l1(real: np.ndarray, generated: np.ndarray) -> float:
    """Mean absolute difference, mean |g - r| / 255. Range [0, 1], 0 is equal. What FOMM prints as reconstruction loss.

    Source: Siarohin et al., "First order motion model for image animation", 2019, section 4.
    """
    _check(real, generated)
    return float(cv2.absdiff(real, generated).mean() / 255)


def psnr(real: np.ndarray, generated: np.ndarray, *, most: float = 60.0) -> float:
    """Peak signal-to-noise ratio, 10 log10(255^2 / MSE). Range [0, `most`] dB, higher is better; `most` for equal
    pictures, whose ratio is infinite."""
    _check(real, generated)
    error = np.mean((real.astype(np.float32) - generated.astype(np.float32)) ** 2) / 255**2
    return float(min(most, -10 * np.log10(max(error, 1e-12))))


def ssim(real: np.ndarray, generated: np.ndarray) -> float:
    """Structural similarity (Wang): gaussian window of 11 px, sigma 1.5, data range 255, the mean over R, G, B and all
    places where the window fits. Range [-1, 1], 1 is equal.

    (2 m_r m_g + C1)(2 s_rg + C2) / ((m_r^2 + m_g^2 + C1)(s_r^2 + s_g^2 + C2)), C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13.

    Raises:
        ValueError: The pictures differ in size or are smaller than the window.
    """
    _check(real, generated)
    similarity, _ = _similarities(real.astype(np.float32), generated.astype(np.float32))
    return float(similarity.mean())


def ms_ssim(real: np.ndarray, generated: np.ndarray) -> float:
    """SSIM over five scales, each half as large as the one before: the product of the contrast-structure terms of the
    first four and the SSIM of the last, each to the power of its weight. Per channel, then the mean. Range [0, 1].

    Source: Wang, Simoncelli & Bovik, "Multiscale structural similarity for image quality assessment", 2003, eq. 7.

    Raises:
        ValueError: The pictures differ in size, or a side is shorter than 161 px: five scales do not fit.
    """
    _check(real, generated)
    least = (_WINDOW - 1) * 2 ** (len(_SCALE_WEIGHTS) - 1) + 1
    if min(real.shape[:2]) < least:
        raise ValueError(f"MS-SSIM needs pictures of at least {least} px a side, but got {real.shape[:2]}")
    a, b = real.astype(np.float32), generated.astype(np.float32)
    product = np.ones(3)
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        similarity, contrast = _similarities(a, b)
        last = scale == len(_SCALE_WEIGHTS) - 1
        product *= np.maximum(similarity if last else contrast, 0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return float(product.mean())


def _similarities(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure term, (3,), of float32 pictures."""
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {_WINDOW} px a side, but got {a.shape[:2]}")
    kernel = cv2.getGaussianKernel(_WINDOW, _SIGMA, cv2.CV_32F)
    edge = _WINDOW // 2

    def local_mean(x: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(x, cv2.CV_32F, kernel, kernel)[edge:-edge, edge:-edge]

    # Squares are taken about the middle grey: so float32, four times as fast, leaves five digits.
    a, b = a - _GREY, b - _GREY
    mean_a, mean_b = local_mean(a), local_mean(b)
    variances = local_mean(a * a + b * b) - mean_a**2 - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    mean_a, mean_b = mean_a + _GREY, mean_b + _GREY
    squares = mean_a**2 + mean_b**2
    contrast = (2 * covariance + _C2) / (variances + _C2)
    similarity = (2 * mean_a * mean_b + _C1) / (squares + _C1) * contrast
    return similarity.mean((0, 1), dtype=np.float64), contrast.mean((0, 1), dtype=np.float64)


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; beyond an odd border lie zeros, as in the implementations this is compared with."""
    height, width = x.shape[:2]
    if height % 2 or width % 2:
        x = np.pad(x, ((height % 2, 0), (width % 2, 0), (0, 0)))
    rows, columns = x.shape[0] // 2, x.shape[1] // 2
    return x[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, -1).mean((1, 3))


def sharpness(picture: np.ndarray, landmarks: np.ndarray, *, margin: int = 8) -> float:
    """Mean squared Laplacian of the luminance in the face's box: falls with blur, rises with noise. Range >= 0, grey
    values squared.

    Args:
        picture: (H, W, 3) uint8.
        landmarks: (N, 2+) px.
        margin: Added round the box, px.
    """
    height, width = picture.shape[:2]
    low = np.clip(landmarks[:, :2].min(0) - margin, 0, [width - 2, height - 2]).astype(int)
    high = np.clip(landmarks[:, :2].max(0) + margin, 2, [width, height]).astype(int)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    return float((cv2.Laplacian(grey, cv2.CV_32F) ** 2).mean())


def optical_flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W, 2) px from one frame to the next. Source: Farneback 2003, with the parameters of TecoGAN's metrics."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (before, after)]
    return cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def flow_error(real: np.ndarray, generated: np.ndarray) -> float:
    """tOF of one step: mean Euclidean distance of the real and the generated optical flow (H, W, 2). Range >= 0, px a
    frame; 0: everything moves alike.

    Source: Chu et al., "Learning temporal coherence via self-supervision for GAN-based video generation", 2020, eq. 4.
    """
    return float(np.linalg.norm(generated - real, axis=-1).mean())
