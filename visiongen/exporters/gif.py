"""Animated GIF with one good palette for the whole film.

The palette needs all frames before the first one can be written. They wait in a lossless H.264 file beside the result
(about as large as the GIF itself), so memory stays flat; the palette's histogram, which grows while they pass, sees
six bits a channel and therefore has an upper bound too.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.filter import Graph

from visiongen.datatypes import DrivingClip, FrameBatch, Provenance
from visiongen.exporters import GifOptions
from visiongen.exporters.provenance import as_json
from visiongen.exporters.target import checked_frames, released, scratch_file, whole_file, writing
from visiongen.exporters.video import encoding

logger = logging.getLogger("visiongen")

DITHER = "dither=bayer:bayer_scale=5:diff_mode=rectangle"
"""An ordered pattern stands still where the picture does; error diffusion crawls (and is larger and no better)."""


class GifExporter:
    """An `Exporter`, see above."""

    def __init__(self, options: GifOptions | None = None) -> None:
        self.options = options or GifOptions()

    def export(
        self,
        batches: Iterable[FrameBatch],
        path: Path,
        *,
        fps: Fraction,
        sound: DrivingClip | None,
        provenance: Provenance,
    ) -> int:
        """Writes `batches` without sound. The number is that of the frames taken in, also where some are left out."""
        path, fps = Path(path), Fraction(fps)
        written_fps = min(fps, Fraction(self.options.max_fps).limit_denominator(1001))
        with whole_file(path) as part, scratch_file(path, ".mkv") as store, scratch_file(path, ".raw.gif") as raw:
            palette, count, kept = self._store(checked_frames(batches, path), path, store, fps / written_fps)
            if kept < count:
                logger.info("%s: %d of %d frames, %.4g a second", path.name, kept, count, float(written_fps))
            with encoding(path):
                _write(store, palette, raw, written_fps)
            with writing(path):
                _add_comment(raw, part, as_json(provenance))
        return count

    def _store(
        self, pixels: Iterator[np.ndarray], path: Path, store: Path, step: Fraction
    ) -> tuple[av.VideoFrame, int, int]:
        """Keeps one frame in `step`; gives the palette, the number of frames seen and of those kept."""
        count = kept = 0
        stream = palette = None
        with ExitStack() as stack:
            for frames in pixels:
                with encoding(path):
                    for frame in frames:
                        if round(kept * step) == count:
                            frame = _fit(frame, self.options.max_side)
                            if stream is None:
                                height, width = frame.shape[:2]
                                if frame.shape != frames.shape[1:]:
                                    logger.info("%s: scaled down to %dx%d px", path.name, width, height)
                                container = av.open(str(store), "w", format="matroska")
                                stack.enter_context(released(container))
                                stream = _lossless_stream(container, height, width)
                                palette = _PaletteMaker(height, width, self.options.colours)
                            container.mux(stream.encode(_video_frame(frame, kept)))
                            palette.add(frame, kept)
                            kept += 1
                        count += 1
            with encoding(path):
                container.mux(stream.encode(None))
                container.close()
                return palette.finish(), count, kept


def _fit(frame: np.ndarray, max_side: int) -> np.ndarray:
    """A frame (H, W, 3), scaled down where its longer side exceeds `max_side`, px."""
    height, width = frame.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _video_frame(image: np.ndarray, number: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, 25)  # any rate: only the order counts until the GIF is written
    return frame


def _lossless_stream(container: av.container.OutputContainer, height: int, width: int) -> av.VideoStream:
    stream = container.add_stream("libx264rgb", rate=25, options={"qp": "0", "preset": "ultrafast"})
    stream.height, stream.width, stream.pix_fmt = height, width, "rgb24"
    return stream


class _PaletteMaker:
    """ffmpeg's palettegen, fed frame by frame."""

    def __init__(self, height: int, width: int, colours: int) -> None:
        self.graph = Graph()
        source = _buffer(self.graph, height, width, "rgb24")
        maker = self.graph.add("palettegen", f"max_colors={colours}:reserve_transparent=0:stats_mode=full")
        self.graph.link_nodes(source, maker, self.graph.add("buffersink")).configure()

    def add(self, frame: np.ndarray, number: int) -> None:
        self.graph.push(_video_frame((frame & 0xFC) | 2, number))
        for _ in _ready(self.graph):  # nothing yet, but only asking makes it work: else it keeps the frames
            pass

    def finish(self) -> av.VideoFrame:
        self.graph.push(None)
        return self.graph.pull()


def _buffer(graph: Graph, height: int, width: int, pixel_format: str) -> av.filter.context.FilterContext:
    pixel_format = av.VideoFormat(pixel_format)
    return graph.add_buffer(width=width, height=height, format=pixel_format, time_base=Fraction(1, 25))


def _write(store: Path, palette: av.VideoFrame, path: Path, fps: Fraction) -> None:
    """Draws the frames of `store` in the colours of `palette`."""
    with av.open(str(store)) as container, av.open(str(path), "w", format="gif") as gif:
        source = container.streams.video[0]
        graph = Graph()
        frames = _buffer(graph, source.height, source.width, "rgb24")
        colours = _buffer(graph, palette.height, palette.width, palette.format.name)
        painter = graph.add("paletteuse", DITHER)
        frames.link_to(painter, 0, 0)
        colours.link_to(painter, 0, 1)
        painter.link_to(graph.add("buffersink"))
        graph.configure()
        palette.pts, palette.time_base = 0, Fraction(1, 25)
        graph.push(palette, at=1)
        graph.push(None, at=1)

        stream = gif.add_stream("gif", rate=fps)
        stream.height, stream.width, stream.pix_fmt = source.height, source.width, "pal8"
        count = 0
        for frame in _chain_end(container.decode(source)):
            if frame is not None:
                frame = frame.reformat(format="rgb24")
                frame.pts, frame.time_base = count, Fraction(1, 25)
            graph.push(frame, at=0)
            for painted in _ready(graph):
                painted.pts, painted.time_base = count, 1 / fps
                count += 1
                gif.mux(stream.encode(painted))
        gif.mux(stream.encode(None))


def _chain_end(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame | None]:
    yield from frames
    yield None


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    """The frames a graph has finished."""
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _add_comment(source: Path, target: Path, text: str) -> None:
    """Copies a GIF, with a comment behind its global palette, where readers find it before the first frame."""
    data = text.encode("ascii")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    with source.open("rb") as gif, target.open("wb") as file:
        head = gif.read(13)
        has_palette, bits = head[10] >> 7, head[10] & 7
        file.write(head + gif.read(3 * 2 ** (bits + 1) if has_palette else 0))
        file.write(b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0")
        shutil.copyfileobj(gif, file, 1 << 20)
