"""One of two plugins of a distribution."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_generators():
    return [Component(name="two", summary="", load=print)]
