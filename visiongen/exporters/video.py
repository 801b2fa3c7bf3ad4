"""MP4 and WebM: PyAV encodes picture and sound side by side while the frames arrive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from visiongen.datatypes import DrivingClip, FrameBatch, Provenance
from visiongen.exporters.planes import planar, unbiased, yuv_from_rgb
from visiongen.exporters.provenance import as_json
from visiongen.exporters.sound import CutSound, cut_sound
from visiongen.exporters.target import checked_frames, released, whole_file, write_error
from visiongen.media import SOUND_RATE

if TYPE_CHECKING:
    from visiongen.exporters import Mp4Options, WebmOptions

AHEAD_BYTES = 256 << 20
"""Memory for frames that the encoder waits with: large ones would fill gigabytes."""
_BYTES_AHEAD = 6
"""Of a pixel that waits: the picture, its half-pixel steps, smaller copies of it."""
_LEAST_AHEAD, _FAR_ENOUGH = 3, 8
_MANY_PIXELS = 1024 * 768
"""From here on encoding, which the frames wait for, holds up the whole job."""
_SUPERFAST_CRF, _WORST_CRF = 3, 51
"""Preset superfast, without a tree of macroblocks, is so many levels better at the same crf: 51.8 and 49.0 dB at 17,
veryfast 51.2 and 49.1 at 14, of a drawing and a photograph that move, 1024 x 1024."""
BT709, BT601, LIMITED_RANGE = 1, 6, 1  # numbers of ISO/IEC 23091-2; 6 is SMPTE 170M


@dataclass(frozen=True, kw_only=True)
class VideoFormat:
    """How one kind of video file is written."""

    container: str
    video_codec: str
    audio_codec: str
    video_options: dict[str, str]
    container_options: dict[str, str] = field(default_factory=dict)
    comment: str = "comment"
    """Name of the tag that carries the provenance."""
    ahead: str
    """Option: how many frames the encoder looks ahead."""
    most_ahead: int
    """Frames that it looks ahead where nothing is said."""
    options_of_many_pixels: dict[str, str] = field(default_factory=dict)
    """Further options from `_MANY_PIXELS` on."""
    options_of_large: dict[str, str] = field(default_factory=dict)
    """Further options where it cannot look far ahead: threads share one frame instead of each having its own."""

    def frames_ahead(self, height: int, width: int) -> int:
        """How far ahead it may look at frames of this size, without taking more memory than `AHEAD_BYTES`."""
        return int(np.clip(AHEAD_BYTES // (_BYTES_AHEAD * height * width), _LEAST_AHEAD, self.most_ahead))


def mp4_format(options: Mp4Options) -> VideoFormat:
    """H.264 and AAC in MP4, its index at the beginning so that it plays while it loads."""
    preset, quicker = options.preset, {}
    if preset == "auto":
        crf = min(options.crf + _SUPERFAST_CRF, _WORST_CRF)
        preset, quicker = "veryfast", {"preset": "superfast", "crf": str(crf), "b_strategy": "0"}
    return VideoFormat(
        container="mp4",
        video_codec="libx264",
        audio_codec="aac",
        video_options={"crf": str(options.crf), "preset": preset},
        container_options={"movflags": "+faststart"},
        ahead="rc-lookahead",
        most_ahead=40,
        options_of_many_pixels=quicker,
        options_of_large={"bf": "0", "refs": "1", "x264-params": "sliced-threads=1"},
    )


def webm_format(options: WebmOptions) -> VideoFormat:
    """VP9 and Opus in WebM."""
    speed = {"deadline": "good", "cpu-used": str(options.speed), "row-mt": "1"}
    return VideoFormat(
        container="webm",
        video_codec="libvpx-vp9",
        audio_codec="libopus",
        video_options={"crf": str(options.crf), "b": "0", **speed},
        comment="COMMENT",
        ahead="lag-in-frames",
        most_ahead=25,
    )


class VideoExporter:
    """An `Exporter` of one `VideoFormat`."""

    def __init__(self, video_format: VideoFormat) -> None:
        self.format = video_format

    def export(
        self,
        batches: Iterable[FrameBatch],
        path: Path,
        *,
        fps: Fraction,
        sound: DrivingClip | None,
        provenance: Provenance,
    ) -> int:
        """Writes `batches` with the sound of `sound`, cut to their length; odd sizes grow by one repeated pixel."""
        path = Path(path)
        comment = {self.format.comment: as_json(provenance)}
        with whole_file(path) as part, cut_sound(sound, path) as ready, contextlib.ExitStack() as stack:
            muxer = None
            for pixels in checked_frames(batches, path):
                with encoding(path):
                    if muxer is None:
                        muxer = _Muxer(part, self.format, Fraction(fps), pixels.shape[1:3], ready, comment)
                        stack.enter_context(released(muxer.container))
                    muxer.write(pixels)
            with encoding(path):
                muxer.finish()
            return muxer.num_frames


@contextlib.contextmanager
def encoding(path: Path) -> Iterator[None]:
    """Makes MediaError of PyAV's errors; only around blocks that write."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise write_error(path, error) from error


