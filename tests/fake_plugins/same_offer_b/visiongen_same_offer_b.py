"""Offers the same name as its sibling."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_generators():
    return [Component(name="twin", summary="of b", load=print)]
