"""Offers of the right type that cannot be used."""

from dataclasses import dataclass, field

from visiongen.hookspecs import Component, hookimpl


@dataclass
class Thawed:
    speed: float = 1.0


@dataclass(frozen=True)
class Needy:
    speed: float


@dataclass(frozen=True)
class Listy:
    speeds: list = field(default_factory=list)


@dataclass(frozen=True)
class OutOfRange:
    speed: float = field(default=3.0, metadata={"range": (0.0, 1.0)})


@hookimpl
def visiongen_generators():
    yield Component(name="Upper Case", summary="", load=print)
    yield Component(name="no-load", summary="", load=None)
    yield Component(name="thawed", summary="", load=print, options=Thawed)
    yield Component(name="needy", summary="", load=print, options=Needy)
    yield Component(name="listy", summary="", load=print, options=Listy)
    yield Component(name="out-of-range", summary="", load=print, options=OutOfRange)
    yield Component(name="no-options", summary="", load=print, options=dict)


@hookimpl
def visiongen_exporters():
    yield Component(name="one-suffix", summary="", load=print, suffixes=".gif")
