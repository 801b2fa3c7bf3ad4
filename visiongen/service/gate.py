"""Who may ask the service, and how much they may send: turned away before anything of theirs is looked at.

A browser lets any page send requests to this machine. So a request must be for a name that is ours (no DNS rebinding),
must not come from a page of another origin, and must show the token where one is set.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

_OPEN = ("/health",)
"""Paths that need no token: load balancers and container engines ask them."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


class TooLarge(Exception):
    """A request has more bytes than it may have."""


def is_own_host(host: str | None, names: tuple[str, ...]) -> bool:
    """Whether the header Host means this service. An address in digits does: only names can be made to point elsewhere."""
    try:
        name = (urlsplit(f"//{host or ''}").hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return name == "localhost" or name in {one.lower() for one in names}


def refusal(path: str, headers: dict[str, str], *, token: str, names: tuple[str, ...]) -> tuple[int, str] | None:
    """Status and sentence where a request is refused."""
    if not is_own_host(headers.get("host"), names):
        return 403, "this service does not answer under this name; whoever runs it can allow it with --names"
    origin = headers.get("origin")
    if origin and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return 403, "this service does not answer to pages of other origins"
    shown = headers.get("authorization", "").removeprefix("Bearer ").strip()
    if token and path not in _OPEN and not secrets.compare_digest(shown.encode(), token.encode()):
        return 401, "show the token of this service as Authorization: Bearer TOKEN"
    return None


class Gate:
    """ASGI middleware: refuses, limits the size of requests, and adds headers to every answer."""

    def __init__(self, app: Any, *, token: str, names: tuple[str, ...], most_bytes: int) -> None:
        self._app, self._token, self._names, self._most = app, token, names, most_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = refusal(scope["path"], headers, token=self._token, names=self._names)
        if refused is None and _number(headers.get("content-length")) > self._most:
            refused = 413, too_large(self._most)
        taken = 0

        async def counted() -> Any:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise TooLarge(too_large(self._most))
            return message

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        if refused is None:
            await self._app(scope, counted, with_headers)
            return
        status, reason = refused
        kinds = [(b"content-type", b"application/json"), (b"connection", b"close")]
        kinds += [(b"www-authenticate", b"Bearer")] if status == 401 else []
        await with_headers({"type": "http.response.start", "status": status, "headers": kinds})
        await send({"type": "http.response.body", "body": json.dumps({"error": reason}).encode()})


def too_large(most: int) -> str:
    """What a client is told that sends too much."""
    return f"the request has more than {most >> 20} MB; send a smaller picture or a shorter clip"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
