"""Three hooks that return other things than offers."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_generators():
    return Component(name="not-in-a-list", summary="", load=print)


@hookimpl
def visiongen_enhancers():
    pass


@hookimpl
def visiongen_exporters():
    return ["gif", Component(name="in-good-order", summary="", load=print)]
