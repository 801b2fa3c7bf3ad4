"""A finished run: player, numbers, downloads, where to go from here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from studio.empty_page import empty_page
from studio.heard import is_unsigned
from studio.job_view import stage_times
from studio.navigation import is_present
from studio.session import get_queue, get_store, open_page
from studio.settings import without_ending
from studio.store import Run
from visiongen import choose
from visiongen.errors import VisionGenError
from visiongen.marking.credentials import manifest_beside

MEDIA_TYPES = {
    ".mp4": "video/mp4", ".gif": "image/gif", ".webp": "image/webp", ".webm": "video/webm", ".npz": "application/zip",
    ".zip": "application/zip",
}  # fmt: skip
SHOWN_SCORES = (
    ("ssim", "SSIM", 3), ("ksr", "KSR", 3), ("akd", "AKD, px", 2), ("stability", "Stability", 3),
    ("identity_proxy", "Likeness (proxy)", 3),
)  # fmt: skip


def show_result(run: Run) -> None:
    """Everything about a run that is done; of one that failed, why."""
    if run.state == "failed":
        st.error(run.problem or "This render failed.")
        return
    if run.state == "stopped":
        empty_page("stop_circle", "This render was stopped", "Change what you like and render again.")
        return
    player(run)
    show_warnings(run)
    _actions(run)
    _numbers(run)
    stage_times(dict(run.stage_seconds))


def show_warnings(run: Run) -> None:
    """What went wrong without costing the result; that it is not signed comes first."""
    for warning in sorted(run.warnings, key=lambda one: not is_unsigned([one])):
        unsigned = is_unsigned([warning])
        st.warning(f"**Not signed.** {warning}" if unsigned else warning, icon=":material/warning:")


def player(run: Run) -> None:
    """The result beside what it was made from."""
    result = run.file("result.mp4")
    if result is None:
        st.error("The film of this run is gone; render it again.")
        return
    others = {}
    if portrait := run.still():
        others["Portrait"] = portrait
    if driving := run.file("driving.mp4"):
        others["Driving"] = driving
    if not others:
        st.video(str(result), loop=True)
        return
    from studio.components import compare_player

    first, *rest = others
    compare_player(
        left=others[first], right=result, labels=(first, "Result"), others={name: others[name] for name in rest},
        fps=run.fps, frames=run.frames, key=f"player {run.id}",
    )  # fmt: skip


def _actions(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        for exporter, label in (("mp4", "MP4"), ("gif", "GIF"), ("webm", "WebM"), ("webp", "WebP")):
            download(run, exporter, label)
        if run.settings.exporter.name not in ("mp4", "gif", "webm", "webp"):
            download(run, run.settings.exporter.name, run.settings.exporter.name.upper())
        st.download_button(
            "Motion", _template(run), file_name=f"{without_ending(run.settings.driving_name)}-{run.id}.npz",
            icon=":material/motion_photos_on:", key=f"template {run.id}", on_click="ignore",
            help="A motion template: the movement of this clip alone. It can drive other portraits, see Template above the "
                 "driving clip.",
        )  # fmt: skip
        with st.popover("Copy as command", icon=":material/terminal:"):
            st.caption("The same on the command line; the button in its corner copies it.")
            st.code(run.settings.command_line(), language="bash", wrap_lines=True)
    with st.container(horizontal=True):
        for file, label, icon in (
            ("app_pages/inspect_frames.py", "Inspect", ":material/frame_inspect:"),
            ("app_pages/failures.py", _failures_label(run), ":material/troubleshoot:"),
            ("app_pages/compare.py", "Compare", ":material/compare:"),
            ("app_pages/gallery.py", "Gallery", ":material/photo_library:"),
        ):
            if is_present(file) and st.button(label, icon=icon, key=f"open {file}"):
                open_page(file, run=run.id)


def _failures_label(run: Run) -> str:
    try:
        count = len(run.problems())
    except VisionGenError:
        return "Failure cases"
    return f"Failure cases ({count})"


def download(run: Run, exporter: str, label: str) -> None:
    """A button that hands over the result in a format, made when it is asked for."""
    try:
        suffix = (choose("exporter", exporter).suffixes or (".zip",))[0]
    except VisionGenError:
        return
    st.download_button(
        label, _converted(run, exporter), file_name=f"{without_ending(run.settings.portrait_name)}-{run.id}{suffix}",
        mime=MEDIA_TYPES.get(suffix), key=f"download {exporter} {run.id}", icon=":material/download:",
        on_click="rerun" if manifest_beside(Path(f"result{suffix}")) else "ignore",  # to offer its credentials too
    )  # fmt: skip
    _download_manifest(run, f"result{suffix}")


def _download_manifest(run: Run, film: str) -> None:
    """A button for the signed statement of a format that cannot hold it, where the film was made already."""
    beside = manifest_beside(run.folder / film)
    if beside is not None and beside.is_file():
        st.download_button(
            "Its credentials", beside.read_bytes, file_name=f"{without_ending(run.settings.portrait_name)}-{run.id}.c2pa",
            mime="application/c2pa", key=f"manifest {film} {run.id}", icon=":material/verified:", on_click="ignore",
            help="WebM cannot hold its signed statement: keep this file beside it, under the same name.",
        )  # fmt: skip


def _converted(run: Run, exporter: str) -> Callable[[], bytes]:
    def make() -> bytes:
        if exporter == "mp4":
            return (run.folder / "result.mp4").read_bytes()
        task = {"do": "convert", "folder": str(run.folder), "exporter": exporter, "settings": run.settings.to_dict()}
        answer = get_queue().ask(task)
        if answer["warnings"]:
            keep_warnings(run.id, answer["warnings"])
        return Path(answer["file"]).read_bytes()

    return make


def keep_warnings(run_id: str, warnings: list[str]) -> None:
    """Adds to what is said of a run; what it says already is not said twice."""
    known = get_store().get(run_id).warnings
    get_store().update(run_id, warnings=tuple(dict.fromkeys([*known, *warnings])))


def _template(run: Run) -> Callable[[], bytes]:
    def make() -> bytes:
        task = {"do": "template", "folder": str(run.folder), "settings": run.settings.to_dict()}
        return Path(get_queue().ask(task)["file"]).read_bytes()

    return make


def _numbers(run: Run) -> None:
    shown = [(label, f"{run.summary[name]:.{digits}f}") for name, label, digits in SHOWN_SCORES if name in run.summary]
    shown += [("Frames", str(run.frames)), ("Frames a second", f"{run.frames_per_second:.1f}"), ("Device", run.device)]
    with st.container(horizontal=True):
        for label, value in shown:
            st.metric(label, value, width="content")
