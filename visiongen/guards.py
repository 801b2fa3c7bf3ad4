"""What plugins do while they work, checked: a fault becomes one `PluginError` that names the plugin and what it did.

The checks cost microseconds a frame. Errors of `visiongen.errors` pass as they are, and so does what comes from outside
a plugin while it runs, such as a progress function that stops the work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.datatypes import FrameBatch, MotionTrack
from visiongen.errors import PluginError, VisionGenError
from visiongen.shortages import shortage

logger = logging.getLogger(__name__)
_SAME_TIME = 1e-6  # s


class Outside:
    """What runs inside a plugin's call and is not the plugin's: its errors are remembered and not blamed on it."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.num_frames = 0
        """Frames that were taken from `frames`."""

    def frames(self, batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
        """`batches`, counted."""
        try:
            for batch in batches:
                self.num_frames += len(batch)
                yield batch
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            _close(batches, "the frames")

    def function(self, called: Callable[..., Any]) -> Callable[..., Any]:
        """`called`, watched."""

        def watched(*arguments: Any) -> Any:
            try:
                return called(*arguments)
            except BaseException as error:
                self.errors.append(error)
                raise

        return watched


@contextmanager
def plugin_errors(who: str, doing: str, outside: Outside | None = None) -> Iterator[None]:
    """Makes a `PluginError` of anything foreign that the block raises.

    Args:
        who: The component, as `visiongen.plugins.title_of` calls it.
        doing: What it was asked for, such as "failed while it wrote a.mp4".
        outside: Whose errors are not the plugin's.
    """
    try:
        yield
    except VisionGenError:
        raise
    except (Exception, SystemExit) as error:
        if outside is not None and any(error is one for one in outside.errors):
            raise
        raise PluginError(f"{who} {doing}: {shortage(error) or f'{type(error).__name__}: {error}'}") from error


def checked_frames(
    make: Callable[[], Iterable[FrameBatch]],
    *,
    who: str,
    shape: tuple[int, ...],
    times: Sequence[float] | np.ndarray,
    source: Iterable[FrameBatch] | None = None,
) -> Iterator[FrameBatch]:
    """The frames that `make` gives, as long as they are what was asked for.

    Args:
        make: Calls the component; run when the first frame is asked for.
        who: The component, for messages.
        shape: (H, W, 3) that every frame must have.
        times: (T,) s, of the frames that must come.
        source: What the component reads; closed with it, as not every plugin thinks of that.
    Raises:
        PluginError: The component raised, gave something else than frames, frames of another size or time, or too many
            or too few of them.
    """
    times = np.asarray(times, np.float64)
    done, total = 0, len(times)
    with plugin_errors(who, "failed before its first frame"):
        batches = make()
        try:
            frames = iter(batches)
        except TypeError:
            raise PluginError(f"{who} gave {_short(batches)}, which is no iterator of FrameBatch") from None
    try:
        while True:
            with plugin_errors(who, f"failed after {done} of {total} frames"):
                batch = next(frames, None)
            if batch is None:
                break
            _check_batch(batch, who=who, shape=shape, times=times, done=done)
            done += len(batch)
            yield batch
    finally:
        _close(frames, who)
        _close(source, who)
    if done != total:
        raise PluginError(f"{who} gave {done} frames, but {total} were asked for")


def _check_batch(batch: Any, *, who: str, shape: tuple[int, ...], times: np.ndarray, done: int) -> None:
    if not isinstance(batch, FrameBatch):
        raise PluginError(f"{who} gave {_short(batch)} after {done} frames, which is no FrameBatch")
    if len(batch) and batch.pixels.shape[1:] != tuple(shape):
        (height, width), (got_height, got_width) = shape[:2], batch.pixels.shape[1:3]
        raise PluginError(f"{who} gave frames of {got_width}x{got_height} px instead of {width}x{height} px")
    if done + len(batch) > len(times):
        raise PluginError(f"{who} gave more than the {len(times)} frames that were asked for")
    wanted = times[done : done + len(batch)]
    if not np.allclose(batch.times, wanted, rtol=0, atol=_SAME_TIME):
        wrong = int(np.argmax(~np.isclose(batch.times, wanted, rtol=0, atol=_SAME_TIME)))
        raise PluginError(f"{who} gave time {batch.times[wrong]:g} s to frame {done + wrong}, not {wanted[wrong]:g} s")


def check_written(count: Any, path: Path, *, who: str, taken: int, total: int) -> int:
    """`count`, if an exporter that gave it can have done its work.

    Args:
        count: What `export` returned.
        path: What it should have written.
        who: The exporter, for messages.
        taken: Frames that it took.
        total: Frames there were to take.
    Raises:
        PluginError: It returned no number, left frames untaken, or there is no file.
    """
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 0 < count <= total:
        raise PluginError(f"{who} returned {_short(count)}, not the number of frames it wrote (1 to {total})")
    if taken < total:
        raise PluginError(f"{who} took only {taken} of {total} frames for {path.name}")
    if not path.exists():
        raise PluginError(f"{who} says that it wrote {count} frames to {path}, but there is no such file")
    return int(count)


def check_motion(motion: Any, path: Path, *, who: str) -> MotionTrack:
    """`motion`, if a motion source may have given it.

    Raises:
        PluginError: It is no motion, has no frames, or numbers that cannot be.
    """
    if not isinstance(motion, MotionTrack):
        raise PluginError(f"{who} gave {_short(motion)} for {path.name}, which is no MotionTrack")
    numbers = (motion.rotation, motion.translation, motion.scale, motion.offsets, motion.times)
    turns = motion.rotation @ motion.rotation.transpose(0, 2, 1)
    faults = {
        "no frames": not len(motion),
        "numbers that are not finite": not all(np.isfinite(part).all() for part in numbers),
        "rotations that are not orthonormal": not np.allclose(turns, np.eye(3), atol=0.01)
        or bool((np.linalg.det(motion.rotation) < 0).any()),
        "times that do not rise from 0": len(motion) > 0
        and (motion.times[0] < -_SAME_TIME or bool((np.diff(motion.times) <= 0).any())),
        "a size that is not positive": min(motion.face_width, motion.height, motion.width) <= 0
        or bool((motion.scale <= 0).any()),
    }
    if found := [fault for fault, there in faults.items() if there]:
        raise PluginError(f"{who} gave a motion for {path.name} with {found[0]}")
    return motion


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _close(batches: Any, who: str) -> None:
    """Closes an iterator; a plugin's need not be a generator, and then there is nothing to close."""
    try:
        if close := getattr(batches, "close", None):
            close()
    except Exception as error:  # the work is over, one way or the other: it is not worth more than a note
        logger.warning("%s could not be closed: %s: %s", who, type(error).__name__, error)
