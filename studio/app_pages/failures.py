"""Failure cases: which frames of a run look wrong, why, and what to change."""

from __future__ import annotations

import streamlit as st

from studio.components.chart import chart
from studio.empty_page import empty_page
from studio.failure_cards import JOBS, before_and_after, card, map_figure, picture_at, settings_after, start_remedy
from studio.failure_examples import FailureExample, failure_examples
from studio.navigation import is_present
from studio.run_choice import choose_current_run, follow_jobs
from studio.session import get_queue, get_store, open_page, remember_run, session_id
from studio.store import Run
from visiongen.diagnostics import KINDS

_EXAMPLE = "failures.example"
_ORDERS = ("severity", "time")
_EXAMPLES_ABREAST = 5


def finished_runs() -> list[Run]:
    """Newest first."""
    return [run for run in get_store().runs(states=("done",)) if run.file("result.mp4") is not None]


def examples(*, heading: str = "") -> None:
    """A bundled clip for each main kind, one click away."""
    found = failure_examples()
    if not found:
        st.caption("This installation has no example clips.")
        return
    if heading:
        st.markdown(heading, anchors=False)
    with st.container(key="failure_examples"):  # two in a row on small screens, see `studio.frame`
        for row in range(0, len(found), _EXAMPLES_ABREAST):
            for column, example in zip(st.columns(_EXAMPLES_ABREAST), found[row : row + _EXAMPLES_ABREAST]):
                with column.container(border=True, height="stretch"):
                    _example(example)


def _example(example: FailureExample) -> None:
    path = example.path()
    if path is not None and (picture := picture_at(str(path), example.worst)):
        st.image(picture, width="stretch", caption=example.shows)
    if st.button(example.title[0].upper() + example.title[1:], key=f"example {example.kind}", width="stretch",
                 help="Renders this clip and shows its failure cases."):  # fmt: skip
        st.session_state[_EXAMPLE] = get_queue().submit(example.settings(), session_id(), f"Example: {example.title}")
        st.toast("The example is being rendered; how far it is stands at the top of this page.")
        st.rerun()


def follow() -> None:
    """Renders that were started on this page."""
    started = [st.session_state.get(_EXAMPLE), *st.session_state.get(JOBS, {})]
    jobs = [get_queue().job(one) for one in started if one and get_store().find(one)]
    for job in jobs:
        if job.state == "failed":
            st.error(f"The render failed: {job.message}")
    active = [job.id for job in jobs if job.is_active]
    if active:
        follow_jobs(active)
    _open_finished_example()


def _open_finished_example() -> None:
    """Makes the example the run that is shown, once: while it was rendered, this page showed another one."""
    example = get_store().find(st.session_state.get(_EXAMPLE) or "")
    if example is not None and example.state == "done":
        del st.session_state[_EXAMPLE]
        remember_run(example.id)


def remedied(run: Run) -> None:
    """Says what a remedy has done, for a run that was made by one or from which one was made."""
    made = st.session_state.get(JOBS, {})
    for after_id, before_id in made.items():
        before, after = get_store().find(before_id), get_store().find(after_id)
        if before is None or after is None or after.state != "done" or run.id not in (before.id, after.id):
            continue
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Remedied.** {before_and_after(before, after)}")
            other, label = (after, "Show the new run") if run.id == before.id else (before, "Show the run before")
            if st.button(label, key=f"other {after_id}"):
                remember_run(other.id)
                st.rerun()
            if is_present("app_pages/compare.py") and st.button("Compare the films", key=f"compare {after_id}"):
                open_page("app_pages/compare.py", run=after.id)


def cases(run: Run) -> None:
    """The failure cases of a run."""
    if run.file("problems.json") is None:
        why = next((one for one in run.warnings if one.startswith("failure cases")), "it was recorded live")
        st.warning(f"This run was not looked through for failure cases: {why}. Render it again to have it done.")
        if st.button("Render it again", type="primary"):
            start_remedy(run, run.settings)
        return
    problems = run.problems()
    if not problems:
        st.success("No failure case was found in this run: every frame lies within what one picture can show.")
        return
    kinds = list(dict.fromkeys(problem.kind for problem in problems))
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    with bar:
        chosen = st.pills("Kinds", kinds, selection_mode="multi", key="failures.kinds", persist_state="session",
                          format_func=lambda kind: f"{KINDS[kind]} ({sum(p.kind == kind for p in problems)})",
                          help="None chosen: all are shown.")  # fmt: skip
        st.session_state.setdefault("failures.order", _ORDERS[0])
        order = st.segmented_control("Order by", _ORDERS, key="failures.order", required=True, persist_state="session")
        automatic = [problem for problem in problems if problem.remedy is not None and problem.remedy.automatic]
        if len(automatic) > 1 and st.button(
            f"Apply all {len(automatic)} remedies", type="primary", help="Renders again with all of them at once."
        ):
            start_remedy(run, settings_after(run.settings, automatic, float(run.fps)))
    shown = [problem for problem in problems if not chosen or problem.kind in chosen]
    shown.sort(key=lambda problem: problem.first if order == "time" else -problem.severity)
    chart(
        map_figure(problems, run.frames, float(run.fps)),
        label="Failure cases over time",
        key="failures.map",
        tools=False,
    )
    for number, problem in enumerate(shown):
        card(run, problem, number)


st.title("Failure cases", anchor=False)
runs = finished_runs()
follow()
if not runs:
    empty_page(
        "troubleshoot", "What went wrong, and what to do about it",
        "Every frame of a result that looks wrong is found here, with the reason and a remedy that one click applies. "
        "Render something on the page Animate, or try one of these clips.",
    )  # fmt: skip
    examples()
else:
    run = choose_current_run(runs)
    remedied(run)
    cases(run)
    more = st.expander("Try a clip in which something goes wrong", key="failures.examples", on_change="rerun")
    if more.open:  # the film of every example is read for it
        with more:
            examples(heading="Each renders in a few seconds.")
