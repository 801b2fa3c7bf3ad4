"""One film: a portrait moved like a clip, written to a file, with the time that every stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import media, plugins
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait, Provenance
from visiongen.evaluation.inputs import CEILING, COPY, Job
from visiongen.faces import PasteBack
from visiongen.hookspecs import Generator
from visiongen.pipeline import extract_motion, fit_motion, prepare_portrait, render
from visiongen.pose import euler_angles
from visiongen.retarget import MotionSettings

_TOGETHER = 8
"""Frames over which the time of landmarks is taken."""


@dataclass
class Stopwatch:
    """Milliseconds a frame, stage by stage, as a series."""

    series: dict[str, list[float]] = field(default_factory=dict)

    def note(self, stage: str, seconds: float, frames: int = 1) -> None:
        """`seconds` for `frames` frames."""
        self.series.setdefault(stage, []).extend([1000 * seconds / frames] * frames)

    def timed(self, stage: str, batches: Iterator[FrameBatch]) -> Iterator[FrameBatch]:
        """`batches`; what asking for each took is noted."""
        while True:
            begun = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self.note(stage, time.perf_counter() - begun, len(batch))
            yield batch


class Drive:
    """A job's clip and portrait, each looked at when first needed."""

    def __init__(self, job: Job, *, frames: int, portrait_size: int) -> None:
        """
        Raises:
            MediaError: The clip cannot be read.
        """
        self.job, self.portrait_size = job, portrait_size
        longest = job.start + frames / float(media.probe(job.clip).fps)
        self.end = longest if job.end is None else min(job.end, longest)
        self.watch = Stopwatch()
        """Of the stages that all methods share."""

    @cached_property
    def clip(self) -> Any:
        """The piece of the clip, probed."""
        return media.probe(self.job.clip, start=self.job.start, end=self.end)

    @cached_property
    def motion(self) -> MotionTrack:
        """The clip's motion."""
        last = time.perf_counter()

        def progress(stage: str, done: int, total: int | None) -> None:
            nonlocal last
            if done % _TOGETHER == 0:  # several are in flight and come in bursts
                now = time.perf_counter()
                if done > _TOGETHER:  # the first waits for the detector to load
                    self.watch.note("landmarks", now - last, _TOGETHER)
                last = now

        return extract_motion(self.job.clip, start=self.job.start, end=self.end, progress=progress)

    @cached_property
    def picture(self) -> np.ndarray:
        """(H, W, 3): what is animated."""
        if self.job.is_self:
            return next(media.read_frames(self.clip, batch_size=1)).pixels[0]
        return prepare_portrait(self.job.portrait, size=self.portrait_size).image

    @cached_property
    def fitted(self) -> tuple[Portrait, MotionTrack]:
        """Portrait and motion, fitted: absolute where the clip is the truth, relative otherwise."""
        begun = time.perf_counter()
        settings = MotionSettings(mode="absolute" if self.job.is_self else "relative")
        found = fit_motion(prepare_portrait(self.picture), self.motion, settings)
        self.watch.note("portrait and motion", time.perf_counter() - begun)
        return found

    def film(self, method: str, load: Callable[[str], Generator], path: Path) -> dict[str, Any]:
        """Writes the film of a method and tells how fast that was.

        Args:
            method: A generator, or `COPY`, or `CEILING`.
            load: Gives the generator of a name.
            path: Where to, ends in .mp4.
        Returns:
            "frames", "seconds" (whole, without landmarks), "ms" (stage -> p50, p95 and mean, milliseconds a frame) and
            "first" (ms until the first batch of frames, with the portrait's encoding).
        """
        watch = Stopwatch()
        path.unlink(missing_ok=True)
        if method != CEILING:
            _ = self.motion if method == COPY else self.fitted  # shared by all methods, so not part of their time
        exporter = plugins.load(plugins.choose("exporter", "mp4"))
        begun = time.perf_counter()
        frames = _Counted(self._frames(method, load, watch))
        provenance = Provenance(software="VisionGen 3D", settings={"generator": method, "evaluation": True})
        begun_export = time.perf_counter()
        exporter.export(frames, path, fps=self.clip.fps, sound=None, provenance=provenance)
        written = time.perf_counter()
        watch.note("encode", max(0.0, written - begun_export - frames.seconds), max(frames.count, 1))
        stages = self.watch.series | watch.series
        return {
            "frames": frames.count,
            "seconds": written - begun,
            "first": frames.first,
            "ms": {stage: _spread(values) for stage, values in stages.items()},
        }

    def _frames(self, method: str, load: Callable[[str], Generator], watch: Stopwatch) -> Iterator[FrameBatch]:
        if method == CEILING:
            yield from watch.timed("read", media.read_frames(self.clip, batch_size=4))
        elif method == COPY:
            for moment in self.motion.times:
                yield FrameBatch(pixels=self.picture[None], times=[moment])
        else:
            portrait, motion = self.fitted
            paste = PasteBack(portrait)
            for batch in watch.timed("generate", render(portrait, motion, generator=load(method), full=False)):
                begun = time.perf_counter()
                pixels = np.stack([paste(frame) for frame in batch.pixels])
                watch.note("paste", time.perf_counter() - begun, len(batch))
                yield FrameBatch(pixels=pixels, times=batch.times)


class _Counted:
    """An iterator of batches that knows how long it was asked, and for how many frames."""

    def __init__(self, batches: Iterator[FrameBatch]) -> None:
        self._batches = batches
        self.seconds, self.count, self.first = 0.0, 0, 0.0

    def __iter__(self) -> Iterator[FrameBatch]:
        return self

    def __next__(self) -> FrameBatch:
        begun = time.perf_counter()
        try:
            batch = next(self._batches)
        finally:
            self.seconds += time.perf_counter() - begun
        self.first = self.first or 1000 * self.seconds
        self.count += len(batch)
        return batch


def _spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and mean; the first batch, which also prepares things, is left out where there are more."""
    steady = values[4:] if len(values) > 8 else values
    return {"p50": float(np.median(steady)), "p95": float(np.quantile(steady, 0.95)), "mean": float(np.mean(steady))}


def motion_class(motion: MotionTrack) -> str:
    """What a clip mostly does, by the movement from its first frame (the one that is animated)."""
    yaw = np.abs(np.rad2deg(euler_angles(motion.rotation)[:, 0] - euler_angles(motion.rotation[:1])[0, 0]))
    shift = np.linalg.norm((motion.translation - motion.translation[0])[:, :2], axis=1)
    gap = np.abs(motion.offsets[:, 14, 1] - motion.offsets[:, 13, 1])
    if np.quantile(yaw, 0.9) > 15:
        return "head turns"
    if np.quantile(shift, 0.9) > 0.3:
        return "large translation"
    if np.quantile(gap, 0.9) - gap[0] > 0.12:
        return "mouth wide open"
    return "calm"
