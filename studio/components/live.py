"""The camera: its pictures go to the server over a WebSocket, and the moved portrait comes back."""

from __future__ import annotations

from studio.components.assets import component, media_url


def live_camera(*, path: str, ticket: str, version: int, portrait: bytes, key: str) -> str | None:
    """Camera, moved portrait, and the buttons and numbers that belong to them.

    Args:
        path: Of the WebSocket on this server.
        ticket: What to show there; another one while the camera runs connects anew.
        version: When it changes, the running session fetches its settings anew.
        portrait: JPEG of what is moved, shown while the camera is off.
        key: Unique on the page.
    Returns:
        The run of a recording that has just been written, else None.
    """
    data = {
        "path": path,
        "ticket": ticket,
        "version": version,
        "portrait": media_url(portrait, place=f"{key}-portrait", media_type="image/jpeg"),
    }
    return component("live")(key=key, data=data, on_recorded_change=lambda: None).recorded
