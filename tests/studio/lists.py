"""Chooses from a list of a page in a real browser."""

from __future__ import annotations

ATTEMPTS = 5
WAIT = 10_000
"""ms for a line of an open list."""


def pick(page, key: str, label: str) -> None:
    """Opens a list and takes one of its lines.

    A page closes an open list when it hears of scrolling. The browser tells it of the scrolling that brings the list
    into sight only with its next frame, so the list is opened after that; and a picture that is loaded above the list
    in that moment scrolls, too, so what was closed is opened again.

    Args:
        page: Playwright's.
        key: The list's key in the studio.
        label: The line, whole.
    """
    box = page.locator(f".st-key-{key}").get_by_role("combobox")
    line = page.get_by_role("option", name=label, exact=True)
    box.scroll_into_view_if_needed()
    for attempt in range(ATTEMPTS):
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        box.click()
        try:
            line.click(timeout=WAIT)
        except Exception:  # Playwright's own, which this module does not need otherwise
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return
