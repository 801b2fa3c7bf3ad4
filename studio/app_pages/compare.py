"""Compare: two generators or settings on the same input."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from studio.compare_data import (
    Difference,
    pixel_difference,
    same_input,
    score_rows,
    settings_that_differ,
    strip_picture,
    telling_frames,
)
from studio.compare_start import JOBS, follow_started, variant_form
from studio.components import compare_player
from studio.components.chart import chart
from studio.components.compare import Focus, focus_on
from studio.empty_page import Example, empty_page
from studio.figures import rows_figure
from studio.frame_pack import frame_pack
from studio.html_table import html_table
from studio.inspect_data import described, run_data
from studio.measurements import heading, of_run, ordered
from studio.run_choice import choose_run, inspectable_runs
from studio.session import current_run, open_page, remember_run
from studio.store import Run
from visiongen.errors import VisionGenError

_STRIP = 6


def _choose(runs: list[Run]) -> tuple[Run, Run]:
    now = current_run()
    a, b = st.columns(2)
    with a:
        # Another page may have opened another run since this list was drawn.
        if now is not None and st.session_state.get("compare_opened") != now.id:
            st.session_state["compare_opened"] = now.id
            if now.id != st.session_state.get("compare_b") and any(run.id == now.id for run in runs):
                st.session_state["compare_a"] = now.id
        first = choose_run(runs, label="A (left)", key="compare_a", default=now.id if now else None)
        st.caption(described(first.settings))
    with b:
        others = [run for run in runs if run.id != first.id]
        alike = next((run.id for run in others if same_input(run, first)), None)
        second = choose_run(others, label="B (right)", key="compare_b", default=alike)
        st.caption(described(second.settings))
    if st.session_state.get("compare_opened") != first.id:
        st.session_state["compare_opened"] = first.id
    remember_run(first.id)
    return first, second


@st.cache_resource(max_entries=8, show_spinner=False)
def _difference(one: str, other: str, _one: Run, _other: Run) -> Difference:
    bar = st.progress(0.0, text="Comparing the frames …")
    films = [frame_pack(run.folder / "result.mp4") for run in (_one, _other)]
    found = pixel_difference(
        *films, progress=lambda done, total: bar.progress(done / total, text="Comparing the frames …")
    )
    bar.empty()
    return found


def _names(one: Run, other: Run) -> tuple[str, str]:
    """What the two are called on the player."""
    if one.settings.generator.name != other.settings.generator.name:
        return f"A: {one.settings.generator.name}", f"B: {other.settings.generator.name}"
    return "A", "B"


def _focus(one: Run, other: Run, labels: tuple[str, str]) -> dict[str, Focus]:
    """Where the faces are, by the names of the films; of the portrait where it is as large as the result."""
    found = {}
    for label, run in zip(labels, (one, other)):
        try:
            data = run_data(run)
        except VisionGenError:  # the films can be compared all the same, but not with their faces large
            continue
        found[label] = focus_on(data.tracks["target"], data.size("target"))
        if "driving" in data.names:
            found["Driver"] = focus_on(data.tracks["driving"], data.size("driving"))
    if labels[0] in found:  # the portrait as it is in the result
        found["Portrait"] = found[labels[0]]
    return found


def _player(one: Run, other: Run) -> None:
    others = {name: path for name, path in (("Portrait", one.still()), ("Driver", one.file("driving.mp4"))) if path}
    frames = min(one.frames, other.frames) or None
    st.session_state["frame"] = min(max(int(st.session_state.get("frame") or 0), 0), max(frames or 1, 1) - 1)
    labels = _names(one, other)
    compare_player(
        left=one.file("result.mp4"), right=other.file("result.mp4"), labels=labels, others=others, fps=one.fps,
        frames=frames, frame=st.session_state["frame"], on_frame=_go_to, focus=_focus(one, other, labels), key="compare_player",
    )  # fmt: skip


def _table(one: Run, other: Run) -> None:
    differing = settings_that_differ(one.settings, other.settings)
    left, right = st.columns([2, 3])
    with left:
        st.subheader("What differs", anchor=False)
        if differing:
            rows = [(name, *both) for name, both in differing.items()]
            st.html(html_table(("Setting", "A", "B"), rows))
        else:
            st.caption("Nothing: both were made with the same settings.")
        speed = [
            f"{name} {run.frames_per_second:.1f}{f' ({run.device})' if run.device else ''}"
            for name, run in (("A", one), ("B", other))
            if run.frames_per_second
        ]
        if speed:
            st.caption(f"Rendered frames a second: {', '.join(speed)}.")
    with right:
        st.subheader("Scores", anchor=False)
        rows = score_rows(one, other)
        if rows:
            heads = ("Score", "A", "B", "B − A", "Better")
            cells = [[row[head] for head in heads] for row in rows]
            st.html(html_table(heads, cells, notes=[row["Meaning"] for row in rows], numbers=True))
            st.caption("Arrows point to the better values.")
        else:
            st.caption("Neither run was measured.")


def _charts(one: Run, other: Run, difference: Difference) -> None:
    st.subheader("Frame by frame", anchor=False)
    measured = {name: of_run(run).series for name, run in (("A", one), ("B", other))}
    shared = [name for name in ordered({*measured["A"], *measured["B"]})
              if any(name in series and np.isfinite(series[name]).any() for series in measured.values())]  # fmt: skip
    length = len(difference.mean)
    rows = {}
    known = st.pills("Curves", shared, format_func=lambda name: heading(name), selection_mode="multi", default=shared[:3],
                     key="compare_curves") if shared else []  # fmt: skip
    for name in known or []:
        rows[heading(name)] = {
            run: _as_long(series[name], length) for run, series in measured.items() if name in series
        }
    rows["Pixels apart"] = {"mean": difference.mean, "worst hundredth": difference.spots}
    figure = rows_figure(np.arange(length) / float(one.fps), rows, frame=st.session_state.get("frame"), row_height=130)
    chart(figure, label="Both runs, frame by frame", key="compare_chart",
          on_click=lambda frame: st.session_state.update(frame=frame))  # fmt: skip
    st.caption("Click on a curve to go to that frame. Pixels apart: absolute difference of the two films, 0 to 1.")


def _as_long(values: np.ndarray, length: int) -> np.ndarray:
    result = np.full(length, np.nan)
    result[: min(len(values), length)] = values[:length]
    return result


def _go_to(frame: int) -> None:
    st.session_state["frame"] = frame


def _strip(one: Run, other: Run, difference: Difference) -> None:
    st.subheader("Where they differ most", anchor=False)
    if not difference.spots.any():
        st.caption("Nowhere: the two films are the same, pixel by pixel.")
        return
    amplify = st.slider("Amplify the difference", 1, 16, 4, key="compare_amplify", format="%d×", width=320)
    films = [frame_pack(run.folder / "result.mp4") for run in (one, other)]
    chosen = telling_frames(difference.spots, _STRIP)
    face = focus_on(run_data(one).tracks["target"], run_data(one).size("target"))
    for first in range(0, len(chosen), 2):
        for column, frame in zip(st.columns(2), chosen[first : first + 2]):
            with column:
                st.image(strip_picture(*films, frame, face, amplify=amplify), width="stretch")
                text, button = st.columns([3, 1], vertical_alignment="center")
                text.caption(
                    f"Frame {frame}: A, B, and how they differ; {100 * difference.spots[frame]:.0f} % apart at worst"
                )
                button.button(f"Go to {frame}", key=f"strip {frame}", on_click=_go_to, args=(frame,), width="stretch")


def _page() -> None:
    # Recordings of Live have no landmarks, and so nothing to compare by.
    runs = [run for run in inspectable_runs() if run.state == "done" and run.file("result.mp4")]
    if not runs:
        st.title("Compare", anchor=False)
        empty_page(
            "compare", "Two results, side by side",
            "Players that run in step, a slider between two films, what differs in settings, scores and pixels. It takes two "
            "results of one input: the example is rendered with the network and with the geometry alone.",
            example=Example(label="Render the example twice", generators=("vae-gan", "warp"), jobs=JOBS),
        )  # fmt: skip
        return
    follow_started()
    if len(runs) == 1:
        run = choose_run(runs, label="A (left)", key="compare_a")
        st.info("This is the only result so far. Render its input again with something else to have two.")
        variant_form(run)
        return
    one, other = _choose(runs)
    with st.expander("Render another one to compare with A", icon=":material/add:"):
        variant_form(one)
    if not same_input(one, other):
        st.warning("A and B do not move the same picture by the same piece of the same clip: frames are set side by side by "
                   "their number.")  # fmt: skip
    difference = _difference(one.id, other.id, one, other)

    @st.fragment
    def looking() -> None:
        _player(one, other)
        for part in (_table, partial(_charts, difference=difference), partial(_strip, difference=difference)):
            try:
                part(one, other)
            except VisionGenError as error:  # a damaged file costs what is made from it
                st.error(str(error))

    looking()
    if st.button("Look into A", icon=":material/frame_inspect:"):
        open_page("app_pages/inspect_frames.py", run=one.id)


_page()
