"""What the studio keeps of a user, and the buttons that delete it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from studio.live_route import drop_tickets
from studio.retention import Deleted, delete_data, keep_days
from studio.session import get_queue, get_store, remember_run, session_id
from studio.store import ACTIVE
from visiongen.errors import VisionGenError

_KEPT = ("portrait", "driving", "live.uploaded", "live.held", "live.recorded", "example")
"""Keys of the session's state that name files or runs which may be gone afterwards."""


def kept_note() -> str:
    """What is kept, where and how long, for people."""
    store = get_store()
    mine, everybody = store.runs(session=session_id()), store.runs()
    days = keep_days()
    how_long = "until you delete them" if days is None else f"for {days:g} days"
    runs = f"{len(everybody)} run{'s' * (len(everybody) != 1)}"
    return (
        f"Runs, uploads and ratings are kept in `{store.root}`: {runs}, {len(mine)} of them made in this browser. "
        f"Runs are kept {how_long}; uploads and cached landmarks that no run needs, for a day."
    )


def delete_mine() -> None:
    """A button behind a question: everything of this browser."""
    with st.popover("Delete my data", icon=":material/delete_forever:"):
        st.write(
            "Your runs with their films and numbers, your uploads, your ratings, and what the studio remembers of "
            "faces are deleted for good. Renders of yours that are at work are stopped."
        )
        st.button("Delete my data for good", type="primary", key="delete_mine", on_click=_delete, args=(False,))


def delete_all() -> None:
    """A button behind a question and a box to tick: everything of everybody."""
    with st.popover("Delete everything", icon=":material/delete_forever:"):
        st.write("All runs, uploads and ratings in this studio are deleted, whoever made them.")
        sure = st.checkbox("Yes, of everybody", key="delete_all_sure")
        st.button("Delete everything for good", type="primary", key="delete_all", disabled=not sure,
                  on_click=_delete, args=(True,))  # fmt: skip


def _delete(everything: bool) -> None:
    try:
        done = delete_now(None if everything else session_id())
    except (VisionGenError, OSError) as error:
        st.error(str(error))
        return
    st.session_state.pop("delete_all_sure", None)
    st.toast(f"Deleted: {done.runs} run{'s' * (done.runs != 1)} with all files, uploads, and {done.ratings} ratings.")


def delete_now(session: str | None) -> Deleted:
    """Stops what is at work and deletes the data of a client (None: of all), in files and in memory."""
    queue, store = get_queue(), get_store()
    queue.forget(session)
    drop_tickets(session)
    done = delete_data(store, session)
    _forget_in_page()
    left = [run.id for run in store.runs(session=session) if run.state not in ACTIVE]
    return done if not left else Deleted(runs=done.runs - len(left), ratings=done.ratings)


def _forget_in_page() -> None:
    """Lets go of files and runs that are gone; Animate begins with the samples again."""
    state, store = st.session_state, get_store()
    for name in _KEPT:
        path = getattr(state.get(name), "path", None)
        if path is None or not Path(path).is_file():
            state.pop(name, None)
            if name in ("portrait", "driving"):
                state[f"{name}_source"] = "Sample"
    if store.find(state.get("run") or "") is None:
        remember_run(None)
