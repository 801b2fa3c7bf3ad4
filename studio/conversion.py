"""Other formats: written beside the MP4 while frames pass, or made from it afterwards."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.heard import HeardWarnings
from studio.settings import Settings
from visiongen import FrameBatch, Provenance, choose, load, save_motion
from visiongen.errors import VisionGenError
from visiongen.hookspecs import Exporter
from visiongen.marking.credentials import read_credentials
from visiongen.marking.marks import export_signed
from visiongen.marking.metadata import read_metadata
from visiongen.media import probe, read_frames

if TYPE_CHECKING:
    from studio.warm import Warm
    from studio.worker import Teller

_HELD = 4
"""So many batches wait for the second exporter."""


def result_name(exporter: str) -> str:
    """Name of what an exporter makes in a run's folder; a folder where it makes more than one file."""
    suffixes = choose("exporter", exporter).suffixes
    return f"result{suffixes[0]}" if suffixes else f"result-{exporter}"


def signed_export(
    exporter: Exporter, batches: Iterator[FrameBatch], path: Path, settings: Settings, how: dict[str, Any]
) -> int:
    """Writes frames that carry their marks, and signs the file before it gets its name.

    Args:
        exporter: What writes.
        batches, path: What and where.
        settings: Of the run.
        how: fps, sound and provenance, for the exporter.
    """
    inputs = {role: Path(getattr(settings, role)) for role in ("portrait", "driving")}
    return export_signed(
        lambda part: exporter.export(batches, part, **how), path, marks=settings.marks(), provenance=how["provenance"],
        inputs={role: file for role, file in inputs.items() if file.is_file()}, folder=not path.suffix,
    )  # fmt: skip


def _provenance_of(result: Path, settings: dict[str, Any]) -> Provenance:
    """How a result was made, as it says itself; of one that does not, its settings."""
    found = read_credentials(result)
    statement = dict(found.settings) if found is not None and found.state != "invalid" else read_metadata(result)
    statement = statement or {}
    return Provenance(
        software=str(statement.get("software", "VisionGen 3D")), settings=dict(statement.get("settings") or settings)
    )


class Branch:
    """Feeds a second exporter, in a thread, with the frames that pass; what goes wrong there stops nothing else."""

    def __init__(self, exporter: Exporter, path: Path, how: dict[str, Any], settings: Settings) -> None:
        self.problems: list[str] = []
        self._batches: queue.Queue[FrameBatch | None] = queue.Queue(_HELD)
        self._broken = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(exporter, path, how, settings), daemon=True)

    def __enter__(self) -> Branch:
        self._thread.start()
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            self._broken.set()
        self._put(None)
        self._thread.join()

    def passing(self, batches: Iterator[FrameBatch]) -> Iterator[FrameBatch]:
        """The same frames."""
        try:
            for batch in batches:
                self._put(batch)
                yield batch
        finally:
            if close := getattr(batches, "close", None):
                close()

    def _put(self, batch: FrameBatch | None) -> None:
        while not self._ended.is_set():
            try:
                self._batches.put(batch, timeout=0.2)
                return
            except queue.Full:
                continue

    def _frames(self) -> Iterator[FrameBatch]:
        while (batch := self._batches.get()) is not None:
            yield batch
        if self._broken.is_set():
            raise VisionGenError("the render was stopped")  # so that the exporter removes what it began

    def _work(self, exporter: Exporter, path: Path, how: dict[str, Any], settings: Settings) -> None:
        try:
            signed_export(exporter, self._frames(), path, settings, how)
        except Exception as error:  # a plugin's exporter may raise anything; the MP4 is worth keeping
            text = str(error) if isinstance(error, VisionGenError) else f"{type(error).__name__}: {error}"
            self.problems.append(f"{path.name} was not written: {text}")
        finally:
            self._ended.set()


def convert_result(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    """Answers a task with ``folder`` and ``exporter`` with ``file``, the result in that format, made if it is not there,
    and ``warnings`` of its making."""
    folder, name = Path(task["folder"]), task["exporter"]
    out = folder / result_name(name)
    heard = HeardWarnings()
    if not out.exists():
        clip = probe(folder / "result.mp4")
        settings = Settings.from_dict(task["settings"])
        provenance = _provenance_of(folder / "result.mp4", task["settings"])

        def frames() -> Iterator[FrameBatch]:
            for batch in read_frames(clip, batch_size=8):
                teller.check()
                yield batch

        exporter = load(choose("exporter", name))
        how = {"fps": clip.fps, "sound": clip if clip.has_audio else None, "provenance": provenance}
        with heard:
            signed_export(exporter, frames(), out, settings, how)
    if out.is_dir():  # pictures: handed over as one file
        part = shutil.make_archive(str(out.with_name(f".{out.name}")), "zip", out)
        file = out.with_name(f"{out.name}.zip")
        os.replace(part, file)
        return {"file": str(file), "warnings": heard.texts}
    return {"file": str(out), "warnings": heard.texts}


def write_template(task: dict[str, Any], warm: Warm) -> dict[str, Any]:
    """Answers a task with ``folder`` and ``settings`` with ``file``, the motion of the driving clip as a template."""
    out = Path(task["folder"]) / "motion.npz"
    if not out.exists():
        save_motion(warm.driving(Settings.from_dict(task["settings"]))[1], out)
    return {"file": str(out)}
