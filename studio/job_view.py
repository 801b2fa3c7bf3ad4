"""A render as it runs: progress, time left, stages, growing charts, the newest frame, cancel."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st

from studio.charts import chosen_charts, live_figure
from studio.components.chart import chart
from studio.jobs import Job
from studio.session import get_queue, get_store
from studio.store import Run

REFRESH = 0.5
"""Seconds between two looks at a job."""


def follow_job(run_id: str) -> None:
    """Draws a job that is active, again and again; the whole page once when it ends."""

    @st.fragment(run_every=REFRESH)
    def following() -> None:
        job = get_queue().job(run_id)
        if not job.is_active:
            st.rerun()
        run = get_store().find(run_id)
        if run is not None:
            _draw(job, run)

    following()


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _draw(job: Job, run: Run) -> None:
    text = f"{job.stage} …"
    if job.state == "queued":
        text = f"Waiting: {job.ahead} render{'s' * (job.ahead != 1)} before this one" if job.ahead else "Waiting …"
    share = min(1.0, job.done / job.total) if job.total else 0.0
    count = f" {job.done} of {job.total} frames" if job.total else ""
    left, right = st.columns([5, 1], vertical_alignment="center")
    left.progress(share, text=text + count)
    right.button("Cancel", key="cancel_job", on_click=get_queue().cancel, args=(job.id,), icon=":material/stop:",
                 width="stretch")  # fmt: skip
    rate = f"{job.frames_per_second:.1f}" if job.done else "–"
    with st.container(key="job_numbers"):  # two in a row on small screens, see `studio.frame`
        columns = st.columns(4)
    for column, (label, value) in zip(
        columns,
        (("Frames a second", rate), ("Time left", duration(job.eta)), ("Device", job.device or "–"),
         ("Stage", job.stage or "–")),
    ):  # fmt: skip
        column.metric(label, value)
    picture, charts = st.columns([2, 3])
    with picture:
        preview = run.file("preview.jpg")
        if preview is not None and job.preview:
            st.image(_inline(preview), width="stretch", caption="The newest frame")
        else:
            st.skeleton(height=220)
    with charts:
        _charts(job, run)
    stage_times(job.stage_seconds)


def _charts(job: Job, run: Run) -> None:
    total = job.total if job.stage == "Rendering" else None
    for one in chosen_charts(run.settings.self_reenactment):
        st.markdown(f"**{one.title}** · {one.note}")
        chart(live_figure(one, job.series, total), label=one.title, key=f"live {one.title}", tools=False)


def stage_times(seconds: dict[str, float]) -> None:
    """One line: what took how long."""
    shown = [f"{name} {value:.1f} s" for name, value in seconds.items() if value >= 0.05]
    if shown:
        st.caption("Stages: " + " · ".join(shown))


def _inline(path: Path) -> str:
    """A picture as a URL that holds it. Streamlit's own URL of a picture is gone when the next one is there, which on a busy
    machine is before the browser has loaded it."""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
