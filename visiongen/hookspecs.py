"""The whole plugin contract, on one page.

A plugin is a module, named in the entry-point group ``visiongen`` of its package, that implements one or more of the
hooks below. A hook returns *offers* (`Component`) and does nothing else: it is called when components are listed, so
heavy imports and weights belong into `Component.load`, which is called when the component is chosen. After that,
ordinary typed Python runs: no hook is called per frame. Built-in components go through the same door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

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
    """Exporters only: the file name endings that choose it, e.g. (".mp4",); () for a folder."""
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


@hookspec
def visiongen_generators() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer generators; `Component.load` gives a `Generator`."""


@hookspec
def visiongen_enhancers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer enhancers; `Component.load` gives an `Enhancer`."""


@hookspec
def visiongen_exporters() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer exporters; `Component.load` gives an `Exporter`."""
