"""Built-in metrics that compare one frame with one frame; a film's score is the mean over its frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from visiongen.hookspecs import Comparison, FramePair, MetricRun, Score
from visiongen.metrics import image

Of = Callable[[FramePair], float | None]


class MeanRun:
    """The mean of a value per frame; the source frame itself and frames without a value are left out."""

    def __init__(self, name: str, of: Of) -> None:
        self._name, self._of = name, of
        self._sum, self._count = 0.0, 0

    def add(self, pair: FramePair) -> float | None:
        """The value of this frame."""
        value = self._of(pair)
        if value is not None and not pair.is_source:
            self._sum += value
            self._count += 1
        return value

    def result(self) -> dict[str, float]:
        """The mean so far."""
        return {self._name: self._sum / self._count} if self._count else {}


class _TruthMetric:
    """One function of the two pictures, where the real one is the truth."""

    def __init__(self, score: Score, of: Callable[[np.ndarray, np.ndarray], float], least: int = 1) -> None:
        self.scores: Sequence[Score] = (score,)
        self._of, self._least = of, least

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives, or the pictures are too small."""
        if not comparison.same_person or min(comparison.portrait.shape[:2]) < self._least:
            return None
        return MeanRun(self.scores[0].name, lambda pair: self._of(pair.real, pair.generated))


def _score(name: str, title: str, better: Literal["higher", "lower", "one"], summary: str, **more) -> Score:
    return Score(name=name, title=title, better=better, summary=summary, **more)


class L1Metric(_TruthMetric):
    """See `visiongen.metrics.image.l1`."""

    def __init__(self) -> None:
        super().__init__(
            _score("l1", "L1", "lower", "Mean absolute difference of the pixels, 0 to 1.", digits=4), image.l1
        )


class PsnrMetric(_TruthMetric):
    """See `visiongen.metrics.image.psnr`."""

    def __init__(self) -> None:
        summary = "Peak signal-to-noise ratio, at most 60 dB."
        super().__init__(_score("psnr", "PSNR", "higher", summary, unit="dB", digits=1), image.psnr)


class SsimMetric(_TruthMetric):
    """See `visiongen.metrics.image.ssim`."""

    def __init__(self) -> None:
        summary = "Structural similarity (Wang 2004: gaussian, sigma 1.5, data range 255), 1 is equal."
        super().__init__(_score("ssim", "SSIM", "higher", summary), image.ssim, 11)


class MsSsimMetric(_TruthMetric):
    """See `visiongen.metrics.image.ms_ssim`."""

    def __init__(self) -> None:
        summary = "Structural similarity over five scales, 1 is equal."
        super().__init__(_score("ms_ssim", "MS-SSIM", "higher", summary), image.ms_ssim, 161)


class SharpnessMetric:
    """Fine detail in the face's box, generated over real: the root of the median over the frames of the ratio of the
    mean squared Laplacians (`visiongen.metrics.image.sharpness`). Range >= 0; below 1 is blur, which SSIM rewards."""

    scores = (
        _score(
            "sharpness", "sharpness", "one", "Fine detail in the face, generated over real; below 1 is blur.", digits=2
        ),
    )

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives."""
        return _SharpnessRun() if comparison.same_person else None


class _SharpnessRun:
    def __init__(self) -> None:
        self._ratios: list[float] = []

    def add(self, pair: FramePair) -> float | None:
        if pair.real_landmarks is None:
            return None
        real, generated = (image.sharpness(p, pair.real_landmarks[:468]) for p in (pair.real, pair.generated))
        self._ratios.append(generated / max(real, 1e-6))
        return float(np.sqrt(self._ratios[-1]))

    def result(self) -> dict[str, float]:
        return {"sharpness": float(np.sqrt(np.median(self._ratios)))} if self._ratios else {}


class FlowMetric:
    """tOF, see `visiongen.metrics.image.flow_error`."""

    scores = (_score("tof", "tOF", "lower", "Mean error of the optical flow from frame to frame.", unit="px"),)

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives."""
        return MeanRun("tof", _FlowOfPairs()) if comparison.same_person else None


class _FlowOfPairs:
    def __init__(self) -> None:
        self._before: FramePair | None = None

    def __call__(self, pair: FramePair) -> float | None:
        before, self._before = self._before, pair
        if before is None:
            return None
        real = image.optical_flow(before.real, pair.real)
        return image.flow_error(real, image.optical_flow(before.generated, pair.generated))


class DetectionMetric:
    """Of the frames in which the driver's face is found, the share in which the generated face is found too, [0, 1]."""

    scores = (
        _score("detection_rate", "detection rate", "higher", "Share of the driver's frames with a generated face too."),
    )

    def start(self, comparison: Comparison) -> MetricRun:
        """Always possible."""
        return MeanRun("detection_rate", _found)


def _found(pair: FramePair) -> float | None:
    return None if pair.real_landmarks is None else float(pair.generated_landmarks is not None)
