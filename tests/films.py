"""Films of numbered frames and beeps, whose every frame and tone can be found again, shared by the tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongen.datatypes import FrameBatch

NTSC = Fraction(30000, 1001)
_BITS = 8


def numbered_frame(number: int, *, height: int = 48, width: int = 64) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Lower half: `number` in black and white stripes; upper half: red left, blue right."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = (200, 30, 30)
    frame[: height // 2, width // 2 :] = (30, 30, 200)
    for bit in range(_BITS):
        left, right = bit * width // _BITS, (bit + 1) * width // _BITS
        frame[height // 2 :, left:right] = 235 if number >> bit & 1 else 20
    return frame


def frame_number(frame: np.ndarray) -> int:
    """The number written into a frame by `numbered_frame`, also after lossy compression."""
    height, width = frame.shape[:2]
    row = frame[height * 3 // 4].mean(axis=1)
    return sum((row[(2 * bit + 1) * width // (2 * _BITS)] > 128) << bit for bit in range(_BITS))


def beeps(seconds: np.ndarray) -> np.ndarray:
    """A tone of 0.1 s at every half second, in [-1, 1]."""
    return np.where(seconds % 0.5 < 0.1, 0.5 * np.sin(2 * np.pi * 1000 * seconds), 0.0)


def beep_times(samples: np.ndarray, rate: int) -> np.ndarray:
    """Seconds at which the tones of `beeps` begin in mono `samples`."""
    loud = np.convolve(np.abs(samples) > 0.1, np.ones(rate // 100), "same") > 1
    return np.flatnonzero(np.diff(loud.astype(int), prepend=0) == 1) / rate + 0.005


def tiny_video(
    path: Path,
    *,
    fps: Fraction = NTSC,
    num_frames: int = 30,
    height: int = 48,
    width: int = 64,
    audio: bool = True,
    audio_delay: float = 0.0,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    rotation: tuple[Any, ...] | None = None,
    aspect: Fraction | None = None,
    sound: Callable[[np.ndarray], np.ndarray] = beeps,
    options: dict[str, str] | None = None,
) -> Path:
    """A real video of numbered frames, the container chosen by the suffix.

    Args:
        times: Seconds of the frames, for a variable rate (then `num_frames` is ignored).
        rotation: Arguments of PyAV's `set_display_rotation`: how the player shall turn it.
        aspect: Of a pixel, width over height.
        audio_delay: Seconds by which the sound begins after the picture.
    """
    import av

    time_base = Fraction(1, 90000) if times is not None else 1 / fps
    ticks = [round(t * 90000) for t in times] if times is not None else range(num_frames)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=fps, options=options or {}, time_base=time_base)
        video.height, video.width, video.pix_fmt = height, width, pix_fmt
        video.codec_context.gop_size = 10
        if rotation is not None:
            if not hasattr(video, "set_display_rotation"):
                pytest.skip("this PyAV cannot write a rotation")
            video.set_display_rotation(*rotation)
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        track = None
        if audio:
            track = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000, layout="stereo")
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, height=height, width=width), format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = tick, time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if track is not None:
            length = float((ticks[-1] + 1) * time_base) if times is None else times[-1]
            for packet in _encoded_sound(track, sound, length, audio_delay):
                container.mux(packet)
    return path


def copied_picture(path: Path, out: Path, *, times: int = 1, stands: float | None = None) -> Path:
    """The picture of a video, `times` over and with its index first, so that it can be cut off.

    Args:
        stands: s of the last frame; None: as long as it was.
    """
    import av

    with av.open(str(path)) as whole, av.open(str(out), "w", options={"movflags": "faststart"}) as container:
        track = container.add_stream_from_template(whole.streams.video[0])
        packets = [packet for packet in whole.demux(video=0) if packet.pts is not None]
        length = sum(packet.duration for packet in packets)
        for number in range(times):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts + number * length, packet.dts + number * length
                copy.time_base, copy.duration = packet.time_base, packet.duration
                copy.is_keyframe, copy.stream = packet.is_keyframe, track
                if stands is not None and packet is packets[-1]:
                    copy.duration = round(stands / packet.time_base)
                container.mux(copy)
    return out


def packet_places(path: Path, kind: str) -> list[tuple[int, int]]:
    """Position and size in the file of the packets of its `kind` ("video", "audio") of track."""
    import av

    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(getattr(container.streams, kind)[0]) if p.size]


def _encoded_sound(track: Any, sound: Callable, length: float, delay: float) -> Iterator[Any]:
    import av

    seconds = np.arange(round(delay * 48000), round(length * 48000)) / 48000
    for begin in range(0, len(seconds), 1024):
        block = sound(seconds[begin : begin + 1024]).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([block, block]), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = begin + round(delay * 48000)
        yield from track.encode(frame)
    yield from track.encode(None)


def numbered_batches(
    num_frames: int, *, height: int = 48, width: int = 64, fps: Fraction = NTSC, batch_size: int = 4
) -> Iterator[FrameBatch]:
    """What a generator gives: numbered frames, a few at a time."""
    for first in range(0, num_frames, batch_size):
        numbers = range(first, min(first + batch_size, num_frames))
        pixels = np.stack([numbered_frame(n, height=height, width=width) for n in numbers])
        yield FrameBatch(pixels=pixels, times=np.array(numbers) / float(fps))


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Inside the block root is nobody: root itself may read and write everything."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
