"""Tells when the browser has nothing to do."""

from __future__ import annotations

from studio.components.assets import component
from studio.plotly_script import PATH


def browser_is_idle(*, key: str) -> bool:
    """Shows nothing. When the browser has drawn the page and rests, it reads the script of charts, and the fragment is drawn
    again. It is true in that run, which must put something else in its place: until then it asks again."""
    show = component("idle", scripts=("plotly_once", "after_input"))
    return bool(show(key=key, data={"script": PATH}, on_idle_change=lambda: None).idle)
