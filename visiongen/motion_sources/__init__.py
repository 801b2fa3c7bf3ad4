"""The built-in motion sources; each works in its own module, imported when it is chosen."""

from __future__ import annotations

from collections.abc import Iterable

from visiongen.hookspecs import Component, MotionSource, NoOptions, hookimpl

TEMPLATE_SUFFIX = ".npz"
VIDEO_SOURCE = "video"
"""The one that finds faces."""


def _load_video(options: NoOptions, *, device: str) -> MotionSource:
    from visiongen.motion_sources.video import VideoSource

    return VideoSource()


def _load_template(options: NoOptions, *, device: str) -> MotionSource:
    from visiongen.motion_sources.template import TemplateSource

    return TemplateSource()


@hookimpl
def visiongen_motion_sources() -> Iterable[Component]:
    """Offer video and template."""
    yield Component(
        name=VIDEO_SOURCE,
        summary="MediaPipe face mesh on every frame of a video; also taken for endings that nothing else reads",
        load=_load_video,
        suffixes=(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif"),
    )
    yield Component(
        name="template",
        summary="A motion saved before, for example with --save-motion",
        load=_load_template,
        suffixes=(TEMPLATE_SUFFIX,),
    )
