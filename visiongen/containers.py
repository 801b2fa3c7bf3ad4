"""What is inside a video file: its tracks, its rate, its frames in time. The part of `visiongen.media` that is PyAV.

Everything here takes an open container; `media` checks files and makes `DrivingClip` and `FrameBatch` of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visiongen.datatypes import DrivingClip
from visiongen.errors import MediaError
from visiongen.upright import orientation_of, upright_pixels

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

logger = logging.getLogger("visiongen")

VIDEO_FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,asf,ogg,mxf,dv,nut,yuv4mpegpipe,gif,apng,"
    "mp3,wav,flac"  # refused later, as sound without a picture
)
"""ffmpeg's names of containers that hold one film in one file: no playlists, no devices, no patterns of pictures."""
MAX_VIDEO_SIDE = 4096
"""px; larger videos are refused."""
MAX_FPS, REDUCED_FPS = 120, 60
"""A file of more frames per second than the first is read at about the second."""

STANDARD_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 90, 100, 120)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)),
)
PROBED_PACKETS, REORDERED_PACKETS = 250, 16  # packets looked at; how far decoding order may differ from time's
REGULAR_SHARE = 0.8  # of the steps in time that must be equal for the rate to be called constant
MAX_JUMP = 10  # s; a longer hole between two frames is a broken time stamp, not a long still
MISSED = 1.0  # s; what may be missing at the end without a word: stated lengths are often a little too long
MAX_HOLD = 1.0  # s; how long the last frame of a variable-rate video may stand


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """An open video file. PyAV's errors, also those inside the block, become MediaError."""
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": VIDEO_FORMATS}
    try:
        # absolute, so that a name like "concat:a" is not taken for a protocol
        container = av.open(os.path.abspath(path), options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        hint = "save or download it again, best as MP4"
        raise MediaError(f"{path} is not a video that can be read, or it is cut off; {hint}") from error
    try:
        with container:
            yield container
    except av.FFmpegError as error:
        raise MediaError(f"the video {path} cannot be decoded ({error.strerror}); save it again as MP4") from error


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The moving picture of a file: no cover picture, not too large."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & covers and s.codec_context is not None]
    if not streams:
        only = " but sound" if container.streams.audio else ""
        raise MediaError(f"{path} holds no moving picture{only}; give a video with a picture track")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    stream.thread_type = "AUTO"
    return stream


def check_size(width: int, height: int, path: Path) -> None:
    """Refuses frames beyond `MAX_VIDEO_SIDE`."""
    if max(width, height) > MAX_VIDEO_SIDE:
        limit = f"{MAX_VIDEO_SIDE}x{MAX_VIDEO_SIDE}"
        raise MediaError(f"the video {path} is {width}x{height} px; scale it down to {limit} px at most")


def origin(stream: Stream) -> Fraction:
    """Seconds on the container's clock at which a track begins: time 0 of a `DrivingClip`, for its video track."""
    return Fraction(stream.start_time or 0) * stream.time_base


@dataclass
class FirstLook:
    """What the beginning of a video (or all of it, where it must be) tells."""

    frames: list[VideoFrame] = field(default_factory=list)
    """Two decoded frames."""
    ticks: list[int] = field(default_factory=list)
    """Time stamps of packets in the track's time base, in file order."""
    complete: bool = False
    """`ticks` are those of the whole file."""
    fps: Fraction = Fraction(25)
    seconds: float = 0.0


def first_look(container: InputContainer, stream: VideoStream, path: Path, *, to_end: bool = False) -> FirstLook:
    """Two frames, rate and length. Warns of a picture that ends long before its file says.

    Args:
        container, stream, path: An open file and its moving picture.
        to_end: Read its packets to the end, so that the length is true also of a long file that is cut off; else that is
            done only where nothing else tells the length, or where it is short.
    Raises:
        MediaError: There are no two frames: a still picture, or a file cut off at once.
    """
    look, faults, last, hold = FirstLook(), [], 0, 0
    declared = declared_seconds(container, stream)
    look.complete = True
    for packet in packets(container, stream, faults):
        if packet.pts is not None and not packet.is_discard:
            last, hold = max(last, packet.pts), packet.duration or 0
            if look.complete:
                look.ticks.append(packet.pts)
        if len(look.frames) < 2:
            look.frames += decoded(packet, faults)
        elif declared and len(look.ticks) >= PROBED_PACKETS:
            look.complete = False
            if not to_end:
                break
    if len(look.frames) < 2:
        look.frames += decoded(None, faults, stream)  # after a break nothing else flushes the decoder
    if len(look.frames) < 2:
        what = "holds a single frame" if look.frames else "has no frame that can be decoded"
        raise MediaError(f"{path} {what}; give a whole video: no still picture, and none that was cut off")
    look.fps = frame_rate(look, stream)
    if (look.complete or to_end) and len(look.ticks) > 1:
        begins = float(last * stream.time_base - origin(stream))  # the last frame
        stands = float(hold * stream.time_base)
        look.seconds = begins + held_seconds(stands, look.fps)
        # A last frame that stands long, as of a recorded screen, is no break.
        if declared and declared - begins - max(stands, 0.0) > MISSED:
            frames, announced = (round(float(seconds * look.fps)) for seconds in (look.seconds, declared))
            logger.warning(
                "%s announces %.1f s, but its picture breaks off after %.1f s: %d of about %d frames can be read",
                path, declared, look.seconds, frames, announced,
            )  # fmt: skip
    else:
        look.seconds = declared or float(len(look.frames) / look.fps)
    return look


def declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """The length of the video track as the file states it; None where it does not."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    with contextlib.suppress(KeyError, ValueError):  # Matroska: "00:00:02.002000000", on the container's clock
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - float(origin(stream))
    if container.duration:  # of the longest track
        return (container.duration + (container.start_time or 0)) / 1e6 - float(origin(stream))
    return None


def frame_rate(look: FirstLook, stream: VideoStream) -> Fraction:
    """A constant rate for a file: its own, the average where it varies, a fraction of it where it is absurd."""
    ticks = sorted(set(look.ticks))
    if not look.complete:
        ticks = ticks[:-REORDERED_PACKETS]
    steps = sorted(after - before for before, after in pairwise(ticks))
    stated = [Fraction(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    rate = stated[0] if stated else Fraction(25)
    regular = [step for step in steps if abs(step - steps[len(steps) // 2]) <= 0.1 * step + 1]
    constant = len(regular) >= REGULAR_SHARE * len(steps)  # a few dropped frames do not change the rate
    if steps and (look.complete or constant):
        counted = regular if constant else steps
        span = sum(counted) * stream.time_base
        measured = len(counted) / span
        # Time stamps in milliseconds must not make 2997/100 of 30000/1001: a known rate that explains them is taken.
        slack = max(span / 2500, (2 + len(steps) - len(counted)) * stream.time_base)
        near = stated[0] if stated else measured
        fitting = [known for known in (*stated, measured) if abs(len(counted) / known - span) <= slack]
        known = [known for known in STANDARD_RATES if abs(len(counted) / known - span) <= slack]
        rate = min(known, key=lambda k: abs(k - near)) if known else fitting[0].limit_denominator(1001)
    if rate > MAX_FPS:
        rate /= -(-rate // REDUCED_FPS)  # by a whole number, so that frames are dropped evenly
    return rate if rate > 0 else Fraction(25)


def held_seconds(duration: float, fps: Fraction) -> float:
    """How long the last frame stands, given the (often missing or absurd) duration the file states for it."""
    return duration if 0 < duration <= MAX_HOLD else float(1 / fps)


def packets(container: InputContainer, stream: Stream, faults: list[str]) -> Iterator[Packet]:
    """Packets of one track until the file ends or breaks; what breaks it goes into `faults`."""
    import av

    source = container.demux(stream)
    while True:
        try:
            packet = next(source)
        except StopIteration:
            return
        except av.FFmpegError as error:
            faults.append(str(error.strerror))
            return
        yield packet


def decoded(packet: Packet | None, faults: list[str], stream: Stream | None = None) -> list:
    """Frames of a packet (None, with `stream`: what the decoder still holds); none where it is damaged."""
    import av

    try:
        return packet.decode() if packet is not None else stream.decode(None)
    except av.error.EOFError:  # flushed before
        return []
    except av.FFmpegError as error:
        faults.append(str(error.strerror))
        return []


def frames_in_time(path: Path, clip: DrivingClip, faults: list[str]) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Decoded frames with their seconds after the file's first one, rising; begins before `clip.start`."""
    import av

    target = Fraction(clip.start) - 1 / clip.fps
    for sought in (True, False) if target > 0 else (False,):
        with opened(path) as container:
            stream = video_stream(container, path)
            if sought:
                with contextlib.suppress(av.FFmpegError):
                    container.seek(int((target + origin(stream)) / stream.time_base), stream=stream)
            frames = _rising(container, stream, clip, faults)
            first = next(frames, None)
            # Some containers cannot seek, or land behind the target: then from the beginning.
            if sought and (first is None or first[0] > target + Fraction(1, 2) / clip.fps):
                faults.clear()
                continue
            if first is not None:
                yield from chain([first], frames)
            return


def _rising(
    container: InputContainer, stream: VideoStream, clip: DrivingClip, faults: list[str]
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Frames whose times only rise: missing, repeated and jumping time stamps are mended."""

    def frames() -> Iterator[VideoFrame]:
        for packet in packets(container, stream, faults):
            yield from decoded(packet, faults)
        yield from decoded(None, faults, stream)  # after a break nothing else flushes the decoder

    begin, step = origin(stream), 1 / clip.fps
    shift, previous = Fraction(0), None
    for frame in _in_order(frames()):
        check_size(frame.width, frame.height, clip.path)
        time = (previous + step if previous is not None else Fraction(0)) if frame.pts is None else None
        if time is None:
            time = frame.pts * frame.time_base - begin + shift
        if previous is not None:
            if -1 < time - previous <= 0:
                continue
            if not 0 < time - previous <= MAX_JUMP:
                shift += previous + step - time
                time = previous + step
        previous = time
        yield time, frame


def _in_order(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """Frames with two put right where the decoder gave the later one first, as it does after a hole in the file.

    Taken for a jump of the clock, such a frame would make the clip longer by the hole.
    """
    held, last = None, None
    for frame in frames:
        if held is not None:
            if None not in (last, held.pts, frame.pts) and last < frame.pts < held.pts:
                held, frame = frame, held
            yield held
            last = held.pts
        held = frame
    if held is not None:
        yield held


def at_constant_rate(frames: Iterator[tuple[Fraction, VideoFrame]], clip: DrivingClip) -> Iterator[np.ndarray]:
    """For every i / fps between start and end the pixels (H, W, 3) of the frame nearest in time."""
    from av.video.reformatter import VideoReformatter

    fps, converter = clip.fps, VideoReformatter()  # one for all frames: a new one each costs more than it does
    index = round(Fraction(clip.start) * fps)
    stop = None if clip.end is None else round(Fraction(clip.end) * fps)
    held: VideoFrame | None = None
    held_time, pixels = Fraction(0), None
    # Asked of one frame only: PyAV's frame and its side data hold each other, and so stay in memory until Python looks for
    # circles. With one such circle a frame, large films take gigabytes.
    orientation: tuple[int, bool] | None = None
    for time, frame in chain(frames, [(None, None)]):
        if held is not None:
            if time is None:
                duration = float((held.duration or 0) * held.time_base) if held.time_base else 0.0
                until = held_time + Fraction(held_seconds(duration, fps)) - Fraction(1, 2) / fps
            else:
                until = (held_time + time) / 2
            while index / fps < until and (stop is None or index < stop):
                orientation = orientation or orientation_of(held)
                if pixels is None:
                    pixels = upright_pixels(held, clip.height, clip.width, converter, orientation)
                yield pixels
                index += 1
        if stop is not None and index >= stop:
            return
        held, held_time, pixels = frame, time, None


def sound_in_time(path: Path, clip: DrivingClip, rate: int) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Blocks of sound around the piece, (S, 2) int16 at `rate`, with their seconds after `clip.start`.

    Begins before the piece (unless the sound itself begins later) and ends after it.
    """
    import av

    start, length = Fraction(clip.start), None if clip.end is None else Fraction(clip.end) - Fraction(clip.start)
    for sought in (True, False) if start > 1 else (False,):
        with opened(path) as container:
            zero = origin(video_stream(container, path)) + start
            track = container.streams.best("audio")
            if track is None:
                return
            if sought:  # half a second early: a decoder needs a run-up
                with contextlib.suppress(av.FFmpegError):
                    container.seek(int((zero - Fraction(1, 2)) / track.time_base), stream=track)
            blocks = _sound(container, track, rate)
            first = next(blocks, None)
            if sought and (first is None or first[0] > zero):
                continue
            for time, samples in chain([first] if first else [], blocks):
                if length is not None and time - zero > length + Fraction(1, 10):
                    break
                yield time - zero, samples
            return


def _sound(container: InputContainer, track: AudioStream, rate: int) -> Iterator[tuple[Fraction, np.ndarray]]:
    import av

    resampler = av.AudioResampler(format="s16", layout="stereo", rate=rate)
    after = origin(track)
    for packet in chain(packets(container, track, []), [None]):
        frames = decoded(packet, []) if packet is not None else [None]
        for frame in frames:
            try:
                blocks = resampler.resample(frame)
            except (ValueError, av.FFmpegError):  # the track changes its format: what follows is left out
                return
            for block in blocks:
                time = after if block.pts is None else block.pts * block.time_base
                after = time + Fraction(block.samples, rate)
                yield time, block.to_ndarray().reshape(-1, 2)
