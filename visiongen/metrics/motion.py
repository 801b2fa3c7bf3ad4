"""Metrics of landmarks over time: how well, and how steadily, a generated face follows the real one.

Landmarks are (T, 468, 2) px of both clips by the same detector, frame by frame, unsmoothed, NaN where no face was found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ACCELERATION_LIMIT = 0.02
DISPLACEMENT_LIMIT = 0.04
"""Limits of KSR in inter-ocular distances, at 25 frames a second."""
KSR_RATE = 25.0


def akd(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Average keypoint distance per frame, (T,) px: mean Euclidean distance of the landmarks; NaN where either is lost."""
    return np.linalg.norm(real - generated, axis=-1).mean(-1)


def jitter_ratio(real: np.ndarray, generated: np.ndarray) -> float:
    """Sum of second differences, generated over real: 1 is as lively as the real clip, above is jitter."""
    return _ratio_of_steps(real, generated, 2)


def motion_ratio(real: np.ndarray, generated: np.ndarray) -> float:
    """Sum of steps from frame to frame, generated over real: 0 is a frozen face. To be read beside KSR."""
    return _ratio_of_steps(real, generated, 1)


def _ratio_of_steps(real: np.ndarray, generated: np.ndarray, order: int) -> float:
    both = ~np.isnan(real[:, 0, 0]) & ~np.isnan(generated[:, 0, 0])

    def total(points: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(points[both], n=order, axis=0), axis=-1).sum())

    return total(generated) / max(total(real), 1e-9)


@dataclass(frozen=True)
class Stability:
    """KSR and its two parts, in [0, 1]."""

    ksr: float
    acceleration: float
    displacement: float


def keypoint_stability(real: np.ndarray, generated: np.ndarray, fps: float) -> Stability:
    """Keypoint stability ratio: the share of landmark-frames that are steady and in place.

    With a the second difference over time, r = generated - real less its median over the clip, and s the median
    inter-ocular distance of the real clip: a landmark-frame counts where the face was found in three frames running,
    ``|a_generated - a_real| / s <= 0.02`` and ``|r| / s <= 0.04``. A frozen face fails the second, a trembling one the
    first; a clip that hardly moves lets a frozen face pass, so look at `motion_ratio` too.

    Source: our own definition, since none was published; it joins acceleration error (Kanazawa et al. 2019, HMMR) and
    PCK.

    Args:
        real, generated: (T, 468, 2) px.
        fps: Of both; other rates than 25 are resampled in time.
    Raises:
        ValueError: Fewer than three frames.
    """
    size = np.nanmedian(np.linalg.norm(real[:, 33] - real[:, 263], axis=-1))
    real, generated = _at_25(real, fps), _at_25(generated, fps)
    if len(real) < 3:
        raise ValueError(f"KSR needs at least 3 frames at 25 a second, but got {len(real)}")

    def acceleration(x: np.ndarray) -> np.ndarray:
        return x[:-2] - 2 * x[1:-1] + x[2:]

    rest = generated - real
    rest = rest - np.nanmedian(rest, axis=0)
    known = ~np.isnan(real[:, 0, 0])
    use = known[:-2] & known[1:-1] & known[2:]
    with np.errstate(invalid="ignore"):  # a face missing in the generated clip is NaN, and NaN is not within a limit
        steady = np.linalg.norm(acceleration(generated) - acceleration(real), axis=-1) / size <= ACCELERATION_LIMIT
        placed = np.linalg.norm(rest, axis=-1)[1:-1] / size <= DISPLACEMENT_LIMIT
    steady, placed = steady[use], placed[use]
    return Stability(float((steady & placed).mean()), float(steady.mean()), float(placed.mean()))


def _at_25(points: np.ndarray, fps: float) -> np.ndarray:
    if abs(fps - KSR_RATE) < 0.5:
        return points
    at = np.arange(0, (len(points) - 1) / fps + 1e-9, 1 / KSR_RATE) * fps
    before = np.minimum(at.astype(int), len(points) - 2)
    share = (at - before)[:, None, None]
    return points[before] * (1 - share) + points[before + 1] * share
