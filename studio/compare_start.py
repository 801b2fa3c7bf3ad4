"""Rendering what is to be compared: the same input again, with another generator, other enhancers or another motion."""

from __future__ import annotations

import streamlit as st

from studio.forms import component_form
from studio.presets import PRESETS, preset
from studio.run_choice import follow_jobs
from studio.session import components, get_queue, session_id
from studio.settings import Part, Settings, part_of
from studio.store import Run

_AS_IT_IS = "as in A"
JOBS = "compare_jobs"
"""Key in the session's state: jobs that were started here and are waited for."""


def variant_form(run: Run) -> None:
    """Controls for the same input with something else, and the button that renders it."""
    settings = run.settings
    left, middle, right = st.columns(3)
    generators, enhancers = components("generator"), components("enhancer")
    other = next((one for one in generators if one != settings.generator.name), settings.generator.name)
    st.session_state.setdefault("variant_generator", other)
    with left:
        name = st.selectbox("Generator", list(generators), key="variant_generator", persist_state="session",
                            format_func=lambda one: f"{one}: {generators[one].summary}")  # fmt: skip
        options = component_form(generators[name], f"variant {name}")
    with middle:
        st.session_state.setdefault(
            "variant_enhancers", [one.name for one in settings.enhancers if one.name in enhancers]
        )
        chosen = st.multiselect(
            "Enhancers, in this order",
            list(enhancers),
            key="variant_enhancers",
            persist_state="session",
            placeholder="none",
        )
    with right:
        texts = "\n".join(f"- **{one.name}**: {one.summary}" for one in PRESETS)
        names = [_AS_IT_IS, *(one.name for one in PRESETS)]
        motion = st.selectbox("Motion", names, key="variant_motion", persist_state="session", help=texts)
    wanted = settings.replace(
        generator=part_of(name, options),
        enhancers=tuple(next((e for e in settings.enhancers if e.name == one), Part(name=one)) for one in chosen),
        motion=settings.motion if motion == _AS_IT_IS else preset(motion).settings,
        exporter=Part(name="mp4"),
    )
    same = wanted.replace(exporter=settings.exporter) == settings
    why = "Change something first: this is what A is." if same else "It is rendered beside whatever else you do."
    if st.button("Render and compare", type="primary", disabled=same, icon=":material/play_arrow:", help=why):
        start(
            [wanted],
            [f"{settings.portrait_name} · {name}" if name != settings.generator.name else f"{run.title}, changed"],
        )


def start(wanted: list[Settings], titles: list[str]) -> None:
    """Queues renders that this page then waits for."""
    queue = get_queue()
    jobs = [queue.submit(one, session_id(), title) for one, title in zip(wanted, titles, strict=True)]
    st.session_state[JOBS] = jobs
    st.rerun()


def follow_started() -> None:
    """Progress of what was started here; when it is done, it becomes B (and A, where two were started)."""
    jobs = st.session_state.get(JOBS) or []
    if not jobs:
        return
    states = [get_queue().job(one).state for one in jobs]
    if any(state in ("queued", "running") for state in states):
        follow_jobs(jobs)
        return
    st.session_state[JOBS] = []
    done = [job for job, state in zip(jobs, states) if state == "done"]
    for job, state in zip(jobs, states):
        if state == "failed":
            st.error(f"That render failed: {get_queue().job(job).message}")
    if done and len(done) == len(jobs):
        st.session_state["compare_b"] = done[-1]
        if len(done) > 1:
            st.session_state["compare_a"] = done[0]
