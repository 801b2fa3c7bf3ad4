"""Who may talk to the studio: pages that it served itself, under a name that is its own.

A browser lets any page on the web send requests to this machine. Two questions keep such pages out. Is the host that
was asked for ours? A foreign name that was made to point at this machine (DNS rebinding) is not. And is the page that
asks one of ours? Streamlit lets pages of every port of localhost open its WebSocket; here scheme and port count too.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

HOSTS_VARIABLE = "VISIONGEN_STUDIO_HOSTS"
"""Environment variable: further names under which browsers reach this studio, separated by commas."""
_SAFE = ("GET", "HEAD", "OPTIONS")


def is_same_origin(origin: str | None, host: str | None) -> bool:
    """Whether a browser's page at `origin` was served by `host` (with port) itself."""
    if not origin or not host:
        return False
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def is_own_host(host: str | None) -> bool:
    """Whether a browser that asked for `host` (with port) meant this studio.

    An address in digits is always meant: only names can be made to point elsewhere.
    """
    if not host or set(host) & set("@/\\?# "):  # no browser writes these there
        return False
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # a bracket too many
        return False
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return name == "localhost" or name.endswith(".localhost") or name in _own_names()


def _own_names() -> set[str]:
    named = os.environ.get(HOSTS_VARIABLE, "").split(",")
    named += [socket.gethostname(), st.get_option("browser.serverAddress"), st.get_option("server.address")]
    return {name.strip().lower() for name in named if name and name.strip()}


def refusal(kind: str, method: str, host: str | None, origin: str | None) -> str:
    """Why a request is refused, in a sentence; "" where it is not.

    Args:
        kind: "http" or "websocket".
        method: Of HTTP.
        host, origin: Headers of these names.
    """
    if not is_own_host(host):
        return f"This studio does not answer under this name. Whoever runs it can allow names in {HOSTS_VARIABLE}."
    # Programs that are no browsers send no origin. They may ask, but they have nothing to do on a WebSocket.
    if kind == "websocket" or (method not in _SAFE and origin is not None):
        if not is_same_origin(origin, host):
            return "This studio answers only to its own pages."
    return ""


class Gate:
    """ASGI middleware that turns the others away before anything of theirs is looked at."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in (b"host", b"origin")}
        reason = refusal(scope["type"], scope.get("method", ""), headers.get(b"host"), headers.get(b"origin"))
        if not reason:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            kind = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": kind})
            await send({"type": "http.response.body", "body": reason.encode()})
