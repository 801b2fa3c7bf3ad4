"""One hook raises after its first offer, the other is sound."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_generators():
    yield Component(name="before-the-fall", summary="", load=print)
    raise ZeroDivisionError("one over\nnothing")


@hookimpl
def visiongen_exporters():
    return [Component(name="sound", summary="", load=print)]
