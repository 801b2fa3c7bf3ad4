"""Small real inputs, shared by the tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import visiongen
from visiongen.motion import piece
from visiongen.samples import DRIVING, PORTRAIT, sample

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A small checkpoint with random weights, in the public layout."""
    return DATA / "tiny-cpk.pth.tar"


@pytest.fixture(scope="session")
def portrait():
    return visiongen.prepare_portrait(sample(PORTRAIT), size=320)


@pytest.fixture(scope="session")
def fitted(portrait):
    """Portrait and a fitted motion of half a second."""
    motion = visiongen.extract_motion(sample(DRIVING), end=0.5)
    return visiongen.fit_motion(portrait, motion)


@pytest.fixture(scope="session")
def own_reenactment():
    """A driving clip's own first frame as portrait, moved absolutely by the clip: portrait, motion, first frame."""
    from visiongen.media import read_frames

    motion = visiongen.extract_motion(sample(DRIVING), start=1.0, end=1.6)
    first = next(read_frames(motion.clip, batch_size=1)).pixels[0]
    source, moved = visiongen.fit_motion(
        visiongen.prepare_portrait(first), motion, visiongen.MotionSettings(mode="absolute")
    )
    return source, moved, first


@pytest.fixture
def shortened():
    """``shortened(motion, count)``: its first frames, still of the whole clip."""
    return lambda motion, count: replace(piece(motion, slice(count)), clip=motion.clip)
