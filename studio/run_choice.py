"""Choosing finished runs on a page, and waiting for those that were started there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection

import streamlit as st

from studio.session import current_run, get_queue, get_store, remember_run
from studio.store import Run


def inspectable_runs() -> list[Run]:
    """Runs whose landmarks are there, newest first: also those that were stopped after their motion was known."""
    return [run for run in get_store().runs(states=("done", "failed", "stopped")) if run.file("tracks.npz")]


def titles_of(runs: Collection[Run]) -> dict[str, str]:
    """Id -> a run in one line, with the seconds of its time where another one is called the same."""
    titles = {run.id: _title(run, "%d %b %H:%M") for run in runs}
    seen = Counter(titles.values())
    return {run.id: _title(run, "%d %b %H:%M:%S") if seen[titles[run.id]] > 1 else titles[run.id] for run in runs}


def _title(run: Run, time_format: str) -> str:
    made = time.strftime(time_format, time.localtime(run.created))
    parts = [run.title, run.settings.generator.name, f"{run.frames} frames" if run.frames else "", made]
    if run.file("result.mp4") is None:
        parts.append("motion only")
    return " · ".join(part for part in parts if part)


def choose_run(runs: list[Run], *, label: str, key: str, default: str | None = None) -> Run:
    """A list of runs to choose from.

    Args:
        runs: At least one.
        label: Of the list.
        key: Of the widget.
        default: Id of the run that is chosen at first.
    """
    by_id = {run.id: run for run in runs}
    if st.session_state.get(key) not in by_id:
        st.session_state[key] = default if default in by_id else runs[0].id
    chosen = st.selectbox(label, list(by_id), format_func=titles_of(runs).get, key=key, persist_state="session")
    return by_id[chosen]


def choose_current_run(runs: list[Run]) -> Run:
    """The run that all pages look at, which can be changed here."""
    known = {run.id for run in runs}
    now = current_run()
    # Another page may have opened another run since this list was drawn.
    if now is not None and now.id in known and st.session_state.get("inspect_opened") != now.id:
        st.session_state["inspect_run"] = st.session_state["inspect_opened"] = now.id
    run = choose_run(runs, label="Run", key="inspect_run", default=now.id if now else None)
    if st.session_state.get("inspect_opened") != run.id:
        st.session_state["inspect_opened"] = run.id
    remember_run(run.id)
    return run


def follow_jobs(job_ids: list[str]) -> None:
    """Progress of jobs; draws the whole page anew when the last one has ended, which then says how they ended."""

    @st.fragment(run_every=0.5)
    def progress() -> None:
        jobs = [get_queue().job(one) for one in job_ids]
        if not any(job.is_active for job in jobs):
            st.rerun()
        for job in jobs:
            if job.is_active:
                share = min(job.done / job.total, 1.0) if job.total else 0.0
                left = f", about {job.eta:.0f} s left" if job.eta is not None else ""
                wait = f"waiting for {job.ahead} other(s)" if job.ahead else (job.stage or "starting")
                run = get_store().get(job.id)
                st.progress(share, text=f"{run.title} · {run.settings.generator.name}: {wait}{left}")
        if st.button("Cancel", key=f"cancel {job_ids}"):
            for job in jobs:
                get_queue().cancel(job.id)

    progress()
