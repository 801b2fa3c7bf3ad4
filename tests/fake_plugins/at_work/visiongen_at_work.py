"""Loads without a fault, and goes wrong while it works; one component per way."""

import os
import sys
from pathlib import Path

import numpy as np

from visiongen.datatypes import FrameBatch
from visiongen.hookspecs import Component, Score, hookimpl


def still(portrait, motion):
    for time in motion.times:
        yield FrameBatch(pixels=portrait.crop[None], times=[time])


def crashes(portrait, motion):
    yield from list(still(portrait, motion))[:2]
    raise RuntimeError("out of luck")


def crashes_at_once(portrait, motion):
    raise KeyError("nothing")


def exits(portrait, motion):
    yield from list(still(portrait, motion))[:1]
    sys.exit("good bye")


def too_few(portrait, motion):
    yield from list(still(portrait, motion))[:-1]


def too_many(portrait, motion):
    yield from still(portrait, motion)
    while True:
        yield FrameBatch(pixels=portrait.crop[None], times=[0.0])


def none_at_all(portrait, motion):
    return iter(())


def small(portrait, motion):
    for batch in still(portrait, motion):
        yield FrameBatch(pixels=batch.pixels[:, ::2], times=batch.times)


def flat(portrait, motion):
    for time in motion.times:
        yield FrameBatch(pixels=portrait.crop, times=[time])


def arrays(portrait, motion):
    for batch in still(portrait, motion):
        yield batch.pixels


def no_iterator(portrait, motion):
    return 7


def late(portrait, motion):
    for batch in still(portrait, motion):
        yield FrameBatch(pixels=batch.pixels, times=batch.times + 1)


def hangs(portrait, motion):
    yield from list(still(portrait, motion))[:1]
    Path(os.environ["AT_WORK_HANGS"]).touch()
    while True:
        pass


class Generator:
    def __init__(self, render):
        self.render = render


class Doubling:
    def enhance(self, batches, portrait):
        for batch in batches:
            yield batch
            yield batch


class Dividing:
    def enhance(self, batches, portrait):
        for batch in batches:
            yield FrameBatch(pixels=batch.pixels // np.int64(1), times=batch.times / 1)
            raise ZeroDivisionError("one over nothing")


class Liar:
    def export(self, batches, path, *, fps, sound, provenance):
        return sum(map(len, batches))


class Silent:
    def export(self, batches, path, *, fps, sound, provenance):
        path.write_bytes(b"".join(batch.pixels.tobytes() for batch in batches))


class Lazy:
    def export(self, batches, path, *, fps, sound, provenance):
        path.write_bytes(next(iter(batches)).pixels.tobytes())
        return 1


class Crashing:
    def export(self, batches, path, *, fps, sound, provenance):
        list(batches)
        raise IndexError("list index out of range")


class Source:
    def __init__(self, made):
        self.made = made

    def extract(self, path, *, start, end, progress):
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


class Number:
    """A metric that gives what it is told to, or raises it."""

    def __init__(self, name, *, begin=True, value=1.0, result=None, together=None):
        self.scores = (Score(name=name.replace("-", "_"), title=name, better="none"),)
        self._begin, self._value, self._result, self._together = begin, value, result, together
        self._left = 4

    def start(self, comparison):
        return replace_error(self._begin) and Number(
            self.scores[0].name, value=self._value, result=self._result, together=self._together
        )

    def add(self, pair):
        self._left -= 1
        return replace_error(self._value) if self._left < 0 else 1.0

    def result(self):
        return {self.scores[0].name: 1.0} if self._result is None else replace_error(self._result)

    def statistics(self):
        return {"x": np.ones(2)}

    def over_all(self, statistics):
        return {} if self._together is None else replace_error(self._together)


def replace_error(value):
    if isinstance(value, BaseException):
        raise value
    return value


@hookimpl
def visiongen_metrics():
    for name, how in {
        "no-start": {"begin": LookupError("no model")},
        "no-add": {"value": ZeroDivisionError("one over nothing")},
        "says-text": {"value": "very good"},
        "says-list": {"result": [1, 2]},
        "quits": {"result": SystemExit("good bye")},
        "not-together": {"together": MemoryError("too many")},
    }.items():
        yield Component(name=name, summary="", load=lambda options, *, device, n=name, how=how: Number(n, **how))


@hookimpl
def visiongen_generators():
    for render in (
        crashes, crashes_at_once, exits, too_few, too_many, none_at_all, small, flat, arrays, no_iterator, late, hangs
    ):  # fmt: skip
        name = render.__name__.replace("_", "-")
        yield Component(name=name, summary="", load=lambda options, *, device, render=render: Generator(render))


@hookimpl
def visiongen_enhancers():
    for made in (Doubling(), Dividing()):
        name = type(made).__name__.lower()
        yield Component(name=name, summary="", load=lambda options, *, device, made=made: made)


@hookimpl
def visiongen_exporters():
    for made in (Liar(), Silent(), Lazy(), Crashing()):
        name = type(made).__name__.lower()
        yield Component(name=name, summary="", load=lambda options, *, device, made=made: made, suffixes=(f".{name}",))


@hookimpl
def visiongen_motion_sources():
    for name, made in (("not-a-motion", {}), ("raising", ValueError("no idea"))):
        yield Component(
            name=name, summary="", load=lambda options, *, device, made=made: Source(made), suffixes=(f".{name}",)
        )
