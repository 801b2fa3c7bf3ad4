"""A plugin without faults: one component of each kind."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from visiongen.datatypes import FrameBatch, MotionTrack
from visiongen.hookspecs import Component, Score, hookimpl


@dataclass(frozen=True, kw_only=True)
class StillOptions:
    pace: float = field(default=1.0, metadata={"range": (0.5, 2.0), "step": 0.1})
    """How fast nothing happens, 0.5 to 2."""
    repeats: int = field(default=1, metadata={"range": (1, None)})
    mode: Literal["calm", "calmer"] = "calm"
    """How calm."""
    title: str | None = None


class Still:
    def __init__(self, options):
        self.options = options

    def render(self, portrait, motion):
        for time in motion.times:
            yield FrameBatch(pixels=portrait.crop[None], times=[time])


class Same:
    def enhance(self, batches, portrait):
        yield from batches


class Count:
    def export(self, batches, path, *, fps, sound, provenance):
        number = sum(map(len, batches))
        path.write_text(str(number))
        return number


class Length:
    scores = (Score(name="length", title="Length", better="none", unit="frames"),)

    def start(self, comparison):
        return LengthRun()


class LengthRun:
    frames = 0

    def add(self, pair):
        self.frames += 1

    def result(self):
        return {"length": float(self.frames)}


class Rest:
    def extract(self, path, *, start, end, progress):
        return MotionTrack(
            rotation=np.eye(3)[None],
            translation=np.zeros((1, 3)),
            scale=np.ones(1),
            offsets=np.zeros((1, 478, 3)),
            visible=[True],
            times=[0.0],
            face_width=8.0,
            height=16,
            width=16,
        )


def fail(options, *, device):
    raise OSError("the disk is gone")


@hookimpl
def visiongen_generators():
    yield Component(
        name="still", summary="Does not move", load=lambda options, *, device: Still(options), options=StillOptions
    )
    yield Component(name="broken", summary="Fails when loaded", load=fail)
    yield Component(name="classy", summary="Gives a class", load=lambda options, *, device: Still)
    yield Component(name="other-kind", summary="Gives an enhancer", load=lambda options, *, device: Same())


@hookimpl
def visiongen_enhancers():
    return [Component(name="same", summary="Does nothing", load=lambda options, *, device: Same())]


@hookimpl
def visiongen_exporters():
    def load(options, *, device):
        return Count()

    return (
        Component(name="count", summary="Counts", load=load, suffixes=(".count", ".count.txt")),
        Component(name="plain", summary="Counts too", load=load, suffixes=(".txt",)),
        Component(name="heap", summary="Fills a folder", load=load),
    )


@hookimpl
def visiongen_metrics():
    yield Component(name="length", summary="Counts frames", load=lambda options, *, device: Length())


@hookimpl
def visiongen_motion_sources():
    yield Component(
        name="rest", summary="A face at rest", load=lambda options, *, device: Rest(), suffixes=(".rest", ".deep.rest")
    )
