"""KSR and its companions for a film that grows: one frame at a time, for live charts."""

from __future__ import annotations

import numpy as np

from visiongen.metrics import motion
from visiongen.metrics.motion import ACCELERATION_LIMIT, DISPLACEMENT_LIMIT, KSR_RATE, Stability

_POINTS = 468


class StabilityMeter:
    """Keypoint stability, one frame at a time.

        meter = StabilityMeter(fps=25)
        for real, generated in landmark_pairs:      # (478, 3) px each, or None where no face was found
            share = meter.add(real, generated)      # of the frame before: KSR needs to look one frame ahead
        meter.result().ksr

    Memory: 7.5 kB a frame. Where somebody else drives (``same_person=False``), the driving landmarks are brought to the
    size of the generated face, so what is measured is whether the portrait moves, from its own resting place, as steadily
    as the driver.
    """

    def __init__(self, *, fps: float = KSR_RATE, same_person: bool = True) -> None:
        self.fps = float(fps)
        self.same_person = same_person
        self._pairs: list[np.ndarray] = []
        self._recent: list[np.ndarray] = []  # the last frames at 25 a second
        self._told = 0  # frames at 25 a second so far
        self._resting: np.ndarray | None = None
        self._resting_of = 0
        self._scale = self._size = float("nan")

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, real: np.ndarray | None, generated: np.ndarray | None) -> float | None:
        """Takes the next frame's landmarks, (N >= 468, 2 or 3) px, None where no face was found.

        Returns:
            The share of stable landmarks, [0, 1], in the newest frame of which it can be told, by the medians so far
            (`result` takes those of the whole film); None where the real face is not known or nothing can be told yet.
        """
        self.remember(real, generated)
        value = None
        for pair in self._new_at_25():
            self._recent = [*self._recent[-2:], pair]
            if len(self._recent) == 3:
                value = self._share()
        return value

    def remember(self, real: np.ndarray | None, generated: np.ndarray | None) -> None:
        """Takes the next frame's landmarks without telling anything of them: for whoever wants the tracks only."""
        self._pairs.append(np.stack([_flat(real), _flat(generated)]))

    def last(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Real and generated landmarks of the newest frames, (count, 468, 2) px each."""
        pairs = np.array(self._pairs[-count:])
        return pairs[:, 0], pairs[:, 1]

    def _new_at_25(self) -> list[np.ndarray]:
        """What has become known at 25 frames a second with the newest frame."""
        if abs(self.fps - KSR_RATE) < 0.5:
            return [self._pairs[-1]]
        found, newest = [], len(self._pairs) - 1
        while (at := self._told / KSR_RATE * self.fps) <= newest + 1e-6:
            before = min(int(at), max(newest - 1, 0))
            share = at - before
            after = self._pairs[min(before + 1, newest)]
            found.append(self._pairs[before] * (1 - share) + after * share if share else self._pairs[before])
            self._told += 1
        return found

    def _share(self) -> float | None:
        self._refresh_medians()
        real, generated = (np.stack([pair[side] for pair in self._recent]) for side in (0, 1))
        if np.isnan(real[:, 0, 0]).any() or not self._size > 0:
            return None
        real = real * self._scale
        rest = generated[1] - real[1] - self._resting
        with np.errstate(invalid="ignore"):
            steady = (
                np.linalg.norm(motion.acceleration(generated - real)[0], axis=-1) <= ACCELERATION_LIMIT * self._size
            )
            placed = np.linalg.norm(rest, axis=-1) <= DISPLACEMENT_LIMIT * self._size
        return float((steady & placed).mean())

    def _refresh_medians(self) -> None:
        """Medians so far; renewed when the film has grown by an eighth, so that long films stay quick."""
        if self._resting is not None and len(self._pairs) < 1.125 * self._resting_of:
            return
        real, generated = self.tracks
        known = ~np.isnan(real[:, 0, 0]) & ~np.isnan(generated[:, 0, 0])
        if not known.any():
            return
        self._resting_of = len(self._pairs)
        self._size = motion.inter_ocular(real)
        self._scale = 1.0 if self.same_person else motion.inter_ocular(generated) / self._size
        self._size *= self._scale
        self._resting = np.median((generated - self._scale * real)[known], axis=0)

    @property
    def tracks(self) -> tuple[np.ndarray, np.ndarray]:
        """Real and generated landmarks so far, (T, 468, 2) px each, NaN where no face was found; as they were given."""
        pairs = np.array(self._pairs, np.float32).reshape(-1, 2, _POINTS, 2)
        return pairs[:, 0], pairs[:, 1]

    @property
    def comparable_tracks(self) -> tuple[np.ndarray, np.ndarray]:
        """The same, the real ones at the size of the generated face where somebody else drives; float64."""
        real, generated = (track.astype(np.float64) for track in self.tracks)
        return (real if self.same_person else motion.scaled_to(generated, real)), generated

    def result(self) -> Stability | None:
        """KSR of all frames so far, see `visiongen.metrics.motion.keypoint_stability`; None where it cannot be told (too
        few frames, no face)."""
        try:
            found = motion.keypoint_stability(*self.comparable_tracks, self.fps)
        except ValueError:
            return None
        return None if np.isnan(found.ksr) else found


def _flat(points: np.ndarray | None) -> np.ndarray:
    if points is None:
        return np.full((_POINTS, 2), np.nan, np.float32)
    return np.asarray(points, np.float32)[:_POINTS, :2]
