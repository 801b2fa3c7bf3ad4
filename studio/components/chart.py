"""Charts of Plotly, drawn in the browser by one plotly.js that all of them share."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go
import streamlit as st

from studio.components.assets import component
from studio.plotly_script import PATH


def chart(
    figure: go.Figure | str,
    *,
    label: str,
    key: str,
    on_click: Callable[[int], None] | None = None,
    tools: bool = True,
    wheel: bool = False,
    waits: bool = False,
) -> None:
    """Shows a figure in the colours of the page; zoom and camera stay as its ``uirevision`` says.

    Streamlit's own chart draws everything twice, and its script is read by the browser before what the page shows first.

    Args:
        figure: Or its JSON. Its layout tells the height.
        label: What it shows, for those who do not see it.
        key: Unique on the page.
        on_click: Called with the number in the custom data of a point that was clicked.
        tools: With Plotly's tools at the pointer.
        wheel: The mouse wheel zooms.
        waits: The frames of the scrubber on the same page come first.
    """

    def clicked() -> None:
        value = (st.session_state.get(key) or {}).get("clicked")
        if value is not None and on_click is not None:
            on_click(int(value))

    data = {
        "figure": figure if isinstance(figure, str) else figure.to_json(validate=False),
        "label": label,
        "script": PATH,
        "clicks": on_click is not None,
        "tools": tools,
        "wheel": wheel,
        "waits": waits,
    }
    component("chart", scripts=("plotly_once",), is_isolated=False)(key=key, data=data, on_clicked_change=clicked)
