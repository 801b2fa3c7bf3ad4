"""Gallery: every run, to be opened again, rendered again, shared or removed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import streamlit as st

from studio.data_view import delete_mine
from studio.empty_page import Example, empty_page
from studio.heard import is_unsigned
from studio.navigation import is_present
from studio.presets import preset_of
from studio.restoring import RESTORE
from studio.result_view import show_warnings
from studio.session import get_queue, get_store, open_page, remember_run, session_id
from studio.store import ACTIVE, Run
from studio.taken import take
from studio.uploads import forget_session
from visiongen.errors import VisionGenError
from visiongen.media import read_picture
from visiongen.scratch import scratch_folder

AT_ONCE = 12
_SMALL_SIDE = 384  # px
_SHOWN = (("ssim", "SSIM"), ("ksr", "KSR"), ("stability", "stability"), ("identity_proxy", "likeness"))
_STATES = {"done": ":green-badge[done]", "failed": ":red-badge[failed]", "stopped": ":gray-badge[stopped]",
           "queued": ":blue-badge[waiting]", "running": ":blue-badge[running]"}  # fmt: skip


def summary(run: Run) -> str:
    """The settings of a run in one line."""
    settings = run.settings
    parts = [" + ".join(one.name for one in (settings.generator, *settings.enhancers))]
    parts.append((preset_of(settings.motion) or "own movement").lower())
    if settings.start or settings.end is not None:
        end = "end" if settings.end is None else f"{settings.end:g}"
        parts.append(f"{settings.start:g}–{end} s")
    if run.frames:
        parts.append(f"{run.frames} frames, {run.size[1]}\u00a0×\u00a0{run.size[0]}")
    return " · ".join(parts)


def card(run: Run) -> None:
    """One run."""
    with st.container(border=True, key=f"card-{run.id}", height="stretch"):
        picture = run.file("thumbnail.jpg") or run.file("preview.jpg") or run.file("portrait.png")
        if picture:
            st.image(str(picture), width="stretch")
        elif own := _small(run.settings.portrait):
            st.image(own, width="stretch")
        st.checkbox(run.title, key=f"choose {run.id}", help="Choose it for a project file.", persist_state="session")
        made = time.strftime("%d %b %Y, %H:%M", time.localtime(run.created))
        scores = [f"{label} {run.summary[name]:.3f}" for name, label in _SHOWN if name in run.summary]
        lines = [f"{_STATES[run.state]}{_warned(run)} {made}", summary(run), " · ".join(scores[:3])]
        lines += [f":red[{run.problem}]"] if run.problem else []
        st.caption("  \n".join(line for line in lines if line))
        buttons(run)


@st.cache_data(max_entries=100, show_spinner=False)
def _small(path: str) -> bytes | None:
    """The portrait of a run that had not come to make anything, as a JPEG; None where it is gone."""
    try:
        pixels = read_picture(path)
    except VisionGenError:
        return None
    scale = min(1.0, _SMALL_SIDE / max(pixels.shape[:2]))
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def _warned(run: Run) -> str:
    """What a card says of a run's warnings; their texts are under "More"."""
    if is_unsigned(run.warnings):
        return " :orange-badge[not signed]"
    return f" :orange-badge[{len(run.warnings)} warning{'s' * (len(run.warnings) != 1)}]" if run.warnings else ""


