"""One widget of every kind that other pages use, where nobody sees it.

The browser fetches the script of a kind with its first widget, and React then holds that widget back for up to 0.3 s: so
it is done while somebody looks at the first page, not when another page is opened.
"""

from __future__ import annotations

import streamlit as st

from studio.components.idle import browser_is_idle
from studio.navigation import PAGES

_STATE = "early"
"""Key in the session's state, and of the container, which `studio.frame` hides."""


def show_early() -> None:
    """Shows them once in a session, at the end of the page: when the browser has drawn it and waits for nothing."""
    if _STATE not in st.session_state:
        _when_idle()


@st.fragment
def _when_idle() -> None:
    with st.container(key=_STATE):
        place = st.empty()
    with place:
        if not browser_is_idle(key="early.idle"):
            return
    st.session_state[_STATE] = True
    with place.container():
        st.toggle("unseen", key="early.toggle")
        st.number_input("unseen", key="early.number")
        st.text_input("unseen", key="early.text")
        st.file_uploader("unseen", key="early.file")
        st.page_link(PAGES[0].file, label="unseen")
        st.table({"unseen": []})
