"""Which files pages have fetched: a sign how far a browser has come, without a message that could run a page again."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

_MOST = 256
_changed = threading.Condition()
_fetched: deque[tuple[float, str]] = deque(maxlen=_MOST)
"""When, and what."""


class Fetched:
    """ASGI middleware that notes what is asked for."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request; it passes untouched."""
        if scope["type"] == "http":
            note(scope["path"])
        await self._app(scope, receive, send)


def note(path: str) -> None:
    """Something was asked for."""
    with _changed:
        _fetched.append((time.monotonic(), path))
        _changed.notify_all()


def wait_until_fetched(url: str, *, since: float, at_most: float) -> bool:
    """Waits until any browser asks for a file; whether one has.

    Args:
        url: Path of the file, as pages know it: it may be served under a further one.
        since: Time (`time.monotonic`) before which it does not count.
        at_most: s.
    """

    def is_there() -> bool:
        return any(when >= since and path.endswith(url) for when, path in _fetched)

    with _changed:
        return _changed.wait_for(is_there, at_most)
