"""A hook that asks for an argument that no one gives."""

from visiongen.hookspecs import hookimpl


@hookimpl
def visiongen_generators(device):
    return []
