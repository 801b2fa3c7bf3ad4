"""Several metrics at once on one film, frame by frame: the scores so far, and a curve of each."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import cv2
import numpy as np

from visiongen.errors import VisionGenError
from visiongen.guards import plugin_errors
from visiongen.hookspecs import Comparison, FramePair, Metric, MetricRun, Score
from visiongen.landmarks import FaceMesh

logger = logging.getLogger(__name__)

SIZE = 256
"""Longer side of the pictures that are compared, px: the size of published tables."""
_DETECTOR_SIDE = 512


class Scoreboard:
    """Compares a generated film with the film that drove it. Use in ``with``, or call `close`.

    See the docstring of `visiongen.metrics` for an example.
    """

    def __init__(
        self,
        portrait: np.ndarray,
        *,
        fps: float = 25.0,
        same_person: bool = True,
        metrics: Mapping[str, Metric] | None = None,
        size: int = SIZE,
        mesh: FaceMesh | None = None,
    ) -> None:
        """
        Args:
            portrait: (H, W, 3) uint8 RGB, the picture that was animated.
            fps: Frames a second of both films.
            same_person: The driving film is the truth (self-reenactment); its first frame is taken for the portrait and
                left out of means.
            metrics: Name -> loaded metric; default: `visiongen.metrics.quick_metrics`.
            size: Frames are compared at this many px. Self-reenactment brings them to a square, as is usual; else the
                longer side becomes this long.
            mesh: A detector to use; made and closed here by default.
        """
        from visiongen.metrics import quick_metrics

        self._own_mesh = mesh is None
        self._mesh = mesh or FaceMesh(max_faces=1)
        self._size, self._same_person = size, same_person
        portrait = self._resized(portrait)
        comparison = Comparison(
            fps=float(fps),
            portrait=portrait,
            portrait_landmarks=self._landmarks(portrait),
            same_person=same_person,
        )
        self.failures: dict[str, str] = {}
        """Metrics that failed and were left out from then on, with the reason: a plugin's fault costs only its own number."""
        self._runs: dict[str, tuple[Metric, MetricRun]] = {}
        for name, metric in (quick_metrics() if metrics is None else metrics).items():
            run = self._asked(name, metric.start, comparison)
            if run is not None:
                self._runs[name] = (metric, run)
        self.scores: dict[str, Score] = {
            score.name: score for metric, _ in self._runs.values() for score in metric.scores
        }
        """What the numbers mean, by name."""
        self.curves: dict[str, list[float | None]] = {metric.scores[0].name: [] for metric, _ in self._runs.values()}
        """Values of all frames so far, by the name of the metric's first score."""
        self.times: list[float] = []
        """Of those frames, s."""
        self._fps = float(fps)

    def add(
        self,
        real: np.ndarray,
        generated: np.ndarray,
        *,
        time: float | None = None,
        real_landmarks: np.ndarray | Literal["look"] | None = "look",
        generated_landmarks: np.ndarray | Literal["look"] | None = "look",
    ) -> dict[str, float | None]:
        """Takes the next frame of both films.

        Args:
            real: (H, W, 3) uint8 RGB, the driving frame.
            generated: (H', W', 3) uint8 RGB.
            time: s; default: by the frame rate.
            real_landmarks, generated_landmarks: (478, 3) px of the frames as they are given here, where they are known
                already (of the same detector, unsmoothed; None: no face is there); else they are looked for.
        Returns:
            The value of this frame by the name of each metric's first score; None where there is none. KSR looks one
            frame ahead: its value is that of the frame before.
        """
        small_real, small_generated = self._resized(real), self._resized(generated)
        pair = FramePair(
            time=len(self.times) / self._fps if time is None else float(time),
            generated=small_generated,
            real=small_real,
            generated_landmarks=self._given_or_found(generated, small_generated, generated_landmarks),
            real_landmarks=self._given_or_found(real, small_real, real_landmarks),
            is_source=self._same_person and not self.times,
        )
        return self.add_pair(pair)

    def add_pair(self, pair: FramePair) -> dict[str, float | None]:
        """As `add`, of a pair that has the right size and its landmarks already."""
        self.times.append(pair.time)
        now = {}
        for name, (metric, run) in self._runs.items():
            value = None if name in self.failures else self._asked(name, lambda: _number(run.add(pair)))  # noqa: B023
            now[metric.scores[0].name] = value
            self.curves[metric.scores[0].name].append(value)
        return now

    def result(self) -> dict[str, float]:
        """The scores of all frames so far, by name; those that cannot be told are left out."""
        found: dict[str, float] = {}
        for name, (_, run) in self._runs.items():
            if name not in self.failures:
                found |= self._asked(name, lambda: {key: _number(x) for key, x in run.result().items()}) or {}  # noqa: B023
        return {name: value for name, value in found.items() if value is not None}

    def statistics(self) -> dict[str, dict[str, np.ndarray]]:
        """Metric -> arrays, of those that also speak of many films together (`visiongen.hookspecs.SetMetric`)."""
        runs = {name: run for name, (_, run) in self._runs.items() if hasattr(run, "statistics")}
        found = {name: self._asked(name, run.statistics) for name, run in runs.items() if name not in self.failures}
        return {name: arrays for name, arrays in found.items() if arrays is not None}

    def _asked(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """What a metric's `call` gives; None where it fails, and the metric is left out from then on."""
        try:
            with plugin_errors(f"metric {name!r}", "failed and is left out"):
                return call(*arguments)
        except VisionGenError as error:
            self.failures[name] = str(error)
            logger.warning("%s", error)
            return None

    def _resized(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        scale = self._size / max(height, width)
        shape = (self._size, self._size) if self._same_person else (round(width * scale), round(height * scale))
        if (width, height) == shape:
            return picture
        return cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)

    def look(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The picture at the size of comparison, and its landmarks (478, 3) px there, None where it shows no face: to be
        given to the scoreboards of several films that one clip drives."""
        small = self._resized(picture)
        return small, self._landmarks(small)

    def _given_or_found(
        self, picture: np.ndarray, small: np.ndarray, known: np.ndarray | str | None
    ) -> np.ndarray | None:
        if isinstance(known, str):
            return self._landmarks(small)
        if known is None or np.isnan(known).any():
            return None
        x, y = small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0]
        return (known * [x, y, x]).astype(np.float32)

    def _landmarks(self, picture: np.ndarray) -> np.ndarray | None:
        """Of a picture at the size of comparison, enlarged for the detector."""
        enlarge = _DETECTOR_SIDE / max(picture.shape[:2])
        shape = (round(picture.shape[1] * enlarge), round(picture.shape[0] * enlarge))
        faces = self._mesh(cv2.resize(picture, shape, interpolation=cv2.INTER_CUBIC))
        return faces[0] / enlarge if len(faces) else None

    def close(self) -> None:
        """Frees the detector."""
        if self._own_mesh:
            self._mesh.close()

    def __enter__(self) -> Scoreboard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
