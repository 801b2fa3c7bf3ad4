"""Pictures, videos and their sound in: checked, upright, streamed. No other module opens a file of the user's.

Pillow reads pictures, PyAV reads videos; both are limited to a list of safe formats, and PyAV to local files: a
playlist that calls itself .mp4 opens nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import math
import stat
import warnings
import wave
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visiongen import containers
from visiongen.datatypes import DrivingClip, FrameBatch
from visiongen.errors import MediaError
from visiongen.upright import upright_size

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger("visiongen")

PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Pillow's names; it can read more, but the rest is rarely a portrait and often a hole."""
MIN_PICTURE_SIDE, MAX_PICTURE_PIXELS = 16, 80_000_000
MOST_BATCH_BYTES = 128 << 20
"""Of the frames that `read_frames` holds at a time."""
SOUND_RATE = 48000
"""Samples per second of `write_sound`: what Opus needs and every player takes."""
FRAME_TOLERANCE = Fraction(1, 1000)
"""Of a frame: a start written as 0.033 still means frame 1 at 30000/1001 per second."""


def sha256(path: Path | str) -> str:
    """The SHA-256 checksum of a file, 64 hexadecimal digits.

    Raises:
        MediaError: The file cannot be read.
    """
    path = _regular_file(path, "file")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise MediaError(f"the file {path} cannot be read ({error.strerror}); check the disk it is on") from error
    return digest.hexdigest()


def _regular_file(path: Path | str, kind: str) -> Path:
    """`path`, when it is a readable, non-empty, ordinary file."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path} is a folder; give the {kind} itself")
        if not stat.S_ISREG(mode):
            raise MediaError(f"{path} is not an ordinary file; save the {kind} to a file first")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"the {kind} {path} is empty (0 bytes); it was probably not saved completely")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a zero byte in the name
        raise MediaError(f"the {kind} {path} does not exist; check its name") from error
    except PermissionError as error:
        raise MediaError(f"the {kind} {path} may not be read; change its permissions or copy it") from error
    except OSError as error:
        raise MediaError(f"the {kind} {path} cannot be read ({error.strerror}); check its name and disk") from error
    return path


# --- pictures ---------------------------------------------------------------------------------------------------------


def read_picture(path: Path | str) -> np.ndarray:
    """A picture, upright (EXIF) and in sRGB.

    Grey, palette, CMYK and 16-bit pictures are converted, transparent ones laid on white: that is what viewers show,
    whereas the hidden colour below transparency is arbitrary and usually black. Of an animation the first frame.

    Returns:
        (H, W, 3) uint8 RGB, at least 16x16 px, at most 80 megapixels.
    Raises:
        MediaError: Not a picture, or one that is damaged, cut off, too small or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = _regular_file(path, "picture")
    too_large = f"the picture {path} has more than {MAX_PICTURE_PIXELS // 10**6} megapixels; scale it down"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=PICTURE_FORMATS)
        with image:
            width, height = image.size
            if width * height > MAX_PICTURE_PIXELS:
                raise MediaError(too_large)
            if min(width, height) < MIN_PICTURE_SIDE:
                need = f"{MIN_PICTURE_SIDE}x{MIN_PICTURE_SIDE}"
                raise MediaError(f"the picture {path} is {width}x{height} px; give one of at least {need} px")
            image.load()
            return _rgb_pixels(ImageOps.exif_transpose(image), path)
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(too_large) from error
    except UnidentifiedImageError as error:
        raise MediaError(_why_not_a_picture(path)) from error
    except Exception as error:  # damaged data makes Pillow's decoders raise nearly anything
        raise MediaError(f"the picture {path} is damaged or cut off ({error}); save or download it again") from error


def _why_not_a_picture(path: Path) -> str:
    with contextlib.suppress(MediaError):
        probe(path)
        return f"{path} is a video; give a picture ({', '.join(PICTURE_FORMATS)}), for example one of its frames"
    with path.open("rb") as file:
        kind = " (HEIC or AVIF)" if file.read(12)[4:8] == b"ftyp" else ""
    return f"{path} is not a picture that can be read{kind}; save it as one of {', '.join(PICTURE_FORMATS)}"


