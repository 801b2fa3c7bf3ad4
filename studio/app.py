"""``streamlit run studio/app.py``: the web application round the script `main.py`: its routes and its safety headers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
if str(FOLDER.parent) not in sys.path:
    sys.path.insert(0, str(FOLDER.parent))  # the folder that holds `studio`, from wherever it is started

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

from studio import plotly_script  # noqa: E402
from studio.answers import keep_answers  # noqa: E402
from studio.fetched import Fetched  # noqa: E402
from studio.first_paint import FirstPaint  # noqa: E402
from studio.gate import Gate  # noqa: E402
from studio.headers import SecurityHeaders  # noqa: E402
from studio.sockets import send_at_once  # noqa: E402


def _routes() -> list:
    """The script of charts, and the WebSocket of the page Live, where that is there."""
    if importlib.util.find_spec("studio.live_route") is None:
        return plotly_script.routes()
    from studio import live_route

    return [*plotly_script.routes(), *live_route.routes()]


send_at_once()
keep_answers()
app = st.App(
    FOLDER / "main.py",
    routes=_routes(),
    middleware=[Middleware(SecurityHeaders), Middleware(Gate), Middleware(Fetched), Middleware(FirstPaint)],
)
