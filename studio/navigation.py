"""The pages of the studio, in their order; one is listed where its file is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class PageEntry:
    """One page."""

    file: str
    """Below the studio's folder; what `st.switch_page` takes."""
    title: str
    icon: str
    default: bool = False


PAGES = (
    PageEntry(file="app_pages/animate.py", title="Animate", icon=":material/movie:", default=True),
    PageEntry(file="app_pages/inspect_frames.py", title="Inspect", icon=":material/frame_inspect:"),
    PageEntry(file="app_pages/failures.py", title="Failure cases", icon=":material/troubleshoot:"),
    PageEntry(file="app_pages/compare.py", title="Compare", icon=":material/compare:"),
    PageEntry(file="app_pages/metrics.py", title="Metrics", icon=":material/monitoring:"),
    PageEntry(file="app_pages/rate.py", title="Rate", icon=":material/grade:"),
    PageEntry(file="app_pages/live.py", title="Live", icon=":material/videocam:"),
    PageEntry(file="app_pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
    PageEntry(file="app_pages/verify.py", title="Verify", icon=":material/verified:"),
    PageEntry(file="app_pages/plugin_list.py", title="Plugins", icon=":material/extension:"),
    PageEntry(file="app_pages/about.py", title="About", icon=":material/info:"),
)


def present_pages() -> list[PageEntry]:
    """Those whose file is there."""
    return [page for page in PAGES if (FOLDER / page.file).is_file()]


def is_present(file: str) -> bool:
    """Whether the page of this file can be opened."""
    return (FOLDER / file).is_file()
