"""The rules of an enhancer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from visiongen.datatypes import FrameBatch, Portrait
from visiongen.hookspecs import Component, Enhancer
from visiongen.testing.inputs import sample_batches, sample_portrait
from visiongen.testing.rules import alternating, broken, component_of, frames_of, keeps, loaded, refuses, same_frames

_MOST_HELD = 16
"""Frames that may be held back."""


class _Broken(RuntimeError):
    """An error of whoever makes the frames."""


class _Watched:
    """Batches that know how many of their frames were taken."""

    def __init__(self, batches: Iterable[FrameBatch]) -> None:
        self.taken = 0
        self.batches = self._run(batches)

    def _run(self, batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
        for batch in batches:
            self.taken += len(batch)
            yield batch


def assert_enhancer_contract(component: Component | str, *, options: Any = None, device: str = "cpu") -> None:
    """An enhancer keeps all rules; raises `BrokenContract` otherwise.

    Args:
        component: Its name, or the component as it is offered.
        options: Instead of its defaults.
        device: "cpu" or "cuda".
    """
    component = component_of("enhancer", component)
    enhancer, who = loaded("enhancer", component, options, device)
    portrait, batches = sample_portrait(), sample_batches(8)
    wanted = _frames(enhancer, who, "as many frames, at the same times and of the same size", batches, portrait)
    rule = "the result does not depend on how frames are batched"
    for size in (1, 8):
        got = _frames(enhancer, who, rule, sample_batches(8, batch_size=size), portrait)
        same_frames(who, rule, got, wanted, within=1)
    rule = "two streams at once do not disturb each other"
    with keeps(who, rule):
        backward = [FrameBatch(pixels=b.pixels[:, :, ::-1], times=b.times) for b in sample_batches(8)]
        first, second = (iter(enhancer.enhance(iter(one), portrait)) for one in (batches, backward))
        got, _ = alternating(first, second)
    same_frames(who, rule, got, wanted, within=1)
    _frames(enhancer, who, "frames of odd size are taken", sample_batches(3, height=75, width=101), portrait)
    _frames(enhancer, who, "a single frame is taken", sample_batches(1), portrait)
    _frames(enhancer, who, "no frames give no frames", [], portrait)
    _streams(enhancer, who, portrait)
    _passes_errors_on(enhancer, who, portrait)


def _frames(enhancer: Enhancer, who: str, rule: str, batches: list[FrameBatch], portrait: Portrait) -> np.ndarray:
    times = np.concatenate([batch.times for batch in batches]) if batches else np.zeros(0)
    shape = batches[0].pixels.shape[1:] if batches else (1, 1, 3)
    return frames_of(lambda: enhancer.enhance(iter(batches), portrait), who, rule, shape=shape, times=times)


def _streams(enhancer: Enhancer, who: str, portrait: Portrait) -> None:
    rule = f"it goes from iterator to iterator and holds at most {_MOST_HELD} frames back"
    source = _Watched(sample_batches(40, batch_size=1))
    with keeps(who, rule):
        got, results = 0, enhancer.enhance(source.batches, portrait)
        if not hasattr(results, "__next__"):
            raise broken(who, rule, f"enhance gave a {type(results).__name__}, not an iterator")
        for batch in results:
            got += len(batch)
            if source.taken - got > _MOST_HELD:
                raise broken(who, rule, f"it had taken {source.taken} frames when it gave frame {got}")
            if got >= 4:
                break
    with keeps(who, "it may be closed early"):
        if close := getattr(results, "close", None):
            close()


def _passes_errors_on(enhancer: Enhancer, who: str, portrait: Portrait) -> None:
    def failing() -> Iterator[FrameBatch]:
        yield from sample_batches(3, batch_size=1)
        raise _Broken("no more frames")

    with refuses(who, "an error of whoever makes the frames is passed on", _Broken):
        for _ in enhancer.enhance(failing(), portrait):
            pass
