"""The child process ``python -m studio.live_worker``: one camera, one portrait; see `studio.live_protocol`.

It reads ``{"do": "start", "settings": ..., "size": ...}`` first and tells ``{"event": "ready"}`` or ``{"event": "error",
"message": ...}``; then it takes camera pictures and gives moved portraits. Of the pictures that wait only the newest is
used, so that the delay does not grow where the camera is faster than the machine. While portraits are drawn, in processes
of their own (`studio.live_drawer`), the next picture is already looked at; they are told in the order of their pictures.
``{"do": "settings"}`` changes how the motion is fitted, ``{"do": "calibrate"}`` takes the neutral face anew, ``{"do":
"record"}`` begins a recording and ``{"do": "stop-recording", "folder": ...}`` writes it: first its films, then ``{"event":
"recorded"}``; then its landmarks and metrics, then ``{"event": "measured"}``. When standard input closes, what is being
written is written to its end, and the process ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from studio.live_drawer import DrawerProcess, sentence
from studio.live_pictures import as_jpeg, jpeg_of, picture_of
from studio.live_protocol import CameraPicture, MovedPicture, read_message, write_message
from studio.live_recording import Recording
from studio.settings import Settings
from visiongen.cores import cores
from visiongen.errors import VisionGenError
from visiongen.live import LiveSession
from visiongen.marking.badge import Badge
from visiongen.workers import gpus, share_of_cores

MOST_DRAWERS = 2
"""Portraits drawn at once, where there are cores for them: the page has two pictures on their way."""


class LatestPicture:
    """Holds one picture: a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: CameraPicture | None = None

    def put(self, picture: CameraPicture) -> CameraPicture | None:
        """Gives back the one whose place it took."""
        with self._changed:
            before, self._picture = self._picture, picture
            self._changed.notify()
        return before

    def take(self) -> CameraPicture:
        """Waits for one."""
        with self._changed:
            while self._picture is None:
                self._changed.wait()
            picture, self._picture = self._picture, None
        return picture


class InTurn:
    """Lets threads pass in the order of their numbers, 0, 1, 2 ..."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = 0

    @contextlib.contextmanager
    def __call__(self, number: int) -> Iterator[None]:
        """Waits until all smaller numbers have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == number)
        yield
        with self._changed:
            self._next = number + 1
            self._changed.notify_all()


