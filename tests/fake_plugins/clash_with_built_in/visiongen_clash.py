"""Offers a name that a built-in has."""

from visiongen.hookspecs import Component, hookimpl


@hookimpl
def visiongen_enhancers():
    return [Component(name="sharpen", summary="of another make", load=print)]
