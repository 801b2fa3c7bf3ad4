"""The built-in exporters and their options; each works in the module of its format, imported when it is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from visiongen.exporters.target import check_target
from visiongen.hookspecs import Component, Exporter, hookimpl

__all__ = ["GifOptions", "Mp4Options", "PngOptions", "WebmOptions", "WebpOptions", "check_target"]

Preset = Literal["auto", "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


@dataclass(frozen=True, kw_only=True)
class Mp4Options:
    """Settings of the `mp4` exporter."""

    crf: int = field(default=14, metadata={"range": (1, 51), "step": 1})
    """Quality of H.264, 1 (nearly lossless) to 51 (worst); 16 looks like the original."""
    preset: Preset = "auto"
    """Speed of the encoder: the slower, the smaller the file at the same quality. auto: veryfast, and for frames of
    1024 x 768 and more superfast at as good a quality, in files half as large again."""


@dataclass(frozen=True, kw_only=True)
class WebmOptions:
    """Settings of the `webm` exporter."""

    crf: int = field(default=28, metadata={"range": (4, 63), "step": 1})
    """Quality of VP9, 4 (nearly lossless) to 63 (worst)."""
    speed: int = field(default=4, metadata={"range": (0, 5), "step": 1})
    """Speed of the encoder, 0 (slowest, smallest file) to 5."""


@dataclass(frozen=True, kw_only=True)
class GifOptions:
    """Settings of the `gif` exporter."""

    max_fps: float = field(default=25.0, metadata={"range": (1.0, 50.0), "step": 1.0})
    """Frames beyond this rate are left out evenly, frames per second; viewers slow down GIFs of more than 50."""
    colours: int = field(default=256, metadata={"range": (2, 256), "step": 1})
    """Number of colours in the palette, one for the whole film."""
    max_side: int = field(default=512, metadata={"range": (16, 4096), "step": 16})
    """Larger frames are scaled down so that the longer side has this length, px."""


@dataclass(frozen=True, kw_only=True)
class WebpOptions:
    """Settings of the `webp` exporter."""

    quality: int = field(default=85, metadata={"range": (0, 100), "step": 1})
    """Quality of the pictures, 0 (worst) to 100."""
    effort: int = field(default=4, metadata={"range": (0, 6), "step": 1})
    """Effort of the encoder, 0 (fast) to 6 (smallest file)."""


@dataclass(frozen=True, kw_only=True)
class PngOptions:
    """Settings of the `png` exporter."""

    compression: int = field(default=3, metadata={"range": (0, 9), "step": 1})
    """Effort of the (always lossless) compression, 0 (none, fast) to 9 (smallest files)."""


def _load_mp4(options: Mp4Options, *, device: str) -> Exporter:
    from visiongen.exporters.video import VideoExporter, mp4_format

    return VideoExporter(mp4_format(options))


def _load_webm(options: WebmOptions, *, device: str) -> Exporter:
    from visiongen.exporters.video import VideoExporter, webm_format

    return VideoExporter(webm_format(options))


def _load_gif(options: GifOptions, *, device: str) -> Exporter:
    from visiongen.exporters.gif import GifExporter

    return GifExporter(options)


def _load_webp(options: WebpOptions, *, device: str) -> Exporter:
    from visiongen.exporters.webp import WebpExporter

    return WebpExporter(options)


def _load_png(options: PngOptions, *, device: str) -> Exporter:
    from visiongen.exporters.png import PngExporter

    return PngExporter(options)


@hookimpl
def visiongen_exporters() -> Iterable[Component]:
    """Offer mp4, webm, gif, webp and png."""
    yield Component(
        name="mp4",
        summary="H.264 video with sound, plays everywhere",
        load=_load_mp4,
        options=Mp4Options,
        suffixes=(".mp4",),
    )
    yield Component(
        name="webm",
        summary="VP9 video with Opus sound, for the web",
        load=_load_webm,
        options=WebmOptions,
        suffixes=(".webm",),
    )
    yield Component(
        name="gif",
        summary="Animated GIF: no sound, by default at most 25 frames a second and 512 px",
        load=_load_gif,
        options=GifOptions,
        suffixes=(".gif",),
    )
    yield Component(
        name="webp",
        summary="Animated WebP: full colours, no sound, a fifth of a GIF's size",
        load=_load_webp,
        options=WebpOptions,
        suffixes=(".webp",),
    )
    yield Component(
        name="png",
        summary="A folder of lossless PNG frames, no sound",
        load=_load_png,
        options=PngOptions,
    )
