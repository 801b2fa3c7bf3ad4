"""Has the same entry-point key as its sibling."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_generators():
    return [Component(name="from-b", summary="", load=print)]
