"""The child process ``python -m visiongen.ahead_worker``: finds the faces of a picture and of a clip for `visiongen.ahead`.

See `visiongen.worker_loop` for how it is asked, and `TASKS` for what. Of a clip it tells ``{"event": "clip", "start", "end"}``,
then ``{"event": "frame", "time", "faces"}`` of each frame, and ``{"event": "note", "logger", "level", "text"}`` of a warning.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import media
from visiongen.ahead import as_text, from_text
from visiongen.background import PERSON, PersonMatte
from visiongen.faces import find_faces, with_longer_side
from visiongen.landmarks import FaceMesh, faces_of_frames
from visiongen.worker_loop import Teller, serve

_AT_ONCE = 2
"""Face meshes that are loaded before they are asked for; clips that more threads look at wait for theirs."""


def _begin(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    return {}


def _picture(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    image = with_longer_side(media.read_picture(task["path"]), task["size"])
    found = [face.landmarks for face in find_faces(image)]
    return {"faces": as_text(np.array(found, np.float32))}


def _clip(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    notes, log = _Notes(teller), logging.getLogger("visiongen")
    log.addHandler(notes)
    try:
        clip = media.probe(Path(task["path"]), start=task["start"], end=task["end"])
        teller.tell("clip", start=clip.start, end=clip.end)
        for time, faces in faces_of_frames(clip):
            teller.tell("frame", time=time, faces=as_text(faces))
    finally:
        log.removeHandler(notes)
    return {}


def _look(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    image = from_text(task["image"])
    if task["kind"] == PERSON:
        with PersonMatte() as person:
            return {"found": as_text(person.mask(image))}
    _, max_faces, min_confidence = task["kind"]
    with FaceMesh(max_faces=max_faces, min_confidence=min_confidence) as mesh:
        return {"found": as_text(mesh.shares(image))}


class _Notes(logging.Handler):
    """Warnings of the readers, for whoever asked."""

    def __init__(self, teller: Teller) -> None:
        super().__init__(logging.WARNING)
        self._teller = teller

    def emit(self, record: logging.LogRecord) -> None:
        self._teller.tell("note", logger=record.name, level=record.levelno, text=record.getMessage())


TASKS = {"begin": _begin, "picture": _picture, "clip": _clip, "look": _look}
"""What can be asked for."""


def main() -> None:
    """Loads what every task needs, and works until standard input closes."""
    for mesh in [FaceMesh() for _ in range(_AT_ONCE)]:
        mesh.close()
    serve(TASKS)


if __name__ == "__main__":
    main()
