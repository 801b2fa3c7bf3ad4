"""Generators to which something happens: memory runs out, the process is told to die, or the work is slow enough to watch."""

import os
import signal
import time
from pathlib import Path

from visiongen.datatypes import FrameBatch
from visiongen.hookspecs import Component, hookimpl


def still(portrait, motion):
    for moment in motion.times:
        yield FrameBatch(pixels=portrait.crop[None], times=[moment])


def gpu_full(portrait, motion):
    import torch

    yield from list(still(portrait, motion))[:2]
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 8 GiB")


def memory_full(portrait, motion):
    yield from list(still(portrait, motion))[:2]
    bytearray(1 << 62)


def dies(portrait, motion):
    yield from list(still(portrait, motion))[:2]
    os.kill(os.getpid(), signal.SIGKILL)


def slow(portrait, motion):
    """Waits at its third frame until the file that FAULTS_GO names is there, or for a minute."""
    for number, batch in enumerate(still(portrait, motion)):
        yield batch
        if number == 2 and (go := os.environ.get("FAULTS_GO")):
            Path(f"{go}.waits").touch()
            until = time.monotonic() + 60
            while not Path(go).exists() and time.monotonic() < until:
                time.sleep(0.01)


class Generator:
    def __init__(self, render):
        self.render = render


@hookimpl
def visiongen_generators():
    for render in (gpu_full, memory_full, dies, slow):
        name = render.__name__.replace("_", "-")
        yield Component(name=name, summary="", load=lambda options, *, device, render=render: Generator(render))
