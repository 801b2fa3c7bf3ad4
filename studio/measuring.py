"""Metrics that grow while a render runs: the scoreboard of `visiongen.metrics`, in a thread beside the generator."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from typing import Any

import numpy as np

from studio.settings import Settings
from visiongen import FrameBatch
from visiongen.errors import VisionGenError
from visiongen.landmarks import FaceMesh, nearest_face
from visiongen.media import probe, read_frames
from visiongen.metrics import Scoreboard

_HELD = 3
"""So many batches wait to be measured before the generator has to wait."""
_NAMES = {"ksr": "ksr_frame", "ksr_free": "stability", "acceleration_error": "acceleration"}
"""Scores of `Scoreboard` that are called otherwise in a run's series."""
_LOOKS_AHEAD = ("ksr_frame", "acceleration")
"""Series whose value, told with a frame, is that of the frame before."""


class Measuring:
    """Measures the frames of a result as they pass. Use in ``with``; what fails here costs the metrics alone."""

    def __init__(
        self,
        settings: Settings,
        portrait: np.ndarray,
        fps: Fraction,
        tell: Callable[..., None],
        *,
        targets: np.ndarray,
        driving: np.ndarray,
    ) -> None:
        """
        Args:
            settings: Of the render.
            portrait: (H, W, 3) the still picture, as it is in the result.
            fps: Of the result.
            tell: Called with ("series", values=...).
            targets: (T, 478, 3) px of the result, where the landmarks shall be: of several faces this one is measured.
            driving: (T, 478, 3) px of the driving clip, NaN where no face was seen.
        """
        self._settings, self._portrait, self._fps, self._tell = settings, portrait, fps, tell
        self._targets, self._driving = targets, driving
        self._batches: queue.Queue[FrameBatch | None] = queue.Queue(_HELD)
        self._ended, self._broken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="measuring", daemon=True)
        self._found: list[np.ndarray] = []
        self._series: dict[str, list[float]] = {}
        self._summary: dict[str, float] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> Measuring:
        self._thread.start()
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self._broken.set()
        self._put(None)
        self._thread.join()

    def add(self, batch: FrameBatch) -> None:
        """The next frames of the result."""
        self._put(batch)

    def _put(self, batch: FrameBatch | None) -> None:
        while not self._ended.is_set():
            with suppress(queue.Full):
                self._batches.put(batch, timeout=0.2)
                return

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            with FaceMesh() as mesh, self._scoreboard(mesh) as board, closing(self._driving_frames()) as real:
                while (batch := self._batches.get()) is not None and not self._broken.is_set():
                    values: dict[str, list[float | None]] = {}
                    for pixels in batch.pixels:
                        for name, value in self._measure(pixels, next(real), mesh, board).items():
                            values.setdefault(name, []).append(value)
                    self._tell("series", values=values)
                self._summary = {_NAMES.get(n, n) if n != "ksr" else n: v for n, v in board.result().items()}
        except Exception as error:
            text = str(error) if isinstance(error, VisionGenError) else f"{type(error).__name__}: {error}"
            self.warnings.append(f"the result was not measured to its end: {text}")
        finally:
            self._ended.set()

    def _scoreboard(self, mesh: FaceMesh) -> Scoreboard:
        same = self._settings.self_reenactment and not self._settings.is_template
        return Scoreboard(self._portrait, fps=float(self._fps), same_person=same, mesh=mesh)

    def _driving_frames(self) -> Iterator[np.ndarray]:
        """Pictures of the driving clip where they are compared, else an empty one."""
        if self._settings.self_reenactment and not self._settings.is_template:
            clip = probe(self._settings.driving, start=self._settings.start, end=self._settings.end)
            with closing(read_frames(clip, batch_size=4)) as batches:
                for batch in batches:
                    yield from batch.pixels
        while True:
            yield np.zeros_like(self._portrait)

    def _measure(
        self, pixels: np.ndarray, real: np.ndarray, mesh: FaceMesh, board: Scoreboard
    ) -> dict[str, float | None]:
        number = len(self._found)
        face = nearest_face(mesh(pixels), self._targets[min(number, len(self._targets) - 1)])
        face = np.full((478, 3), np.nan, np.float32) if face is None else face
        self._found.append(face)
        driving = self._driving[min(number, len(self._driving) - 1)]
        scores = board.add(real, pixels, real_landmarks=driving, generated_landmarks=face)
        values = {_NAMES.get(name, name): value for name, value in scores.items()}
        for name, value in values.items():
            self._series.setdefault(name, []).append(math.nan if value is None else value)
        if "ksr_frame" in values:
            values["ksr"] = self._running("ksr_frame")
            self._series.setdefault("ksr", []).append(math.nan if values["ksr"] is None else values["ksr"])
        return values

    def _running(self, name: str) -> float | None:
        """Mean of a series so far."""
        known = [value for value in self._series[name] if not math.isnan(value)]
        return sum(known) / len(known) if known else None

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def landmarks(self, length: int) -> np.ndarray:
        """(T, 478, 3) px found in the result, NaN where no face was."""
        found = np.full((length, 478, 3), np.nan, np.float32)
        count = min(length, len(self._found))
        if count:
            found[:count] = np.stack(self._found[:count])
        return found

    def series(self, length: int) -> dict[str, np.ndarray]:
        """Metric -> (T,) float32, NaN where unknown; metrics that never say anything are left out."""
        series = {}
        for name, values in self._series.items():
            array = np.full(length, np.nan, np.float32)
            shift = 1 if name in _LOOKS_AHEAD else 0
            told = values[shift : length + shift]
            array[: len(told)] = told
            if not np.isnan(array).all():
                series[name] = array
        return series

    def summary(self) -> dict[str, float]:
        """Metric -> its value over the whole film."""
        return {name: round(float(value), 6) for name, value in self._summary.items() if math.isfinite(value)}