def _rgb_pixels(image: Image, path: Path) -> np.ndarray:
    """Any mode of Pillow's as (H, W, 3) uint8 RGB."""
    from PIL import Image as image_module

    if image.mode[0] in "IF":  # 16 and 32 bits, grey
        return np.repeat(_eight_bits(np.asarray(image), image.mode)[:, :, None], 3, axis=2)
    try:
        if image.has_transparency_data:
            image = _to_srgb(image.convert("RGBA"))
            return np.array(image_module.alpha_composite(image_module.new("RGBA", image.size, "white"), image))[..., :3]
        return np.array(_to_srgb(image if image.mode == "CMYK" else image.convert("RGB")))
    except ValueError as error:
        raise MediaError(f"the picture {path} has colours of kind {image.mode}; save it as PNG or JPEG") from error


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey (H, W) of more than 8 bits scaled to uint8. Where the mode leaves the range open, the smallest that fits."""
    values = np.nan_to_num(values.astype(np.float32))
    ranges = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0, 2.0**31)}.get(mode, (65535.0,))
    full = next((top for top in ranges if values.max() <= top), ranges[-1])
    return np.clip(np.rint(values * (255.0 / full)), 0, 255).astype(np.uint8)


def _to_srgb(image: Image) -> Image:
    """RGB, RGBA or CMYK through the embedded colour profile to sRGB (phones save Display P3)."""
    from PIL import ImageCms

    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    profile = image.info.get("icc_profile")
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        logger.debug("colour profile ignored: %s", error)
    return image.convert(mode)


# --- videos -----------------------------------------------------------------------------------------------------------


def probe(path: Path | str, *, start: float = 0.0, end: float | None = None, to_end: bool = False) -> DrivingClip:
    """A driving video, looked at but not decoded beyond its first frames; of one seen to break off, a warning is logged.

    Args:
        path: A local video file with at least two frames.
        start: Where the used piece begins, seconds after the first frame.
        end: Where it ends (half-open: the frame at `end` is not in it); None: with the file.
        to_end: Find the end of the picture where it is, also in a long file that is cut off and still states its whole length.
            The file is read through, but not decoded.
    Returns:
        The clip. `fps` is the constant rate of `read_frames`: that of the file, the average one where it varies.
        `start` and `end` are moved to the next frame.
    Raises:
        MediaError: Not a video, no moving picture in it, damaged, too large, or nothing between `start` and `end`.
    """
    path = _regular_file(path, "video")
    _refuse_pictures(path)
    with containers.opened(path) as container:
        stream = containers.video_stream(container, path)
        look = containers.first_look(container, stream, path, to_end=to_end)
        height, width = upright_size(look.frames[0], stream)
        has_audio = any(track.codec_context is not None for track in container.streams.audio)
    containers.check_size(width, height, path)
    first, last = _piece(path, look, start, end)
    total = max(1, round(look.seconds * look.fps))
    return DrivingClip(
        path=path,
        fps=look.fps,
        num_frames=max(1, (total if last is None else min(last, total)) - first),
        height=height,
        width=width,
        has_audio=has_audio,
        start=float(first / look.fps),
        end=None if last is None else float(last / look.fps),
    )


def _refuse_pictures(path: Path) -> None:
    # Those plugins that Pillow does not load at once: for one that is missing it would load all, a tenth of a second.
    from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401

    frames, kind = 0, ""
    with contextlib.suppress(Exception), Image.open(path, formats=PICTURE_FORMATS) as image:  # mostly: not a picture
        frames, kind = getattr(image, "n_frames", 1), image.format
    if frames == 1:
        raise MediaError(f"{path} is a still picture; give a video (MP4, WEBM, MOV, GIF, ...)")
    if kind == "WEBP":
        raise MediaError(f"{path} is an animated WEBP, which cannot be read as a video; save it as MP4 or GIF")


def _piece(path: Path, look: containers.FirstLook, start: float, end: float | None) -> tuple[int, int | None]:
    """The numbers of the first frame of a piece and of the first one after it."""
    asked = f"from {start:g} s to {'the end' if end is None else f'{end:g} s'}"
    length = f"{path} is {look.seconds:.2f} s long"
    if not 0 <= start < look.seconds:
        raise MediaError(f"{length}, so it has nothing {asked}; give a start within it")
    first = math.ceil(Fraction(start) * look.fps - FRAME_TOLERANCE)
    last = None
    if end is not None:
        last = math.ceil(Fraction(min(end, look.seconds + 1)) * look.fps - FRAME_TOLERANCE) if end > start else first
    if last is not None and last <= first:
        raise MediaError(f"{length}, and no frame of it lies {asked}; give an end after the start")
    return first, last


def read_frames(clip: DrivingClip, *, batch_size: int = 16) -> Iterator[FrameBatch]:
    """The frames of a clip between its start and end, upright, at the constant rate `clip.fps`.

    Only `batch_size` frames are held; it can be called again and closed early. Frame i is the one nearest in time to
    ``clip.start + i / clip.fps``. Where the file breaks off, what was read until then is used, with a warning.

    Args:
        clip: From `probe`.
        batch_size: Frames at a time; the last batch may be shorter, and all of very large frames are.
    Returns:
        Batches (B, H, W, 3); times count from 0 at `clip.start`.
    Raises:
        MediaError: No frame can be read.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but got {batch_size}")
    path = _regular_file(clip.path, "video")
    batch_size = min(batch_size, max(1, MOST_BATCH_BYTES // (3 * clip.height * clip.width)))
    faults: list[str] = []
    count = 0
    frames = containers.at_constant_rate(containers.frames_in_time(path, clip, faults), clip)
    while pixels := list(islice(frames, batch_size)):
        times = np.arange(count, count + len(pixels)) * float(1 / clip.fps)
        count += len(pixels)
        yield FrameBatch(pixels=np.stack(pixels), times=times)
    if not count:
        raise MediaError(f"no frame of {path} from {clip.start:g} s on can be decoded; it is probably cut off")
    if faults or (clip.num_frames or 0) - count > containers.MISSED * clip.fps:
        what = f"is damaged ({faults[0]})" if faults else "breaks off"
        logger.warning("the video %s %s; %d of about %s frames were read", path, what, count, clip.num_frames)


def write_sound(clip: DrivingClip, wav: Path) -> float:
    """Writes the sound around a clip's piece as 16-bit stereo WAV of `SOUND_RATE`, holes filled with silence.

    Args:
        clip: With `has_audio`.
        wav: The file to write.
    Returns:
        Seconds of sound in `wav` before `clip.start`, not negative.
    Raises:
        MediaError: No sound can be decoded.
    """
    path = _regular_file(clip.path, "video")
    with wave.open(str(wav), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SOUND_RATE)
        lead, written = 0.0, 0
        for time, samples in containers.sound_in_time(path, clip, SOUND_RATE):
            if not written:
                lead = max(0.0, -float(time))
            hole = round((float(time) + lead) * SOUND_RATE) - written
            if hole > SOUND_RATE / 50 or not written:
                file.writeframes(bytes(4 * max(0, hole)))
                written += max(0, hole)
            file.writeframes(samples.tobytes())
            written += len(samples)
    if not written:
        raise MediaError(f"the sound of {path} cannot be decoded; save the video again as MP4")
    return lead
