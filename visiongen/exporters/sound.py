"""The sound of a driving clip, cut to the piece that is used. The only module that uses MoviePy.

MoviePy reads a WAV that `visiongen.media` has decoded, never the user's file: its parser of ffmpeg's messages fails
on many files that are in order, and it knows nothing of sound that begins later than the picture.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from visiongen import media
from visiongen.datatypes import DrivingClip
from visiongen.exporters.target import scratch_file

logger = logging.getLogger("visiongen")

BLOCK = 2048  # samples; MoviePy's reader breaks where a sound is shorter than two blocks


class CutSound:
    """The sound of a piece of a clip, once it is begun, as soon as it is ready; called, it waits for that.

    It comes as blocks (S, 2) float32 in [-1, 1] of `media.SOUND_RATE`, or is None where there is none or it is broken, with a
    warning: a result without sound is better than no result.
    """

    def __init__(self, clip: DrivingClip | None = None, start: Callable[[], Future] | None = None) -> None:
        """
        Args:
            clip: Whose sound it is.
            start: Has it got ready; None: there is none.
        """
        self._clip, self._start = clip, start
        self._begun: Future | None = None

    def begin(self) -> None:
        """Has it got ready in a thread of its own; may be called again. Not before the first frame is written, for which
        somebody waits: loading MoviePy takes a third of a second from the threads that make it."""
        if self._start is not None and self._begun is None:
            self._begun = self._start()

    @property
    def is_ready(self) -> bool:
        """Whether nobody needs to wait."""
        return self._start is None or (self._begun is not None and self._begun.done())

    def __call__(self) -> Iterator[np.ndarray] | None:
        """The blocks, or None."""
        self.begin()
        if self._begun is None:
            return None
        try:
            return self._begun.result()
        except Exception as error:  # MoviePy raises nearly anything
            logger.warning("the sound of %s cannot be used (%s), so the result has none", self._clip.path, error)
            return None


@contextlib.contextmanager
def cut_sound(clip: DrivingClip | None, path: Path) -> Iterator[CutSound]:
    """The sound between start and end of `clip`, for a block that begins it.

    Args:
        clip: Whose sound; None for no sound.
        path: The result; a temporary WAV is put beside it.
    """
    if clip is None or not clip.has_audio:
        if clip is not None:
            logger.warning("%s has no sound, so the result has none", clip.path)
        yield CutSound()
        return
    with contextlib.ExitStack() as stack:
        wav = stack.enter_context(scratch_file(path, ".wav"))
        pool = stack.enter_context(ThreadPoolExecutor(1, "sound"))
        yield CutSound(clip, lambda: pool.submit(_blocks, clip, wav, stack))


def _blocks(clip: DrivingClip, wav: Path, stack: contextlib.ExitStack) -> Iterator[np.ndarray]:
    lead = media.write_sound(clip, wav)

    from moviepy.audio.io.AudioFileClip import AudioFileClip

    whole = AudioFileClip(str(wav), fps=media.SOUND_RATE)
    stack.callback(whole.close)
    length = whole.duration - lead if clip.end is None else clip.end - clip.start
    piece = whole.subclipped(lead, min(lead + length, whole.duration))
    if piece.duration * media.SOUND_RATE < 2 * BLOCK:
        raise ValueError("it is too short")

    def blocks() -> Iterator[np.ndarray]:
        try:
            for block in piece.iter_chunks(chunksize=BLOCK, fps=media.SOUND_RATE):
                yield np.asarray(block, np.float32)
            # A reader that died gives silence from there on. One that has more to give is still alive here.
            if whole.reader.proc.poll():
                logger.warning("the sound of %s breaks off, because ffmpeg died; render it again", clip.path)
        except Exception as error:
            logger.warning("the sound of %s breaks off (%s)", clip.path, error)

    return blocks()
