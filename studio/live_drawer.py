"""The child process ``python -m studio.live_drawer``: it draws a portrait, moved by one frame of motion after another.

The live worker looks at the next camera picture meanwhile. Threads of one process would wait for each other's Python: the
picture then took half as long again. Both ends are our own, and what passes between them is pickled.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import cv2

from studio.live_pictures import jpeg_of
from studio.processes import surroundings
from studio.settings import Settings
from visiongen import MotionTrack, Portrait
from visiongen.errors import VisionGenError
from visiongen.marking.badge import Badge
from visiongen.shortages import shortage


class DrawerProcess:
    """The parent's end. One thread at a time."""

    def __init__(self, settings: Settings, *, threads: int) -> None:
        """Starts it; it loads its libraries while the caller prepares the portrait.

        Args:
            settings: Generator, device and mark.
            threads: Of PyTorch.
        """
        where = surroundings()
        where["env"]["OMP_NUM_THREADS"] = str(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio.live_drawer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **where
        )
        self._send(settings.to_dict())

    def begin(self, portrait: Portrait) -> None:
        """The portrait that is moved.

        Raises:
            VisionGenError: The generator cannot be loaded.
        """
        self._send(portrait)
        self._answer()

    def draw(self, motion: MotionTrack) -> bytes:
        """JPEG of the portrait with its visible mark, moved by one frame of motion.

        Raises:
            VisionGenError: The generator failed.
        """
        self._send(motion)
        return self._answer()

    def _send(self, value: Any) -> None:
        try:
            pickle.dump(value, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except OSError as error:
            raise VisionGenError("the process that draws has ended; start the camera again") from error

    def _answer(self) -> Any:
        try:
            value, problem = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise VisionGenError("the process that draws ended unexpectedly; start the camera again") from error
        if problem:
            raise VisionGenError(problem)
        return value


def sentence(error: BaseException) -> str:
    """What went wrong in a live session, for people."""
    if isinstance(error, VisionGenError):
        return str(error)
    if missing := shortage(error):
        return missing
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}; start the camera again"


def _serve(read: Any, write: Any) -> None:
    """Settings first, then a portrait, then motions; an answer to each but the first."""

    def tell(value: Any, problem: str = "") -> None:
        pickle.dump((value, problem), write, pickle.HIGHEST_PROTOCOL)
        write.flush()

    settings = Settings.from_dict(pickle.load(read))
    cv2.setNumThreads(1)  # its threads wait by spinning, and here several processes share few cores
    try:
        from visiongen.live import LiveDrawer

        badge = Badge(settings.mark)
        drawer = None
        while True:
            given = pickle.load(read)
            if isinstance(given, Portrait):
                drawer = LiveDrawer(given, generator=settings.generator.choice("generator"), device=settings.device)
                tell(None)
            else:
                tell(jpeg_of(badge(drawer(given))))
    except EOFError:
        return
    except Exception as error:
        tell(None, sentence(error))
        raise


def main() -> None:
    """Works between standard input and output."""
    # What plugins and libraries print must not come between the answers.
    write = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, write)


if __name__ == "__main__":
    main()