def buttons(run: Run) -> None:
    """What can be done with a run."""
    with st.container(horizontal=True, gap="small"):
        if st.button("Open", key=f"open {run.id}", help="Look at the result, with its settings in the controls."):
            remember_run(run.id)
            st.session_state["view"] = "Result"
            st.session_state[RESTORE] = run.settings.to_dict()
            open_page("app_pages/animate.py", run=run.id)
        with st.popover("More"):
            show_warnings(run)
            if st.button("Restore settings", key=f"restore {run.id}", width="stretch"):
                st.session_state[RESTORE] = run.settings.to_dict()
                st.session_state["view"] = "Preview"
                open_page("app_pages/animate.py")
            if st.button("Render again", key=f"again {run.id}", width="stretch"):
                st.session_state["view"] = "Result"
                st.session_state[RESTORE] = run.settings.to_dict()
                remember_run(get_queue().submit(run.settings, session_id(), run.title))
                open_page("app_pages/animate.py")
            if run.state == "done":
                for file, label in (("app_pages/inspect_frames.py", "Inspect"), ("app_pages/failures.py", "Failures"),
                                    ("app_pages/compare.py", "Compare")):  # fmt: skip
                    if is_present(file) and st.button(label, key=f"{label} {run.id}", width="stretch"):
                        open_page(file, run=run.id)
            title = st.text_input("Title", run.title, key=f"title {run.id}", max_chars=80)
            if title.strip() and title != run.title:
                get_store().update(run.id, title=title.strip())
                st.rerun()
        with st.popover("Delete", disabled=run.state in ACTIVE):
            st.write("Its film, numbers and ratings are removed for good.")
            st.button("Delete this run", key=f"delete {run.id}", type="primary", on_click=delete, args=(run.id,))


def delete(run_id: str) -> None:
    """Removes a run, and what looks at it."""
    get_store().delete(run_id)
    if st.session_state.get("run") == run_id:
        remember_run(None)


def remove_uploads() -> None:
    """Removes what this session brought and no run needs."""
    forget_session(get_store(), session_id())
    for name in ("portrait", "driving"):
        kept = st.session_state.get(name)
        if kept is not None and not Path(kept.path).is_file():
            del st.session_state[name]
            st.session_state[f"{name}_source"] = "Sample"
    st.toast("Your uploads are removed.")


def project_bytes(run_ids: list[str]) -> Callable[[], bytes]:
    """What makes the zip when it is asked for."""

    def make() -> bytes:
        with scratch_folder() as scratch:
            return get_store().export_project(run_ids, scratch / "project.zip").read_bytes()

    return make


def take_project() -> None:
    """Adds the runs of an uploaded project, once."""
    given = st.file_uploader("Project file", type=["zip"], key="project_upload", max_upload_size=200)
    if given is None:
        return
    store, session = get_store(), session_id()

    def added() -> int:
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            file.write(given.getbuffer())
            file.flush()
            return len(store.import_project(Path(file.name), session))

    taken = take("project", given.file_id, added)
    if taken.problem:
        st.error(taken.problem)
    elif not taken.is_used:
        taken.is_used = True
        st.toast(f"{taken.kept} run{'s' * (taken.kept != 1)} added.")
        st.rerun()


def toolbar(runs: list[Run]) -> None:
    """Project files in and out."""
    chosen = [run.id for run in runs if st.session_state.get(f"choose {run.id}") and run.state not in ACTIVE]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download project ({len(chosen)})", project_bytes(chosen), file_name="visiongen-project.zip",
            mime="application/zip", disabled=not chosen, on_click="ignore", icon=":material/folder_zip:",
            help="One zip with inputs, results and settings of the chosen runs.", key="download_project",
        )  # fmt: skip
        with st.popover("Open a project", icon=":material/upload_file:"):
            take_project()
        with st.popover("My uploads", icon=":material/delete_sweep:"):
            st.write("Uploads that no run needs are removed after a day. You can remove yours now.")
            st.button("Remove my uploads", on_click=remove_uploads, key="remove_uploads")
        delete_mine()


st.title("Gallery", anchor=False)
everything = get_store().runs()
toolbar(everything)
if not everything:
    empty_page(
        "photo_library", "Everything you have rendered",
        "Each run with its picture, settings and scores: to open again, to restore its settings, to render again, to share as "
        "a project file. Nothing was rendered yet.",
        example=Example(label="Render the example"),
    )  # fmt: skip
shown = st.session_state.setdefault("gallery_shown", AT_ONCE)
for first in range(0, min(shown, len(everything)), 4):
    for column, one in zip(st.columns(4), everything[first : min(first + 4, shown)]):
        with column:
            card(one)
if len(everything) > shown:
    if st.button(f"Show more ({len(everything) - shown})"):
        st.session_state["gallery_shown"] = shown + AT_ONCE
        st.rerun()
