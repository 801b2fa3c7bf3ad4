"""Built-in metrics of landmarks: distances per frame, and stability over time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from visiongen.hookspecs import Comparison, FramePair, MetricRun, Score
from visiongen.metrics import motion
from visiongen.metrics.motion import REGIONS
from visiongen.metrics.per_frame import MeanRun
from visiongen.metrics.stability import StabilityMeter
from visiongen.pose import face_model, fit_head


class AkdMetric:
    """See `visiongen.metrics.motion.akd` and `akd_coordinates`."""

    scores = (
        Score(
            name="akd", title="AKD", better="lower", unit="px", digits=2,
            summary="Mean distance of the 468 face landmarks to the real ones.",
        ),
        Score(
            name="akd_coordinates", title="AKD (coordinate mean)", better="lower", unit="px", digits=2,
            summary="The same as published code computes it: mean of |dx| and |dy|, about 0.65 of AKD.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives."""
        return _AkdRun() if comparison.same_person else None


class _AkdRun:
    def __init__(self) -> None:
        self._distance = MeanRun("akd", lambda pair: _distance(pair, motion.akd))
        self._coordinates = MeanRun("akd_coordinates", lambda pair: _distance(pair, motion.akd_coordinates))

    def add(self, pair: FramePair) -> float | None:
        self._coordinates.add(pair)
        return self._distance.add(pair)

    def result(self) -> dict[str, float]:
        return self._distance.result() | self._coordinates.result()


