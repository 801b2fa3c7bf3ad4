"""Metrics of landmarks over time: how well, and how steadily, a generated face follows the real one.

Landmarks are (T, 468, 2) px of both films by the same detector, frame by frame, unsmoothed, NaN where no face was found.
For a film that grows there is `visiongen.metrics.stability.StabilityMeter`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import correlate1d

from visiongen.landmarks import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from visiongen.motion import parabola_kernel

ACCELERATION_LIMIT = 0.02
DISPLACEMENT_LIMIT = 0.04
"""Limits of KSR in inter-ocular distances, at 25 frames a second."""
KSR_RATE = 25.0
REGIONS: Mapping[str, tuple[int, ...]] = {
    "eyes": RIGHT_EYE + LEFT_EYE,
    "brows": RIGHT_BROW + LEFT_BROW,
    "mouth": INNER_LIPS + OUTER_LIPS,
    "contour": FACE_OVAL,
}
"""Parts of the face that KSR is also told of by themselves."""


def akd(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """Average keypoint distance per frame, (T,) px: mean over the landmarks of the Euclidean distance. Range >= 0, 0 is
    equal; NaN where either face is lost.

    Source: Siarohin et al., "Animating arbitrary objects via deep motion transfer", 2019, section 4.1, by its text.
    """
    return np.linalg.norm(real - generated, axis=-1).mean(-1)


def akd_coordinates(real: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """AKD as the code published with the papers computes it, (T,) px: the mean of |dx| and |dy| over the landmarks.
    About 0.6 to 0.7 of the Euclidean `akd`; to be used when comparing with published tables (which use 68 landmarks of
    another detector).

    Source: AliaksandrSiarohin/pose-evaluation, cmp_kp.py.
    """
    return np.abs(real - generated).mean((-2, -1))


def jitter_ratio(real: np.ndarray, generated: np.ndarray) -> float:
    """Sum of |second differences|, generated over real. Range >= 0: 1 is as lively as the real film, above is jitter."""
    return _ratio_of_steps(real, generated, 2)


def motion_ratio(real: np.ndarray, generated: np.ndarray) -> float:
    """Sum of |steps| from frame to frame, generated over real. Range >= 0: 0 is a frozen face, 1 moves as much as the
    real film. To be read beside KSR."""
    return _ratio_of_steps(real, generated, 1)


def _ratio_of_steps(real: np.ndarray, generated: np.ndarray, order: int) -> float:
    both = ~np.isnan(real[:, 0, 0]) & ~np.isnan(generated[:, 0, 0])

    def total(points: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(points[both], n=order, axis=0), axis=-1).sum())

    return total(generated) / max(total(real), 1e-9)


def acceleration(points: np.ndarray) -> np.ndarray:
    """Second differences x[t-1] - 2 x[t] + x[t+1], (T - 2, ...)."""
    return points[:-2] - 2 * points[1:-1] + points[2:]


def acceleration_error(real: np.ndarray, generated: np.ndarray, fps: float) -> float:
    """Mean Euclidean distance of the landmarks' second differences, px a frame squared, at 25 frames a second. Range
    >= 0, 0 is equal; frames without a face are left out with their neighbours; NaN where nothing is left.

    Source: Kanazawa et al., "Learning 3D human dynamics from video", 2019, section 4.1 (there in mm, of joints).
    """
    real, generated = at_25(real, fps), at_25(generated, fps)
    errors = np.linalg.norm(acceleration(generated) - acceleration(real), axis=-1).mean(-1)
    errors = errors[~np.isnan(errors)]
    return float(errors.mean()) if len(errors) else float("nan")


@dataclass(frozen=True)
class Stability:
    """KSR and its parts, each the share of landmark-frames in [0, 1]."""

    ksr: float
    acceleration: float
    """Those within the limit of acceleration: steady."""
    displacement: float
    """Those within the limit of displacement: in place."""
    regions: Mapping[str, float] = field(default_factory=dict)
    """KSR of the `REGIONS`."""


def keypoint_stability(real: np.ndarray, generated: np.ndarray, fps: float) -> Stability:
    """Keypoint stability ratio: the share of landmark-frames that are steady and in place. Range [0, 1], higher is better.

    With a the second difference over time, r = generated - real less its median over the film, and s the median
    inter-ocular distance of the real film: a landmark-frame counts where the face was found in three frames running,
    ``|a_generated - a_real| / s <= 0.02`` and ``|r| / s <= 0.04``. A frozen face fails the second, a trembling one the
    first; a film that hardly moves lets a frozen face pass, so look at `motion_ratio` too. A small lag, and a movement
    that is a little too small, cost little where a face moves slowly: look at `akd`.

    Source: our own definition, since none was published; it joins acceleration error (Kanazawa et al. 2019, HMMR) and
    PCK.

    Args:
        real, generated: (T, 468, 2) px. Another person's are brought to the size of the generated face first, see
            `scaled_to`.
        fps: Of both; other rates than 25 are resampled in time.
    Raises:
        ValueError: Fewer than three frames.
    """
    size = inter_ocular(real)
    real, generated = at_25(real, fps), at_25(generated, fps)
    if len(real) < 3:
        raise ValueError(f"KSR needs at least 3 frames at 25 a second, but got {len(real)}")
    rest = generated - real
    rest = rest - _median(rest)
    known = ~np.isnan(real[:, 0, 0])
    use = known[:-2] & known[1:-1] & known[2:]
    with np.errstate(invalid="ignore"):  # a face missing in the generated film is NaN, and NaN is not within a limit
        steady = np.linalg.norm(acceleration(generated) - acceleration(real), axis=-1) / size <= ACCELERATION_LIMIT
        placed = np.linalg.norm(rest, axis=-1)[1:-1] / size <= DISPLACEMENT_LIMIT
    steady, placed = steady[use], placed[use]
    if not len(steady):
        return Stability(float("nan"), float("nan"), float("nan"))
    good = steady & placed
    regions = {name: float(good[:, list(points)].mean()) for name, points in REGIONS.items()}
    return Stability(float(good.mean()), float(steady.mean()), float(placed.mean()), regions)


def inter_ocular(points: np.ndarray) -> float:
    """Median distance of the outer eye corners over a film (T, 468, 2), px; NaN where no face was found at all."""
    distances = np.linalg.norm(points[:, 33] - points[:, 263], axis=-1)
    distances = distances[~np.isnan(distances)]
    return float(np.median(distances)) if len(distances) else float("nan")


def scaled_to(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """`real`, another person's landmarks, brought to the size of the generated face: the median inter-ocular distances
    become equal. For `keypoint_stability` and the ratios when somebody else drives."""
    return real * (inter_ocular(generated) / inter_ocular(real))


def _median(rest: np.ndarray) -> np.ndarray:
    """Median over time of what is known, (N, 2); NaN without a warning where nothing is."""
    known = rest[~np.isnan(rest[:, 0, 0])]
    return np.median(known, axis=0) if len(known) else np.full(rest.shape[1:], np.nan)


def at_25(points: np.ndarray, fps: float) -> np.ndarray:
    """Landmarks at 25 frames a second, interpolated in time; within half a frame a second of it they stay as they are."""
    if abs(fps - KSR_RATE) < 0.5 or len(points) < 2:
        return points
    at = np.arange(0, (len(points) - 1) / fps + 1e-9, 1 / KSR_RATE) * fps
    before = np.minimum(at.astype(int), len(points) - 2)
    share = (at - before)[:, None, None]
    return points[before] * (1 - share) + points[before + 1] * share


def own_steadiness(generated: np.ndarray, fps: float) -> float:
    """KSR-free: the share of landmark-frames in [0, 1] whose acceleration is within the limit of KSR of that of the same
    landmarks after a zero-phase low-pass. Needs no driving film, and says nothing of whether the face follows anything:
    a frozen face has 1. Never to be mixed with KSR.

    The low-pass is a Savitzky-Golay filter, seven frames at 25 a second, cubic: it keeps blinks and nods.

    Raises:
        ValueError: Fewer than seven frames.
    """
    size = inter_ocular(generated)
    points = at_25(generated, fps)
    if len(points) < 7:
        raise ValueError(f"KSR-free needs at least 7 frames at 25 a second, but got {len(points)}")
    smoothed = correlate1d(points, parabola_kernel(7), axis=0, mode="mirror")  # of a cubic it is the same
    with np.errstate(invalid="ignore"):
        steady = np.linalg.norm(acceleration(points - smoothed), axis=-1) / size <= ACCELERATION_LIMIT
    return float(steady.mean())
