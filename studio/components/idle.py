"""Tells when the browser has nothing to do."""

from __future__ import annotations

from studio.components.assets import component


def browser_is_idle(*, key: str) -> bool:
    """Shows nothing. When the browser has drawn the page and rests, the fragment is drawn again, and it is true in that run,
    which must put something else in its place: until then it asks again."""
    return bool(component("idle")(key=key, on_idle_change=lambda: None).idle)
