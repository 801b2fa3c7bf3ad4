"""Metrics of one frame against the real one."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.metrics import structural_similarity


def l1(real: np.ndarray, generated: np.ndarray) -> float:
    """Mean absolute difference of two (H, W, 3) uint8 pictures on the scale [0, 1]; 0 is equal."""
    return float(cv2.absdiff(real, generated).mean() / 255)


def psnr(real: np.ndarray, generated: np.ndarray, *, most: float = 60.0) -> float:
    """Peak signal-to-noise ratio, dB, at most `most` (equal pictures): 10 log10(255^2 / MSE)."""
    error = np.mean((real.astype(np.float32) - generated.astype(np.float32)) ** 2) / 255**2
    return float(min(most, -10 * np.log10(max(error, 1e-12))))


def ssim(real: np.ndarray, generated: np.ndarray) -> float:
    """Structural similarity, at most 1: gaussian window, sigma 1.5, data range 255, mean of R, G and B.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13.
    """
    return float(
        structural_similarity(
            real,
            generated,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def sharpness(picture: np.ndarray, landmarks: np.ndarray, *, margin: int = 8) -> float:
    """Mean squared Laplacian of the luminance in the face's box: falls with blur, rises with noise.

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
