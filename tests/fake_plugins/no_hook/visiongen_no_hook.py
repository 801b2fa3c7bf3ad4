"""A hook without its marker."""


def visiongen_generators():
    return []
