"""Progress: a bar on a terminal, few lines elsewhere, rates of the stages in both."""

from __future__ import annotations

import contextlib
import io
import os
import pty

import pytest

from visiongen import progress
from visiongen.progress import ProgressBar


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when told to."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_rates_are_those_of_whole_stages(clock):
    with ProgressBar(stream=io.StringIO()) as bar:
        for done in range(1, 11):
            clock.now += 0.5
            bar("landmarks", done, 10)
        clock.now += 3  # preparation counts as part of the stage that it prepares
        for done in (4, 8):
            clock.now += 0.5
            bar("render", done, 8)
    assert bar.rates == pytest.approx({"landmarks": 2.0, "render": 2.0})


def test_a_file_gets_a_line_every_few_seconds(clock):
    stream = io.StringIO()
    with ProgressBar(stream=stream) as bar:
        for done in range(1, 121):
            clock.now += 0.125  # exactly representable
            bar("render", done, 240)
        bar("flow", 1, None)
    first, second = stream.getvalue().splitlines()
    assert first == "render: 41/240 frames, 8.0/s, 25 s left"
    assert second.startswith("render: 81/240")


def _all_of(terminal: int) -> str:
    """What was written to a terminal whose other end is closed: it comes in pieces, and ends with an error."""
    pieces = []
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 100_000):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces).decode()


@pytest.mark.parametrize("total", [20, 10, None], ids=["known", "too few promised", "unknown"])
def test_a_terminal_gets_a_bar_with_stage_rate_and_total(total):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream, ProgressBar(stream=stream) as bar:
        for done in range(21):
            bar("landmarks", done, total)
        bar._bar.refresh()
    text = _all_of(ours)
    assert "landmarks" in text and "frame/s" in text
    assert ("20/20" if total else "20frame") in text
