"""One widget of every kind that other pages use, where nobody sees it.

The browser fetches the script of a kind with its first widget, and React then holds that widget back for up to 0.3 s: so
it is done while somebody looks at the first page, not when another page is opened.
"""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from studio.navigation import PAGES

_STATE = "early"
"""Key in the session's state, and of the container, which `studio.frame` hides."""
_DONE = ""


def show_early(page: str) -> None:
    """Shows them with the first page that is drawn a second time, once in a session: the first time somebody waits for it.

    Args:
        page: Its title.
    """
    drawn = st.session_state.get(_STATE)
    if drawn == _DONE:
        return
    st.session_state[_STATE] = _DONE if drawn == page else page
    if drawn != page:
        return
    with st.container(key=_STATE):
        st.toggle("unseen", key="early.toggle")
        st.number_input("unseen", key="early.number")
        st.text_input("unseen", key="early.text")
        st.file_uploader("unseen", key="early.file")
        st.page_link(PAGES[0].file, label="unseen")
        st.table({"unseen": []})
        st.plotly_chart(go.Figure(go.Bar()), key="early.chart")
