"""A plugin without faults: one component of each kind."""

from dataclasses import dataclass, field
from typing import Literal

from visiongen.datatypes import FrameBatch
from visiongen.hookspecs import Component, hookimpl


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
