"""The script that Streamlit runs for every page: frame, navigation, header. `app.py` serves it."""

from __future__ import annotations

import sys
from pathlib import Path

if str(Path(__file__).resolve().parents[1]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import streamlit as st

from studio.early_widgets import show_early
from studio.frame import draw_header, guarded, running_note
from studio.navigation import present_pages

st.set_page_config(page_title="VisionGen 3D", page_icon="🎭", layout="wide", initial_sidebar_state="collapsed")
page = st.navigation(
    [st.Page(entry.file, title=entry.title, icon=entry.icon, default=entry.default) for entry in present_pages()],
    position="top",
)
draw_header()
with guarded():
    running_note(page.title)
    page.run()
    show_early()
