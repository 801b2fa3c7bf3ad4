"""What components need from the server: their own source, and files that the page fetches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime

_FOLDER = Path(__file__).resolve().parent
MEDIA_TYPES = {
    ".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif", ".webp": "image/webp", ".png": "image/png",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
}  # fmt: skip
AS_IT_IS = "video/x-visiongen"
"""Type of arrays and packs of frames. Streamlit compresses all but pictures, sound and films, and no page hears from it
meanwhile: half a second for the frames of a short film, which are JPEGs and do not get smaller."""


@cache
def _source(name: str, ending: str) -> str:
    return (_FOLDER / f"{name}.{ending}").read_text(encoding="utf-8")


def component(name: str, *, scripts: Sequence[str] = (), is_isolated: bool = True) -> Callable[..., Any]:
    """The component whose HTML, CSS and JavaScript are ``name.html``, ``name.css`` and ``name.js``; `scripts` names more
    JavaScript that comes before. One that is not isolated is part of the page, with styles that hold for all of it.

    It is registered when it is used, not when a module is imported: a test, or a second server in one process, has a
    registry of its own. Registering the same source again is free.
    """
    style = (_source("player", "css") if is_isolated else "") + _source(name, "css")
    code = "\n".join(_source(script, "js") for script in (*scripts, name))
    return st.components.v2.component(
        f"visiongen_{name}", html=_source(name, "html"), css=style, js=code, isolate_styles=is_isolated
    )


def media_url(source: Path | bytes, *, place: str, media_type: str | None = None) -> str:
    """Where this session's page can fetch a file, with byte ranges; it stays as long as the page shows it.

    Args:
        source: A file, or its content.
        place: Unique among what the page shows at one time; another file at the same place takes its turn.
        media_type: Default: by the file's name; of content, `AS_IT_IS`.
    """
    if isinstance(source, Path):
        media_type = media_type or MEDIA_TYPES[source.suffix.lower()]
    content = str(source) if isinstance(source, Path) else source
    return runtime.get_instance().media_file_mgr.add(content, media_type or AS_IT_IS, place)
