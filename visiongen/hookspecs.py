"""The whole plugin contract, on one page.

A plugin is a module, named in the entry-point group ``visiongen`` of its package, that implements one or more of the
hooks below. A hook returns *offers* (`Component`) and does nothing else: it is called when components are listed, so
heavy imports and weights belong into `Component.load`, which is called when the component is chosen. After that,
ordinary typed Python runs: no hook is called per frame. Built-in components go through the same door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pluggy

from visiongen.datatypes import DrivingClip, FrameBatch, MotionTrack, Portrait, Provenance

hookspec = pluggy.HookspecMarker("visiongen")
hookimpl = pluggy.HookimplMarker("visiongen")


@dataclass(frozen=True)
class NoOptions:
    """For components without settings."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """An offer: something that can be chosen by its name."""

    name: str
    """User-facing and unique in its kind: lower case, digits, dashes."""
    summary: str
    """One line for listings."""
    load: Callable[..., Any]
    """``load(options, *, device)`` makes the component; the only place that may read weights or touch a device.
    `options` is an instance of the class below, `device` "cpu" or "cuda"."""
    options: type = NoOptions
    """A frozen dataclass, every field with a default, a docstring (unit and range) and a plain type (bool, int, float,
    str, Literal, or Optional of these). Its fields become command-line flags and studio widgets. A range is given by
    ``field(default=..., metadata={"range": (low, high), "step": ...})`` and is checked before `load` is called."""
    needs: Literal["motion", "pixels"] = "motion"
    """Generators only: "pixels" where the driving frames themselves are read (`MotionTrack.clip`)."""
    suffixes: tuple[str, ...] = ()
    """The file name endings that choose it, e.g. (".mp4",). Exporters: those it writes; () for a folder. Motion sources:
    those it reads; () where it is chosen by name only."""
    writes: Literal["frames", "motion"] = "frames"
    """Exporters only: "motion" where the moving face itself is written, not a film of it. Then `load` gives a
    `MotionExporter`, and no frame is rendered."""
    plugin: str = field(default="", compare=False)
    """Who offers it; filled in by the host."""


@runtime_checkable
class Generator(Protocol):
    """Moves a portrait."""

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """Frames of `portrait.crop`, moved: one per motion time, of the crop's size, as an iterator that holds only a
        few frames at a time and may be closed early.

        Args:
            portrait: The face; its crop is what comes back moved.
            motion: Already retargeted: in the picture coordinates of `portrait.image`
                (`visiongen.motion.place` gives the target landmarks in px).
        Raises:
            UnsupportedMotionError: `motion` lacks something (a clip, for a generator with ``needs="pixels"``).
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class InnerMap:
    """A picture of what goes on inside a generator for one frame, for those who want to understand a result."""

    name: str
    """What it is called on screen, such as "Occlusion"."""
    text: str
    """One sentence: what it shows."""
    kind: Literal["picture", "share", "motion"]
    values: np.ndarray
    """Over the portrait's crop, at any resolution: a picture (h, w, 3) uint8 RGB; a share (h, w) float32 from 0 to 1; a
    motion (h, w, 2) float32, from a pixel of the frame to where it comes from, x and y in sides of the crop."""


@runtime_checkable
class ExplainingGenerator(Generator, Protocol):
    """A generator that can show its work. Optional: the studio asks where the method is there."""

    def explain(self, portrait: Portrait, motion: MotionTrack, frame: int) -> list[InnerMap]:
        """What goes on inside for one frame of what `render` would give for the same portrait and motion."""
        ...


@runtime_checkable
class FrameGenerator(Generator, Protocol):
    """A generator whose frames depend on the whole motion, as where a portrait is registered with the clip. Optional: the
    studio's preview asks where the method is there, and renders a piece of one frame elsewhere."""

    def render_frame(self, portrait: Portrait, motion: MotionTrack, frame: int) -> FrameBatch:
        """The one frame of what `render` would give for the same portrait and motion."""
        ...


