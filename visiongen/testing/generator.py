"""The rules of a generator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from visiongen.datatypes import MotionTrack, Portrait
from visiongen.errors import UnsupportedMotionError
from visiongen.hookspecs import Component, Generator
from visiongen.testing.inputs import sample_job
from visiongen.testing.rules import alternating, broken, component_of, frames_of, keeps, loaded, refuses, same_frames

_LONG, _MOST_HELD = 200, 64
"""Of a motion with so many frames, no more may come at once."""


def assert_generator_contract(
    component: Component | str, *, options: Any = None, device: str = "cpu", size: int = 160
) -> None:
    """A generator keeps all rules; raises `BrokenContract` otherwise.

    Args:
        component: Its name, or the component as it is offered.
        options: Instead of its defaults.
        device: "cpu" or "cuda".
        size: Of the sample picture, px.
    """
    component = component_of("generator", component)
    generator, who = loaded("generator", component, options, device)
    portrait, motion = sample_job(5, size)
    wanted = _frames(generator, who, "one frame of the crop's size for every time", portrait, motion)
    again = _frames(generator, who, "it can be used again", portrait, motion)
    same_frames(who, "the same input gives the same frames", again, wanted, within=1)
    _keeps_renderings_apart(generator, who, portrait, motion, wanted)
    _frames(generator, who, "a motion of one frame is rendered", portrait, _first(motion, 1))
    other, moved = sample_job(3, size - 37)
    _frames(generator, who, "a portrait of another size is rendered", other, moved)
    _comes_in_pieces(generator, who, portrait, motion)
    _says_what_it_needs(component, generator, who, portrait, motion)


def _frames(generator: Generator, who: str, rule: str, portrait: Portrait, motion: MotionTrack) -> np.ndarray:
    return frames_of(
        lambda: generator.render(portrait, motion), who, rule, shape=portrait.crop.shape, times=motion.times
    )


def _first(motion: MotionTrack, count: int) -> MotionTrack:
    from visiongen.motion import piece

    return piece(motion, slice(0, count))


def _keeps_renderings_apart(
    generator: Generator, who: str, portrait: Portrait, motion: MotionTrack, wanted: np.ndarray
) -> None:
    rule = "two renderings at once do not disturb each other"
    with keeps(who, rule):
        mirrored = replace(portrait, crop=portrait.crop[:, ::-1])
        got, _ = alternating(iter(generator.render(portrait, motion)), iter(generator.render(mirrored, motion)))
    same_frames(who, rule, got, wanted, within=1)


def _comes_in_pieces(generator: Generator, who: str, portrait: Portrait, motion: MotionTrack) -> None:
    rule = f"at most {_MOST_HELD} frames are held, and it may be closed early"
    frames = np.arange(_LONG) % len(motion)
    with keeps(who, rule):
        from visiongen.motion import piece

        long = replace(piece(motion, frames), times=np.arange(_LONG) / 25)
        batches = generator.render(portrait, replace(long, clip=motion.clip))
        if not hasattr(batches, "__next__"):
            raise broken(who, rule, f"render gave a {type(batches).__name__}, not an iterator")
        first = next(batches)
        if len(first) > _MOST_HELD:
            raise broken(who, rule, f"the first of {_LONG} frames came with {len(first) - 1} others")
        if close := getattr(batches, "close", None):
            close()


def _says_what_it_needs(
    component: Component, generator: Generator, who: str, portrait: Portrait, motion: MotionTrack
) -> None:
    bare = replace(_first(motion, 2), clip=None)
    if component.needs == "motion":
        _frames(generator, who, 'with needs="motion", a motion without a clip is enough', portrait, bare)
        return
    with refuses(who, 'with needs="pixels", a motion without a clip is refused', UnsupportedMotionError):
        for _ in generator.render(portrait, bare):
            pass
