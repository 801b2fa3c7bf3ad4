"""Rate: two films of the same input side by side, their makers hidden until they are rated."""

from __future__ import annotations

import random

import pandas as pd
import streamlit as st

from studio.components import compare_player
from studio.components.chart import chart
from studio.empty_page import Example, empty_page
from studio.opinions import (
    CRITERIA,
    WORDS,
    mean_opinions,
    method_of,
    next_pair,
    opinions_figure,
    pairs,
    ratings_csv,
)
from studio.session import get_store, session_id
from studio.store import Run

_PAIR, _RATED = "rate.pair", "rate.rated"
_OF_EXAMPLE = ("vae-gan", "warp")


def begin_next() -> None:
    """Chooses the next pair; its widgets start empty."""
    state = st.session_state
    store = get_store()
    found = next_pair(pairs(store.runs(states=("done",))), store.ratings(), session_id(), chance=random.Random())
    state[_PAIR] = None if found is None else (found[0].id, found[1].id)
    state[_RATED] = False
    state["rate.turn"] = state.get("rate.turn", 0) + 1


def current_pair() -> tuple[Run, Run] | None:
    """The two films that are shown, left and right."""
    if not st.session_state.get(_PAIR):
        begin_next()
    ids = st.session_state.get(_PAIR)
    if ids is None:
        return None
    left, right = (get_store().find(one) for one in ids)
    if left is None or right is None:  # deleted in the Gallery
        begin_next()
        ids = st.session_state[_PAIR]
        return None if ids is None else (get_store().get(ids[0]), get_store().get(ids[1]))
    return left, right


def nothing_to_rate() -> None:
    """What is rated here, and how to get a pair."""
    empty_page(
        "grade", "Which one looks better?",
        "Two films of the same portrait and clip side by side, their makers hidden until you have rated both. There is no such "
        "pair yet: it takes one input that two generators have rendered.",
        example=Example(label="Render an example pair", generators=_OF_EXAMPLE, jobs="rate.jobs"),
    )  # fmt: skip


def questions(left: Run, right: Run) -> None:
    """Six scores and the button that keeps them."""
    turn = st.session_state["rate.turn"]
    rated = st.session_state[_RATED]
    scores: dict[str, dict[str, int | None]] = {"A": {}, "B": {}}
    for criterion, question in CRITERIA.items():
        st.markdown(f"**{criterion.capitalize()}.** {question}")
        for side, column in zip(scores, st.columns(2)):
            with column:
                scores[side][criterion] = st.segmented_control(
                    f"{side}, {criterion}",
                    list(WORDS),
                    disabled=rated,
                    key=f"rate {turn} {criterion} {side}",
                    width="stretch",
                )
    st.caption(", ".join(WORDS.values()))
    missing = sum(one is None for side in scores.values() for one in side.values())
    if rated:
        st.success(f"Thank you. **A** was made by **{method_of(left)}**, **B** by **{method_of(right)}**.")
        st.button("Next pair", type="primary", on_click=begin_next, shortcut="Ctrl+Enter")
        return
    label = "Save" if not missing else f"Save ({missing} to go)"
    if st.button(label, type="primary", disabled=bool(missing), shortcut="Ctrl+Enter"):
        for run, other, side in ((left, right, "A"), (right, left, "B")):
            given = {name: int(score) for name, score in scores[side].items() if score is not None}
            get_store().add_rating(run.id, given, session=session_id(), opponent=other.id)
        st.session_state[_RATED] = True
        st.rerun()
    if st.button(
        "Skip this pair", type="tertiary", help="Shows another pair, or the same one again where it is the only one."
    ):
        begin_next()
        st.rerun()


def results() -> None:
    """Mean opinions so far."""
    store = get_store()
    ratings = store.ratings()
    methods = {run.id: method_of(run) for run in store.runs()}
    found = mean_opinions(ratings, methods)
    if not found:
        st.caption("No ratings yet.")
        return
    chart(opinions_figure(found), label="Mean opinions", key="rate.chart", tools=False)
    names = (*CRITERIA, "all")
    rows = {}
    for method in dict.fromkeys(one.method for one in found):
        own = {one.criterion: one for one in found if one.method == method}
        cells = {n: f"{own[n].mean:.2f}" + ("" if own[n].half_width != own[n].half_width else f" ± {own[n].half_width:.2f}")
                 for n in names if n in own}  # fmt: skip
        rows[method] = {"ratings": max(one.count for one in own.values()), **cells}
    st.dataframe(pd.DataFrame.from_dict(rows, orient="index"), width="stretch")
    people = len({one.session for one in ratings})
    st.caption(f"Mean ± half of the 95 % confidence interval (Student's t), by {people} "
               f"{'person' if people == 1 else 'people'}. Ratings are kept on this machine.")  # fmt: skip
    st.download_button("All ratings, CSV", ratings_csv(ratings, methods).encode(), "ratings.csv", "text/csv",
                       on_click="ignore")  # fmt: skip


st.title("Rate", anchor=False)
pair = current_pair()
if pair is None:
    nothing_to_rate()
else:
    left, right = pair
    st.write("Two films of the same portrait and clip. Who made which is hidden until you have rated both.")
    films, asked = st.columns([1.35, 1], gap="large")
    with films:
        compare_player(
            left=left.folder / "result.mp4",
            right=right.folder / "result.mp4",
            labels=("A", "B"),
            fps=left.fps,
            frames=left.frames,
            mode="side",
            key=f"rate player {st.session_state['rate.turn']}",
        )
        if portrait := left.file("portrait.png"):
            with st.popover("Show the portrait"):
                st.image(str(portrait), width=320)
    with asked:
        questions(left, right)
with st.expander("Results so far", expanded=pair is None or bool(st.session_state.get(_RATED))):
    results()
