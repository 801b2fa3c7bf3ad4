"""Its entry point names a class, not the module."""

from visiongen.hookspecs import hookimpl


class Plugin:
    @hookimpl
    def visiongen_generators(self):
        return []