class _Muxer:
    """One video file while it is written."""

    def __init__(
        self,
        part: Path,
        video_format: VideoFormat,
        fps: Fraction,
        size: tuple[int, int],
        sound: CutSound,
        metadata: dict[str, str],
    ) -> None:
        self.num_frames = 0
        self.fps = fps
        self.padding = [(0, 0), (0, size[0] % 2), (0, size[1] % 2), (0, 0)]
        options = video_format.container_options
        self.container = av.open(str(part), "w", format=video_format.container, container_options=options)
        self.container.metadata.update(metadata)
        self.video = self._add_video(video_format, (size[0] + size[0] % 2, size[1] + size[1] % 2))
        self.audio_codec, self.cut_sound = video_format.audio_codec, sound
        self.waiting: list[av.Packet] | None = []
        """Of the picture, until the sound is ready: a file's tracks are all known before its first packet is written, but the
        first frames shall not wait for the sound. None: nothing waits any more."""
        self.sound: Iterator[np.ndarray] | None = None
        self.audio = None
        self.samples, self.num_samples = np.empty((0, 2), np.float32), 0

    def _add_video(self, video_format: VideoFormat, size: tuple[int, int]) -> av.VideoStream:
        options = dict(video_format.video_options)
        if size[0] * size[1] >= _MANY_PIXELS:
            options |= video_format.options_of_many_pixels
        if (ahead := video_format.frames_ahead(*size)) < video_format.most_ahead:
            options[video_format.ahead] = str(ahead)
        if ahead < _FAR_ENOUGH:
            options |= video_format.options_of_large
        video = self.container.add_stream(video_format.video_codec, rate=self.fps, options=options)
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.time_base = 1 / self.fps
        context.gop_size = max(1, round(2 * self.fps))  # a key frame every two seconds: scrubbing stays quick
        # Players without tags guess by the size, and OpenCV always takes BT.601; so small pictures use that one.
        is_high = size[0] > 576
        self.planes = np.empty((size[0] * 3 // 2, size[1]), np.uint8)  # of every frame: PyAV copies them
        self.conversion = unbiased(yuv_from_rgb("BT.709" if is_high else "BT.601"))
        context.colorspace = BT709 if is_high else BT601
        context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        return video

    def write(self, pixels: np.ndarray) -> None:
        """Encodes frames (B, H, W, 3) and as much sound as they last."""
        if self.padding != [(0, 0)] * 4:
            pixels = np.pad(pixels, self.padding, mode="edge")
        for image in pixels:
            frame = av.VideoFrame.from_ndarray(planar(image, self.conversion, out=self.planes), format="yuv420p")
            frame.pts, frame.time_base = self.num_frames, 1 / self.fps
            self.num_frames += 1
            self._mux(self.video.encode(frame))
        self.cut_sound.begin()
        if self.waiting is not None and self.cut_sound.is_ready:
            self._begin_file()
        if self.audio is not None:
            self._write_sound(round(self.num_frames / self.fps * SOUND_RATE))

    def _mux(self, packets: list[av.Packet]) -> None:
        """Writes packets of the picture, now or when the file is begun."""
        if self.waiting is None:
            self.container.mux(packets)
        else:
            self.waiting += packets

    def _begin_file(self) -> None:
        """Waits for the sound, and begins to write."""
        self.sound = self.cut_sound()
        if self.sound is not None:
            self.audio = self.container.add_stream(self.audio_codec, rate=SOUND_RATE, layout="stereo")
            self.audio.bit_rate = 160_000
        packets, self.waiting = self.waiting, None
        self._mux(packets)

    def _write_sound(self, until: int) -> None:
        """Encodes the sound up to sample `until`, or to its end."""
        while self.num_samples < until:
            if not len(self.samples):
                self.samples = next(self.sound, self.samples)
                if not len(self.samples):
                    return
            block, self.samples = np.split(self.samples, [until - self.num_samples])
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self.num_samples, Fraction(1, SOUND_RATE)
            self.num_samples += len(block)
            self.container.mux(self.audio.encode(frame))

    def finish(self) -> None:
        """Empties the encoders and writes the index."""
        if self.waiting is not None:
            self._begin_file()
            if self.audio is not None:
                self._write_sound(round(self.num_frames / self.fps * SOUND_RATE))
        for stream in (self.video, self.audio):
            if stream is not None:
                self.container.mux(stream.encode(None))
        self.container.close()