@runtime_checkable
class Enhancer(Protocol):
    """Improves generated frames."""

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """The same number of frames at the same times and of the same size. Iterator to iterator, so that state over
        time needs no framework; at most a few frames may be held back."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """Writes frames."""

    def export(
        self,
        batches: Iterable[FrameBatch],
        path: Path,
        *,
        fps: Fraction,
        sound: DrivingClip | None,
        provenance: Provenance,
    ) -> int:
        """Writes all frames to `path` and returns their number. The file appears under its name only when it is
        whole: write beside it and rename, and remove what was begun when anything is raised (also KeyboardInterrupt
        and GeneratorExit). `sound`: take the sound of this clip between its start and end, where the format has any.

        Raises:
            MediaError: It cannot be written (full disk, folder missing or not writeable, codec missing).
        """
        ...


@runtime_checkable
class MotionExporter(Protocol):
    """Writes a moving face as it is, without rendering it: a 3D model, curves. Offered with ``writes="motion"``."""

    def export_motion(
        self,
        portrait: Portrait,
        motion: MotionTrack,
        path: Path,
        *,
        fps: Fraction,
        provenance: Provenance,
    ) -> int:
        """Writes `motion`, already fitted to `portrait` (as `Generator.render` gets it), to `path` and returns the
        number of its frames. The file appears under its name only when it is whole, as with `Exporter.export`.

        Raises:
            MediaError: It cannot be written.
        """
        ...


@runtime_checkable
class MotionSource(Protocol):
    """Reads what drives: turns a file into head pose and expression over time."""

    def extract(
        self,
        path: Path,
        *,
        start: float,
        end: float | None,
        progress: Callable[[int, int | None], None] | None,
    ) -> MotionTrack:
        """The motion between `start` and `end` (s; None: to the end); its times count from 0 at `start`.

        Args:
            path: The user's file.
            start, end: The piece that is asked for.
            progress: To be called now and then with (frames done, frames expected or None); it may raise to stop.
        Raises:
            MediaError: The file cannot be read, is of another kind, or has nothing between `start` and `end`.
            NoFaceError: It shows no face.
        """
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """What a metric is told before the first frame."""

    fps: float
    """Frames a second of both films."""
    portrait: np.ndarray
    """(H, W, 3) uint8 RGB, the picture that was animated, of the size of the generated frames."""
    portrait_landmarks: np.ndarray | None = None
    """(478, 3) float32 px of `portrait`; None where no face was found."""
    same_person: bool = True
    """The real frames are the truth, which the generated ones should equal (self-reenactment); False: somebody else
    drives, so pictures cannot be compared pixel by pixel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FramePair:
    """One moment of both films. Landmarks come from the same detector, every frame by itself, unsmoothed."""

    time: float
    """s."""
    generated: np.ndarray
    """(H, W, 3) uint8 RGB."""
    real: np.ndarray
    """(H', W', 3) uint8 RGB, the driving frame; of the size of `generated` where `same_person`."""
    generated_landmarks: np.ndarray | None = None
    """(478, 3) float32 px of `generated`; None where no face was found."""
    real_landmarks: np.ndarray | None = None
    """(478, 3) float32 px of `real`; None where no face was found."""
    is_source: bool = False
    """`real` is the very picture that was animated: left out of means, which it would flatter."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one number of a metric means; for tables and charts."""

    name: str
    """Its key in results, unique among all metrics: lower case, digits, underscores."""
    title: str
    """As tables and charts show it, e.g. "SSIM"."""
    better: Literal["higher", "lower", "one", "none"]
    """Which values are better; "one": it is a ratio to the real film."""
    unit: str = ""
    """e.g. "px", "dB", "degrees"; "" for pure numbers."""
    digits: int = 3
    """Digits after the point that mean something."""
    summary: str = ""
    """One sentence for whoever sees the number."""


class MetricRun(Protocol):
    """A metric at work on one film."""

    def add(self, pair: FramePair) -> float | None:
        """Takes the next frame and gives its value, for a chart that grows; None where there is none (no face, or a
        metric that only speaks of whole films). A metric that looks ahead may speak of a frame just before."""
        ...

    def result(self) -> dict[str, float]:
        """The scores of all frames so far, by `Score.name`; those that cannot be told are left out."""
        ...


@runtime_checkable
class Metric(Protocol):
    """Compares a generated film with the one that drove it, a frame at a time."""

    @property
    def scores(self) -> Sequence[Score]:
        """All that results may hold; the first is also what `MetricRun.add` gives."""
        ...

    def start(self, comparison: Comparison) -> MetricRun | None:
        """Begins with a film; None where this metric has nothing to say about such a comparison. Called for several
        films at once, from several threads."""
        ...


@runtime_checkable
class SetMetric(Protocol):
    """A `Metric` that also speaks of many films together, like the Frechet distance. Its runs have, besides `add` and
    `result`, a method ``statistics() -> dict[str, np.ndarray]``, whose arrays are kept with the film's scores."""

    def over_all(self, statistics: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
        """Scores of the whole set, from the statistics of its films."""
        ...


@hookspec
def visiongen_generators() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer generators; `Component.load` gives a `Generator`."""


@hookspec
def visiongen_enhancers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer enhancers; `Component.load` gives an `Enhancer`."""


@hookspec
def visiongen_exporters() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer exporters; `Component.load` gives an `Exporter`, or a `MotionExporter` with ``writes="motion"``."""


@hookspec
def visiongen_metrics() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer metrics; `Component.load` gives a `Metric`."""


@hookspec
def visiongen_motion_sources() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer motion sources; `Component.load` gives a `MotionSource`."""
