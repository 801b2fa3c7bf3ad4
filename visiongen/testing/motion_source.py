"""The rules of a motion source."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.errors import MediaError, NoFaceError
from visiongen.guards import check_motion
from visiongen.hookspecs import Component, MotionSource
from visiongen.testing.inputs import sample_portrait
from visiongen.testing.rules import broken, component_of, keeps, loaded, refuses


class _Stop(RuntimeError):
    """What a progress function raises to stop."""


def assert_motion_source_contract(
    component: Component | str, sample: Path | str, *, options: Any = None, device: str = "cpu"
) -> None:
    """A motion source keeps all rules; raises `BrokenContract` otherwise.

    Args:
        component: Its name, or the component as it is offered.
        sample: A file that it reads, of at least four frames; a short one, as it is read several times.
        options: Instead of its defaults.
        device: "cpu" or "cuda".
    """
    component, sample = component_of("motion-source", component), Path(sample)
    source, who = loaded("motion-source", component, options, device)
    whole = _extracted(source, who, "a motion that can be", sample)
    again = _extracted(source, who, "it can be used again", sample)
    rule = "the same file gives the same motion"
    for name in ("rotation", "translation", "scale", "offsets", "times"):
        if not np.allclose(getattr(whole, name), getattr(again, name), atol=1e-4):
            raise broken(who, rule, f"{name} differs")
    _reads_pieces(source, who, sample, whole)
    _drives_a_portrait(who, whole)
    _can_be_stopped(source, who, sample)
    _refuses_what_it_cannot_read(source, who, sample)


def _extracted(
    source: MotionSource, who: str, rule: str, path: Path, start: float = 0.0, end: float | None = None
) -> MotionTrack:
    with keeps(who, rule):
        return check_motion(source.extract(path, start=start, end=end, progress=None), path, who=who)


def _reads_pieces(source: MotionSource, who: str, sample: Path, whole: MotionTrack) -> None:
    rule = "a piece has the frames between start and end, its times from 0"
    if len(whole) < 4:
        raise broken(who, rule, f"the sample {sample.name} has only {len(whole)} frames; give one of at least four")
    start, end = float(whole.times[1]), float(whole.times[3])
    part = _extracted(source, who, rule, sample, start - 1e-4, end - 1e-4)
    if len(part) != 2:
        raise broken(who, rule, f"from {start:.4f} s to {end:.4f} s it gave {len(part)} frames instead of 2")
    if part.times[0] > 1e-3:
        raise broken(who, rule, f"the first frame of a piece has the time {part.times[0]:g} s")
    with refuses(who, "a start behind the end of the file is refused", MediaError):
        source.extract(sample, start=float(whole.times[-1]) + 3600, end=None, progress=None)


def _drives_a_portrait(who: str, motion: MotionTrack) -> None:
    rule = "the motion can be fitted to a portrait"
    with keeps(who, rule):
        from visiongen.motion import place
        from visiongen.pipeline import fit_motion

        portrait, fitted = fit_motion(sample_portrait(), motion)
        points, side = place(fitted).points, max(portrait.image.shape[:2])
        if not np.isfinite(points).all() or np.abs(points).max() > 10 * side:
            raise broken(who, rule, "it takes the face far out of the picture")


def _can_be_stopped(source: MotionSource, who: str, sample: Path) -> None:
    calls = []

    def stop(done: int, total: int | None) -> None:
        calls.append((done, total))
        raise _Stop

    try:
        source.extract(sample, start=0.0, end=None, progress=stop)
    except _Stop:
        return
    except BaseException as error:
        raise broken(who, "what progress raises is passed on", f"{type(error).__name__} came instead") from error
    raise broken(
        who, "progress is called, and what it raises is passed on", "it was caught" if calls else "it was not called"
    )


def _refuses_what_it_cannot_read(source: MotionSource, who: str, sample: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="visiongen-") as folder:
        cases = {
            "a file that is not there is refused": None,
            "an empty file is refused": b"",
            "a file of another kind is refused": bytes(range(256)) * 8,
        }
        for number, (rule, content) in enumerate(cases.items()):
            path = Path(folder) / f"{number}{sample.suffix}"
            if content is not None:
                path.write_bytes(content)
            with refuses(who, rule, MediaError, NoFaceError):
                source.extract(path, start=0.0, end=None, progress=None)