class LiveWorker:
    """One session between two pipes."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read, self._write = read, write
        self._writing = threading.Lock()
        self._latest = LatestPicture()
        self._motions: queue.Queue = queue.Queue(1)
        self._turn = InTurn()
        self._session: LiveSession | None = None
        self._settings: Settings | None = None
        self._recording: Recording | None = None
        self._saving: list[threading.Thread] = []

    def run(self) -> None:
        """Works until the pipe closes."""
        if not self._start():
            return
        for work, *given in ((self._follow,), *((self._draw, drawer) for drawer in self._drawers)):
            threading.Thread(target=self._guarded, args=(work, *given), daemon=True).start()
        while (message := read_message(self._read)) is not None:
            kind, content = message
            if kind == "F":
                passed_over = self._latest.put(CameraPicture.unpack(content))
                if passed_over is not None:
                    self._send("F", MovedPicture(number=passed_over.number, dropped=True).pack())
            else:
                self._obey(json.loads(content))
        for thread in self._saving:
            thread.join()

    def _start(self) -> bool:
        message = read_message(self._read)
        if message is None:
            return False
        try:
            wanted = json.loads(message[1])
            settings = self._settings = Settings.from_dict(wanted["settings"])
            from visiongen import prepare_portrait

            self._drawers = [DrawerProcess(settings, threads=share_of_cores(4)) for _ in range(_drawers(settings))]
            self._session = LiveSession(
                prepare_portrait(settings.portrait, face=settings.face),
                generator=settings.generator.choice("generator"),
                settings=settings.motion,
                size=int(wanted["size"]),
                drawers=0,
            )
            motion = self._session.follow(self._session.portrait.image)
            for drawer in self._drawers:
                drawer.begin(self._session.portrait)
                if motion is not None:  # the first picture is slow: its cost shall not fall on the camera's first ones
                    drawer.draw(motion)
            self._session.reset()
        except Exception as error:
            self._tell_error(error)
            return False
        self._picture = jpeg_of(Badge(settings.mark)(self._session.portrait.crop))
        self._tell("ready", size=self._session.portrait.crop.shape[0], generator=settings.generator.name)
        self._send("F", MovedPicture(number=0, jpeg=self._picture).pack())
        return True

    def _guarded(self, work: Any, *given: Any) -> None:
        try:
            work(*given)
        except Exception as error:
            logging.exception("the live session failed")
            self._tell_error(error)
            os._exit(1)

    def _follow(self) -> None:
        session, number = self._session, 0
        while True:
            camera = self._latest.take()
            picture = picture_of(camera.data)
            if picture is None:
                self._send("F", MovedPicture(number=camera.number, dropped=True).pack())
                continue
            motion = session.follow(picture, time=camera.time)
            self._motions.put((number, camera, motion, dict(session.seconds)))
            number += 1

    def _draw(self, drawer: DrawerProcess) -> None:
        session = self._session
        while True:
            number, camera, motion, seconds = self._motions.get()
            begun = time.perf_counter()
            drawn = None if motion is None else drawer.draw(motion)
            seconds["generate"] = 0.0 if motion is None else time.perf_counter() - begun
            with self._turn(number):
                self._picture = drawn or self._picture  # without a face the portrait stays as it was
                recording = self._recording
                if recording is not None:
                    seen = as_jpeg(camera.data)
                    if not recording.add(camera.time, seen, self._picture, motion):
                        self._tell("recording-full", seconds=recording.longest)
                moved = MovedPicture(
                    number=camera.number,
                    visible=motion is not None,
                    calibrated=session.calibrated,
                    recording=recording is not None,
                    milliseconds=tuple(1000 * seconds.get(name, 0.0) for name in ("landmarks", "motion", "generate")),
                    jpeg=self._picture,
                )
                self._send("F", moved.pack())

    def _obey(self, wanted: dict[str, Any]) -> None:
        do = wanted["do"]
        if do == "calibrate":
            self._session.calibrate()
        elif do == "settings":
            self._settings = Settings.from_dict(wanted["settings"])
            self._session.settings = self._settings.motion
        elif do == "record":
            self._recording = Recording()
        elif do == "stop-recording":
            recording, self._recording = self._recording, None
            saving = threading.Thread(target=self._save, args=(recording, wanted, self._settings), daemon=True)
            self._saving.append(saving)
            saving.start()

    def _save(self, recording: Recording | None, wanted: dict[str, Any], settings: Settings) -> None:
        run, folder = str(wanted["run"]), Path(wanted["folder"])
        try:
            if recording is None:
                raise VisionGenError("nothing was being recorded")
            facts = recording.save(folder, settings, self._session.portrait)
            self._tell("recorded", run=run, **facts)
        except Exception as error:
            self._tell("not-recorded", run=run, message=sentence(error))
            return
        try:
            measured = recording.measure(folder, settings, self._session.portrait)
        except Exception as error:
            logging.exception("a recording was not measured")
            measured = {"summary": {}, "warnings": [f"this recording was not measured: {sentence(error)}"]}
        self._tell("measured", run=run, summary=measured["summary"],
                   warnings=[*facts["warnings"], *measured["warnings"]])  # fmt: skip

    def _send(self, kind: str, content: bytes | dict[str, Any]) -> None:
        with self._writing:
            write_message(self._write, kind, content)

    def _tell(self, event: str, **values: Any) -> None:
        self._send("J", {"event": event, **values})

    def _tell_error(self, error: BaseException) -> None:
        text = sentence(error)
        self._tell("error", message=self._settings.with_names(text) if self._settings else text)


def _drawers(settings: Settings) -> int:
    """How many processes draw: a network on two cores is hardly sooner done than on one, and the browser and the landmarks
    need a core, too. A GPU has room for one."""
    on_gpu = settings.device == "cuda" or (settings.device == "auto" and gpus())
    return 1 if on_gpu else max(1, min(MOST_DRAWERS, cores() // 2))


def main() -> None:
    """Works between standard input and output."""
    # What plugins and libraries print must not come between the messages.
    write = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    cv2.setNumThreads(1)  # its threads wait by spinning, and here several processes share few cores
    LiveWorker(sys.stdin.buffer, write).run()
    os._exit(0)  # threads wait for pictures that will not come


if __name__ == "__main__":
    main()
