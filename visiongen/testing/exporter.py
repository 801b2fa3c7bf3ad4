"""The rules of an exporter, of frames and of motion."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from visiongen.datatypes import FrameBatch, Provenance
from visiongen.errors import MediaError
from visiongen.guards import check_written
from visiongen.hookspecs import Component
from visiongen.testing.inputs import sample_batches, sample_clip, sample_job
from visiongen.testing.rules import broken, component_of, keeps, loaded, refuses

_HOW = {"fps": Fraction(30000, 1001), "provenance": Provenance(software="VisionGen 3D", settings={"seed": 0})}
_BEFORE = b"what was there before"


class _Broken(RuntimeError):
    """An error of whoever makes the frames."""


def assert_exporter_contract(component: Component | str, *, options: Any = None, device: str = "cpu") -> None:
    """An exporter keeps all rules; raises `BrokenContract` otherwise.

    Args:
        component: Its name, or the component as it is offered.
        options: Instead of its defaults.
        device: "cpu" or "cuda".
    """
    component = component_of("exporter", component)
    exporter, who = loaded("exporter", component, options, device)
    for suffix in component.suffixes or ("",):
        with tempfile.TemporaryDirectory(prefix="visiongen-") as folder:
            if component.writes == "motion":
                _writes_motion(exporter, who, Path(folder) / f"result{suffix}")
            else:
                _writes(exporter, who, Path(folder) / f"result{suffix}")
                _leaves_nothing_behind(exporter, who, Path(folder) / f"result{suffix}")


def _writes(exporter: Any, who: str, path: Path) -> None:
    cases = {
        "all frames are written, and their number is returned": (sample_batches(6), None),
        "the sound of a clip may be given": (sample_batches(6), sample_clip(6)),
        "frames of odd size are written": (sample_batches(3, height=65, width=47), None),
        "a single frame is written": (sample_batches(1), None),
    }
    for number, (rule, (batches, sound)) in enumerate(cases.items()):
        target = path.with_name(f"{number}-{path.name}")
        total, taken = sum(map(len, batches)), []

        def frames(batches: list[FrameBatch] = batches, taken: list[int] = taken) -> Iterator[FrameBatch]:
            for batch in batches:
                taken.append(len(batch))
                yield batch

        with keeps(who, rule):
            count = exporter.export(frames(), target, sound=sound, **_HOW)
            check_written(count, target, who=who, taken=sum(taken), total=total)
        _only(who, target)


def _leaves_nothing_behind(exporter: Any, who: str, path: Path) -> None:
    def failing(error: type[BaseException]) -> Iterator[FrameBatch]:
        yield from sample_batches(3, batch_size=1)
        raise error("no more frames")

    for error in (_Broken, KeyboardInterrupt):
        with refuses(who, "an error of whoever makes the frames is passed on", error):
            exporter.export(failing(error), path, sound=None, **_HOW)
        _nothing(who, path, f"after {error.__name__}")
    with refuses(who, "a film without frames is refused", MediaError):
        exporter.export(iter(()), path, sound=None, **_HOW)
    _nothing(who, path, "of a film without frames")
    with refuses(who, "a folder that is not there is refused", MediaError):
        exporter.export(iter(sample_batches(2)), path.parent / "missing" / path.name, sound=None, **_HOW)
    if path.suffix:
        path.write_bytes(_BEFORE)
        with refuses(who, "an error of whoever makes the frames is passed on", _Broken):
            exporter.export(failing(_Broken), path, sound=None, **_HOW)
        _still_there(who, path)


def _writes_motion(exporter: Any, who: str, path: Path) -> None:
    for count in (6, 1):
        portrait, motion = sample_job(count)
        with keeps(who, f"a motion of {count} frames is written, and their number is returned"):
            written = exporter.export_motion(portrait, motion, path, **_HOW)
            check_written(written, path, who=who, taken=count, total=count)
        _only(who, path)
    portrait, motion = sample_job(6)
    with refuses(who, "a folder that is not there is refused", MediaError):
        exporter.export_motion(portrait, motion, path.parent / "missing" / path.name, **_HOW)
    with keeps(who, "the same motion gives the same file"):
        files = [path.with_name(f"{name}-{path.name}") for name in ("a", "b")]
        for file in files:
            exporter.export_motion(portrait, motion, file, **_HOW)
        if files[0].read_bytes() != files[1].read_bytes():
            raise broken(who, "the same motion gives the same file", "two files of one motion differ")


def _only(who: str, path: Path) -> None:
    found = sorted(one.name for one in path.parent.iterdir() if one.name[0] not in "0123456789" and one != path)
    if found:
        raise broken(who, "nothing but the result is left", f"{found[0]} lies beside {path.name}")


def _nothing(who: str, path: Path, when: str) -> None:
    left = sorted(one.name for one in path.parent.iterdir() if one.name[0] not in "0123456789")
    if left:
        raise broken(who, "the file appears under its name only when it is whole", f"{left[0]} is left {when}")


def _still_there(who: str, path: Path) -> None:
    rule = "a file that was there before survives a failure"
    if not path.exists() or path.read_bytes() != _BEFORE:
        raise broken(who, rule, f"{path.name} was {'changed' if path.exists() else 'removed'}")
