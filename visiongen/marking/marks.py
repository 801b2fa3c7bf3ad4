"""Marks what is rendered: frames before they are written, and the file after that, before it gets its name."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.datatypes import FrameBatch, Provenance, stacked
from visiongen.errors import MediaError, VisionGenError
from visiongen.exporters.target import whole_file, whole_folder, writing
from visiongen.marking.badge import Badge
from visiongen.marking.credentials import belongs_to, can_be_signed, manifest_beside, sign
from visiongen.marking.patterns import Payload
from visiongen.marking.settings import FRAMES_KEY, NUMBER_KEY, MarkSettings
from visiongen.marking.watermark import Watermark

logger = logging.getLogger("visiongen")
_NOT_COUNTED = ("python", FRAMES_KEY, NUMBER_KEY)


def run_number(settings: Mapping[str, Any]) -> int:
    """24 bits of the checksum of a job's settings: what the invisible mark says."""
    counted = {name: value for name, value in settings.items() if name not in _NOT_COUNTED}
    text = json.dumps(counted, sort_keys=True, default=str)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:3], "big")


class FrameMarks:
    """Marks the frames of one result, and fills in what only they can tell into its provenance."""

    def __init__(self, marks: MarkSettings, provenance: Provenance, *, like: np.ndarray | None = None) -> None:
        """
        Args:
            marks: Which marks.
            provenance: Of the result; the number of the invisible mark is filled in.
            like: A picture like the frames and of their size, (H, W, 3) uint8 RGB: the invisible mark is fitted to it while the
                first frame is still being made. None: to that frame.
        """
        self._settings = provenance.settings
        number = run_number(provenance.settings)
        self._watermark = Watermark(Payload(number=number)) if marks.watermark else None
        self._badge = Badge(marks.mark)
        self._fitting: Future[None] | None = None
        if marks.watermark:
            self._settings[NUMBER_KEY] = f"{number:06x}"
            if like is not None:
                background = ThreadPoolExecutor(1, "marks")
                self._fitting = background.submit(self._watermark.fit, like)
                background.shutdown(wait=False)  # no further work; what is under way is done

    def passing(self, batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
        """The same frames, marked. When the last one has passed, the settings hold the checksum of all frames as they
        came in: what `visiongen reproduce` compares."""
        digest = hashlib.sha256()
        try:
            for batch in batches:
                digest.update(np.ascontiguousarray(batch.pixels).data)
                pixels = [self.marked(frame) for frame in batch.pixels]
                yield FrameBatch(pixels=stacked(pixels), times=batch.times) if pixels else batch
            self._settings[FRAMES_KEY] = digest.hexdigest()
        finally:
            if close := getattr(batches, "close", None):
                close()

    def marked(self, frame: np.ndarray) -> np.ndarray:
        """One frame (H, W, 3) uint8 RGB."""
        if self._fitting is not None:
            self._fitting.result()
        return self._badge(frame if self._watermark is None else self._watermark(frame))


def export_signed(
    export: Callable[[Path], int],
    out: Path,
    *,
    marks: MarkSettings,
    provenance: Provenance,
    inputs: Mapping[str, Path] | None = None,
    folder: bool = False,
) -> int:
    """Has a result written and signs it before it gets its name.

    Args:
        export: Writes to the path it is given, and returns the number of frames.
        out: The result's name. Signed are files of a kind that can hold a manifest or have it beside them, and folders of PNG
            frames (whose first picture holds it); others are written as ever.
        marks: Whether to sign, and what to do where that fails.
        provenance: How it was made.
        inputs: See `visiongen.marking.credentials.sign`.
        folder: `out` is a folder of frames.
    Returns:
        What `export` returns.
    Raises:
        VisionGenError: It was not written, or not signed where that was required.
    """
    if marks.credentials == "none" or not (folder or can_be_signed(out)):
        if marks.credentials == "require":
            raise MediaError(
                f"{out} cannot be signed: its kind holds no Content Credentials; choose mp4, webm, gif, webp or png"
            )
        count = export(out)
        if (beside := manifest_beside(out)) and beside.exists() and belongs_to(beside, out.name):
            with writing(beside):
                beside.unlink()  # of an earlier film: it would call this one changed
        return count
    beside, manifest = manifest_beside(out), None
    is_foreign = beside is not None and beside.exists() and not (out.exists() or belongs_to(beside, out.name))
    with (whole_folder if folder else whole_file)(out) as part:
        if folder:
            part.rmdir()  # an exporter may want to make it
        with _own_name(part, out):
            count = export(part)
        target = next(iter(sorted(part.glob("*.png"))), None) if folder else part
        try:
            if target is None or not target.is_file():
                raise MediaError(f"{out} is not signed: it holds no picture that could be")
            if is_foreign:
                raise MediaError(
                    f"{beside} is there already and belongs to another file; move it away to have {out} signed"
                )
            manifest = sign(target, title=out.name, provenance=provenance, inputs=inputs)
        except MediaError as error:
            if marks.credentials == "require":
                raise
            logger.warning("%s: written without Content Credentials, with the other marks: %s", out.name, error)
        if beside is not None and not is_foreign:
            with writing(beside):
                beside.unlink(missing_ok=True)  # that of the file which is replaced now
    if beside is not None and manifest is not None:
        with whole_file(beside) as part, writing(beside):
            part.write_bytes(manifest)
    return count


@contextmanager
def _own_name(part: Path, out: Path) -> Iterator[None]:
    """Messages of the block name the file the user asked for, not the one it is for now."""
    try:
        yield
    except VisionGenError as error:
        text = str(error).replace(str(part), str(out)).replace(part.name, out.name)
        if text == str(error):
            raise
        raise type(error)(text) from error
