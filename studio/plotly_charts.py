"""Shows Plotly's figures on pages."""

from __future__ import annotations

import zlib
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.io import to_json


def show_chart(figure: go.Figure, *, key: str, config: dict[str, Any], **selecting: Any) -> None:
    """`st.plotly_chart`, drawn once.

    Streamlit gives every figure to Plotly twice, the second time as a copy. Plotly takes arrays of a copy for new data and
    draws all of it again, unless the figure says which data it has.

    Args:
        figure: Gets its ``datarevision``.
        key: Unique on the page.
        config: Of Plotly.
        selecting: What `st.plotly_chart` takes for clicks.
    """
    if figure.layout.datarevision is None:
        figure.layout.datarevision = zlib.crc32((to_json(figure, validate=False) or "").encode())
    st.plotly_chart(figure, key=key, config=config, **selecting)