def _distance(pair: FramePair, of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float | None:
    if pair.real_landmarks is None or pair.generated_landmarks is None:
        return None
    real, generated = (x[None, :468, :2].astype(np.float64) for x in (pair.real_landmarks, pair.generated_landmarks))
    return float(of(real, generated)[0])


class KsrMetric:
    """See `visiongen.metrics.motion.keypoint_stability`."""

    scores = (
        Score(
            name="ksr", title="KSR", better="higher", summary="Share of landmark-frames that are steady and in place."
        ),
        Score(name="ksr_acceleration", title="KSR, steady", better="higher", summary="Share that does not tremble."),
        Score(
            name="ksr_displacement", title="KSR, in place", better="higher", summary="Share that follows the driver."
        ),
        *(
            Score(name=f"ksr_{region}", title=f"KSR, {region}", better="higher", summary=f"KSR of the {region} alone.")
            for region in REGIONS
        ),
    )

    def start(self, comparison: Comparison) -> MetricRun:
        """Always possible; another driver's landmarks are brought to the size of the generated face."""
        return _KsrRun(StabilityMeter(fps=comparison.fps, same_person=comparison.same_person))


class _KsrRun:
    def __init__(self, meter: StabilityMeter) -> None:
        self._meter = meter

    def add(self, pair: FramePair) -> float | None:
        return self._meter.add(pair.real_landmarks, pair.generated_landmarks)

    def result(self) -> dict[str, float]:
        found = self._meter.result()
        if found is None:
            return {}
        parts = {"ksr": found.ksr, "ksr_acceleration": found.acceleration, "ksr_displacement": found.displacement}
        return parts | {f"ksr_{region}": value for region, value in found.regions.items()}


class MotionMetric:
    """See `visiongen.metrics.motion.acceleration_error`, `motion_ratio` and `jitter_ratio`."""

    scores = (
        Score(
            name="acceleration_error", title="acceleration error", better="lower", unit="px", digits=2,
            summary="Mean difference of the landmarks' second differences, at 25 frames a second.",
        ),
        Score(
            name="motion_ratio", title="motion ratio", better="one", digits=2,
            summary="Movement, generated over real; 0 is a frozen face.",
        ),
        Score(
            name="jitter_ratio", title="jitter ratio", better="one", digits=2,
            summary="Second differences, generated over real; above 1 the generated face trembles more.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun:
        """Always possible; another driver's landmarks are brought to the size of the generated face."""
        return _MotionRun(StabilityMeter(fps=comparison.fps, same_person=comparison.same_person))


class _MotionRun:
    def __init__(self, meter: StabilityMeter) -> None:
        self._meter = meter

    def add(self, pair: FramePair) -> float | None:
        """Acceleration error of the frame before, at the film's own rate; None where somebody else drives."""
        self._meter.remember(pair.real_landmarks, pair.generated_landmarks)
        if not self._meter.same_person or len(self._meter) < 3:
            return None
        real, generated = self._meter.last(3)
        error = float(np.linalg.norm(motion.acceleration(generated - real)[0], axis=-1).mean())
        return None if math.isnan(error) else error

    def result(self) -> dict[str, float]:
        real, generated = self._meter.comparable_tracks
        if len(real) < 3 or np.isnan(real + generated).any((1, 2)).all():
            return {}
        found = {
            "acceleration_error": motion.acceleration_error(real, generated, self._meter.fps),
            "motion_ratio": motion.motion_ratio(real, generated),
            "jitter_ratio": motion.jitter_ratio(real, generated),
        }
        return {name: value for name, value in found.items() if not math.isnan(value)}


class SteadinessMetric:
    """See `visiongen.metrics.motion.own_steadiness`."""

    scores = (
        Score(
            name="ksr_free", title="KSR-free", better="higher",
            summary="Share of landmark-frames that do not tremble, judged without the driver; 1 for a frozen face too.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun:
        """Always possible."""
        return _SteadinessRun(comparison.fps)


class _SteadinessRun:
    def __init__(self, fps: float) -> None:
        self._meter = StabilityMeter(fps=fps)

    def add(self, pair: FramePair) -> float | None:
        """The value of about the last half second, once there is that much."""
        self._meter.remember(None, pair.generated_landmarks)
        window = max(7, math.ceil(0.5 * self._meter.fps))
        return self._of(self._meter.last(window)[1]) if len(self._meter) >= window else None

    def _of(self, generated: np.ndarray) -> float | None:
        try:
            value = motion.own_steadiness(generated.astype(np.float64), self._meter.fps)
        except ValueError:
            return None
        return None if np.isnan(generated).all() else value

    def result(self) -> dict[str, float]:
        value = self._of(self._meter.tracks[1])
        return {} if value is None else {"ksr_free": value}


class PoseMetric:
    """Head pose distance, APD: the angle of the rotation between the generated and the real head pose, mean over frames,
    degrees, range [0, 180]: arccos((trace(G R^T) - 1) / 2). Poses are fitted to the landmarks (`visiongen.pose`).

    Source: average pose distance of LivePortrait-era papers, here as one angle (Huynh, "Metrics for 3D rotations", 2009,
    eq. 23).
    """

    scores = (
        Score(
            name="apd",
            title="APD",
            better="lower",
            unit="degrees",
            digits=2,
            summary="Mean angle between the head poses.",
        ),
    )

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives: the portrait may keep a pose of its own."""
        return MeanRun("apd", _HeadDistance(_turn)) if comparison.same_person else None


class RelativePoseMetric:
    """APD of the turns since the first frame that shows both faces, where somebody else drives; otherwise as
    `PoseMetric`. Does not depend on which driving frame was taken for reference, as long as the gain of the pose is 1."""

    scores = (
        Score(
            name="apd_relative", title="APD (relative)", better="lower", unit="degrees", digits=2,
            summary="Mean angle between the turns of the heads since the first frame.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None in self-reenactment, where `PoseMetric` says more."""
        return None if comparison.same_person else MeanRun("apd_relative", _HeadDistance(_turn, relative=True))


class ExpressionMetric:
    """Expression distance: mean distance of the landmarks in the head frame (head pose and size taken out), percent of a
    face width, range >= 0.

    Source: our own; the idea is AED of LivePortrait-era papers, with landmarks in place of 3DMM coefficients.
    """

    scores = (
        Score(
            name="expression", title="expression distance", better="lower", unit="% of face width", digits=2,
            summary="Mean distance of the landmarks with the head pose taken out.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives: faces differ."""
        return MeanRun("expression", _HeadDistance(_deformation)) if comparison.same_person else None


class RelativeExpressionMetric:
    """Expression distance of the landmarks' movements since the first frame that shows both faces, where somebody else
    drives; otherwise as `ExpressionMetric`."""

    scores = (
        Score(
            name="expression_relative", title="expression distance (relative)", better="lower", unit="% of face width",
            digits=2, summary="Mean distance of the landmarks' movements since the first frame, head pose taken out.",
        ),
    )  # fmt: skip

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None in self-reenactment, where `ExpressionMetric` says more."""
        if comparison.same_person:
            return None
        return MeanRun("expression_relative", _HeadDistance(_deformation, relative=True))


Head = tuple[np.ndarray, np.ndarray]
"""Rotation (3, 3), and offsets from the rest face (468, 3), face widths."""


class _HeadDistance:
    """Distance of two heads, directly or of what has changed since the first frame that shows both."""

    def __init__(self, distance: Callable[[Head, Head], float], relative: bool = False) -> None:
        self._distance, self._relative = distance, relative
        self._first: tuple[Head, ...] | None = None

    def __call__(self, pair: FramePair) -> float | None:
        if pair.real_landmarks is None or pair.generated_landmarks is None:
            return None
        heads = tuple(_head(points) for points in (pair.real_landmarks, pair.generated_landmarks))
        if self._relative:
            if self._first is None:
                self._first = heads
                return None
            heads = tuple(
                (rotation @ first[0].T, shape - first[1]) for (rotation, shape), first in zip(heads, self._first)
            )
        return self._distance(*heads)


def _head(points: np.ndarray) -> Head:
    """Of landmarks (478, 3), px."""
    points = points.astype(np.float64)
    rotation, translation, scale = (value[0] for value in fit_head(points[None]))
    return rotation, ((points - translation) @ rotation / scale - face_model().points)[:468]


def _turn(real: Head, generated: Head) -> float:
    cosine = (np.trace(generated[0] @ real[0].T) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def _deformation(real: Head, generated: Head) -> float:
    return float(100 * np.linalg.norm(generated[1] - real[1], axis=-1).mean())
