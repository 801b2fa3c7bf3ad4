"""What is put into Streamlit's page on its way: something to see at once, while the browser still reads megabytes of script,
a shortcut that works wherever the focus is, and a history of pages that Back goes through press by press."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_ROOT = b'<div id="root">'
"""Of Streamlit's page; React empties it when the studio is there."""
_TITLE = b"<title>Streamlit</title>"
_FIRST = """
<style>
  .opening { position: fixed; inset: 0; display: grid; place-content: center; gap: .9rem; text-align: center;
    font: 1rem system-ui, sans-serif; color: #1b1e28; background: #fbfbfd; }
  .opening strong { font-size: 1.6rem; font-weight: 600; }
  .opening i { width: 11rem; height: 3px; margin: 0 auto; border-radius: 2px; background: currentColor; opacity: .35;
    animation: opening 1.1s ease-in-out infinite alternate; }
  @keyframes opening { from { transform: scaleX(.15); } to { transform: scaleX(1); } }
  @media (prefers-color-scheme: dark) { .opening { color: #e9ebf2; background: #0f1117; } }
  @media (prefers-reduced-motion: reduce) { .opening i { animation: none; } }
</style>
<div class="opening" role="status"><strong>VisionGen 3D</strong><i></i><span>The studio is opening …</span></div>
"""
_SCRIPTS = tuple(
    Path(__file__).with_name("components").joinpath(name).read_text(encoding="utf-8")
    for name in ("shortcut.js", "history.js")
)


class FirstPaint:
    """ASGI middleware that puts it into Streamlit's page, as whose first content it is painted."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request; all but pages pass untouched."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: dict[str, Any] | None = None
        body = b""

        async def send_page(message: Any) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    page = with_first_content(body)
                    await send({**start, "headers": _headers(start["headers"], len(page))})
                    await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, send_page)


def with_first_content(page: bytes) -> bytes:
    """The bytes of Streamlit's page with something to see in it; other pages as they are."""
    if _ROOT not in page:
        return page
    first = _FIRST + "".join(f"<script>{{ {script} }}</script>" for script in _SCRIPTS)
    page = page.replace(_ROOT, _ROOT + first.encode(), 1)
    return page.replace(_TITLE, b"<title>VisionGen 3D</title>", 1)


def _is_page(start: dict[str, Any]) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    return (
        start["status"] == 200
        and headers.get(b"content-type", b"").startswith(b"text/html")
        and b"content-encoding" not in headers
    )


def _headers(headers: Any, length: int) -> list[tuple[bytes, bytes]]:
    """Without what described the page as it was."""
    gone = (b"content-length", b"etag", b"last-modified", b"accept-ranges")
    return [(n, v) for n, v in headers if n.lower() not in gone] + [(b"content-length", str(length).encode())]
