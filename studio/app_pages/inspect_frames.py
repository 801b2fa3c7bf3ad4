"""Inspect: every frame of a run, with landmarks, motion and what the generator made of them."""

from __future__ import annotations

import time

import streamlit as st

from studio.components.scrubber import publish, scrubber
from studio.empty_page import Example, empty_page
from studio.fetched import wait_until_fetched
from studio.frame_pack import frame_pack
from studio.inspect_data import RunData, described, marks, panels, run_data
from studio.inspect_views import LANDMARKS, MESH_CHART, VIEWS, begin, draw, follow, keep_camera
from studio.run_choice import choose_current_run, inspectable_runs
from studio.session import open_page

# Key in the session's state: the frame that is looked at, shared with other pages. (A string here would be shown.)
_FRAME = "frame"
_LONGEST_WAIT = 0.3
"""s for the browser to show the frames before it gets the rest of the page, which keeps it busy for longer: with 0.1
the controls are there 0.04 s sooner, and the frames are seen a tenth of a second later."""


def _prepare_films(data: RunData) -> None:
    """Makes the packs of frames where they are missing, with a bar: of a long film it takes a few seconds."""
    for name in ("driving", "result"):
        film = data.run.file(f"{name}.mp4")
        if film is None or film.with_name(f".{film.stem}.frames").exists():
            continue
        bar = st.progress(0.0, text="Preparing the frames …")
        frame_pack(film, progress=lambda done, total, bar=bar: bar.progress(min(done / (total or data.frames), 1.0),
                                                                            text="Preparing the frames …"))  # fmt: skip
        bar.empty()


def _show(data: RunData) -> None:
    _prepare_films(data)
    st.session_state[_FRAME] = min(max(int(st.session_state.get(_FRAME) or 0), 0), data.frames - 1)
    files = publish(panels(data), frame=st.session_state[_FRAME], key="scrubber")
    found = marks(data.run, data.frames)
    is_new = True
    st.session_state.setdefault("inspect_view", next(iter(VIEWS)))

    @st.fragment
    def looking() -> None:
        nonlocal is_new
        frame = st.session_state[_FRAME]
        view, sent = st.session_state["inspect_view"], time.monotonic()
        scrubber(
            files, frames=data.frames, frame=frame, fps=data.run.fps, marks=found,
            chosen=st.session_state.get(LANDMARKS, ()) if view == "Trajectories" else (),
            on_frame=lambda one: st.session_state.update({_FRAME: one}), on_landmark=_follow,
            space=MESH_CHART, on_camera=keep_camera, is_new=is_new, key="scrubber",
        )  # fmt: skip
        if is_new:
            begin(view, data, frame)
            wait_until_fetched(files.address, since=sent, at_most=_LONGEST_WAIT)
            is_new = False
        view = st.segmented_control(
            "Look at", list(VIEWS), key="inspect_view", required=True,
            label_visibility="collapsed", persist_state="session", width="stretch",
        )  # fmt: skip
        draw(view, data, st.session_state[_FRAME])

    looking()


def _follow(landmark: int) -> None:
    follow(landmark)
    st.session_state["inspect_view"] = "Trajectories"


def _page() -> None:
    runs = inspectable_runs()
    if not runs:
        st.title("Inspect", anchor=False)
        empty_page(
            "frame_inspect", "Look inside a result, frame by frame",
            "Portrait, driver and result with their landmarks, motion vectors, curves of pose and expression, the mesh of the "
            "face in 3D, dense flow and masks. There is no result to look into yet.",
            example=Example(label="Render the example"),
        )  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = choose_current_run(runs)
        if st.button("Compare", icon=":material/compare:", help="Sets this run beside another one."):
            open_page("app_pages/compare.py", run=run.id)
    if run.state != "done":
        st.warning(run.problem or "This run was stopped before it was finished; its motion is shown.")
    _show(run_data(run))
    st.caption(f"{run.title}: {described(run.settings)}")


_page()
