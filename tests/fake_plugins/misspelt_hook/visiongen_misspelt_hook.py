"""A hook that does not exist."""

from visiongen.hookspecs import hookimpl


@hookimpl
def visiongen_generator():
    return []
