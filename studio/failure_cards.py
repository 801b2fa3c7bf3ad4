"""Failure cases on screen: pictures of the worst frames, cards, a map of the clip, and remedies that make a new render."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import plotly.graph_objects as go
import streamlit as st

from studio.restoring import RESTORE
from studio.session import get_queue, open_page, session_id
from studio.setting_words import advice_text
from studio.settings import Settings
from studio.store import Run
from visiongen.diagnostics import Problem
from visiongen.errors import VisionGenError
from visiongen.media import probe, read_frames

GRADES = ((0.66, "severe", "red"), (0.33, "noticeable", "orange"), (0.0, "slight", "gray"))
"""(from this severity on, word, colour)"""
_COLOURS = {"red": "#e5484d", "orange": "#f0932b", "gray": "#8a94a0"}
_HEIGHT = 200
JOBS = "failures.jobs"
"""Key in the session's state: run of a remedy -> the run it was made from."""


def grade(severity: float) -> tuple[str, str]:
    """Word and colour of a severity in [0, 1]."""
    return next((word, colour) for least, word, colour in GRADES if severity >= least)


def settings_after(settings: Settings, problems: Iterable[Problem], fps: float) -> Settings:
    """All automatic remedies together; of two that change one setting the stronger counts."""
    for problem in problems:
        remedy = problem.remedy
        if remedy is None or not remedy.automatic:
            continue
        before, after = settings.motion, settings.with_remedy(remedy, fps)
        stronger = {
            name: (max if name == "smoothing" else min)(value, getattr(before, name))
            for name, value in remedy.settings.items()
            if isinstance(value, int | float) and name != "reference_frame"
        }
        settings = after.replace(motion=replace(after.motion, **stronger))
    return settings


@st.cache_data(max_entries=200, show_spinner=False)
def picture_at(path: str, number: int, changed: float = 0.0) -> bytes | None:
    """Frame `number` of a film as a small JPEG; None where it cannot be read. `changed` keeps cached ones apart."""
    try:
        clip = probe(Path(path))
        rate = float(clip.fps)
        piece = probe(Path(path), start=max(0.0, (number - 0.5) / rate), end=(number + 1.5) / rate)
        frames = read_frames(piece, batch_size=1)
        pixels = next(iter(frames)).pixels[0]
        frames.close()
    except (VisionGenError, StopIteration):
        return None
    width = max(1, round(pixels.shape[1] * _HEIGHT / pixels.shape[0]))
    pixels = cv2.resize(pixels, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def map_figure(problems: Sequence[Problem], frames: int, fps: float) -> go.Figure:
    """Where in the clip the problems are: one row for each kind, colour by severity."""
    figure = go.Figure()
    kinds = list(dict.fromkeys(problem.title for problem in problems))
    for problem in problems:
        word, colour = grade(problem.severity)
        figure.add_bar(
            y=[problem.title], x=[problem.num_frames / fps], base=[problem.first / fps], orientation="h", width=0.6,
            marker={"color": _COLOURS[colour], "opacity": 0.35 + 0.65 * problem.severity}, showlegend=False,
            hovertemplate=f"{problem.title}, {word}: frames {problem.first} to {problem.last}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=60 + 28 * len(kinds), margin={"l": 10, "r": 10, "t": 6, "b": 30}, barmode="overlay",
        xaxis={"range": [0, max(frames, 1) / fps], "title": None, "ticksuffix": " s", "fixedrange": True},
        yaxis={"categoryorder": "array", "categoryarray": kinds[::-1], "automargin": True, "fixedrange": True},
    )  # fmt: skip
    return figure


def card(run: Run, problem: Problem, number: int) -> None:
    """One failure case."""
    word, colour = grade(problem.severity)
    with st.container(border=True, key=f"case {number}"):
        pictures, words, actions = st.columns([1.35, 2.2, 1], gap="medium")
        with pictures:
            _pictures(run, problem.peak)
        with words:
            st.markdown(f"#### {problem.title[0].upper()}{problem.title[1:]}", anchors=False)
            span = f"frame {problem.first}" if problem.num_frames == 1 else f"frames {problem.first}–{problem.last}"
            seconds = f"{problem.first / float(run.fps):.2f}–{(problem.last + 1) / float(run.fps):.2f} s"
            st.markdown(f":{colour}-badge[{word} · {problem.severity:.0%}] {span}, {seconds}, worst at {problem.peak}")
            st.markdown(
                f"**Seen.** {problem.seen}  \n**Why it matters.** {problem.why}  \n**What to do.** "
                f"{advice_text(problem.change)}"
            )
        with actions:
            if problem.remedy is not None:
                how = "" if problem.remedy.automatic else " This changes the result in a way only you can want."
                look = "primary" if number == 0 else "secondary"
                help_text = f"Renders again with this change; this run stays as it is.{how}"
                label = problem.remedy.label
                if st.button(label, key=f"remedy {number}", type=look, width="stretch", help=help_text):
                    start_remedy(run, run.settings.with_remedy(problem.remedy, run.fps))
            if st.button("Open in Inspect", key=f"inspect {number}", width="stretch",
                         help=f"Looks at frame {problem.peak}, the worst one."):  # fmt: skip
                open_page("app_pages/inspect_frames.py", run=run.id, frame=problem.peak)


def _pictures(run: Run, frame: int) -> None:
    """The driver and what came of it, beside each other."""
    shown = [(name, run.file(file)) for name, file in (("driving", "driving.mp4"), ("result", "result.mp4"))]
    found = [
        (name, picture)
        for name, path in shown
        if path and (picture := picture_at(str(path), frame, path.stat().st_mtime))
    ]
    if not found:
        st.caption("No picture of this frame.")
        return
    names = " and ".join(name for name, _ in found)
    st.image(_beside([picture for _, picture in found]), width="stretch", caption=f"{names}, frame {frame}")


def _beside(pictures: Sequence[bytes]) -> bytes:
    """JPEGs of one height in one row."""
    decoded = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in pictures]
    gap = np.full((_HEIGHT, 4, 3), 128, np.uint8)
    parts = [part for one in decoded for part in (gap, one)][1:]
    return cv2.imencode(".jpg", np.concatenate(parts, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def start_remedy(run: Run, settings: Settings) -> None:
    """Renders again with changed settings, which Animate then shows, too, and remembers what it was made from."""
    title = run.title if run.title.endswith("(remedied)") else f"{run.title} (remedied)"
    job = get_queue().submit(settings, session_id(), title)
    st.session_state.setdefault(JOBS, {})[job] = run.id
    st.session_state[RESTORE] = settings.to_dict()
    st.rerun()


def before_and_after(before: Run, after: Run) -> str:
    """What a remedy has done, in one sentence."""

    def weight(run: Run) -> float:
        return float(np.sum([problem.severity * problem.num_frames for problem in run.problems()]))

    old, new = len(before.problems()), len(after.problems())
    had, has = weight(before), weight(after)
    if had <= 0:
        return f"{new} cases, as before."
    change = (has - had) / had
    how = "as bad as before" if abs(change) < 0.02 else f"{abs(change):.0%} {'less' if change < 0 else 'more'} in all"
    return f"{old} {'case' if old == 1 else 'cases'} before, {new} now; severity times frames: {how}."
