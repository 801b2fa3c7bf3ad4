"""A film of which one piece is played, again and again: for choosing that piece."""

from __future__ import annotations

from pathlib import Path

from studio.components.assets import component, media_url


def piece_player(film: Path, *, start: float, end: float, key: str) -> None:
    """Shows a film that browsers play; it plays from `start` to `end`, s, silent until the user wants sound."""
    data = {"url": media_url(film, place=key), "start": float(start), "end": float(end)}
    component("piece")(key=key, data=data)
