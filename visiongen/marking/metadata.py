"""Reads the plain metadata that exporters write: how a result was made, unsigned."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from visiongen import containers, media
from visiongen.errors import MediaError
from visiongen.exporters.target import FRAME_NAME, PROVENANCE_NAME

_LONGEST = 1 << 20
"""Characters of JSON that are looked at."""
_DESCRIPTION = re.compile(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What `visiongen.exporters.provenance.as_json` wrote into a file or folder; None where there is nothing of it."""
    text = None
    if path.is_dir():
        text = _folder_text(path)
    else:
        for read in (_picture_text, _video_text):
            text = text or read(path)
    if not text or len(text) > _LONGEST:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "software" in document else None


def _folder_text(path: Path) -> str | None:
    try:
        with (path / PROVENANCE_NAME).open(encoding="utf-8") as file:
            return file.read(_LONGEST + 1)
    except (OSError, UnicodeDecodeError):
        first = path / FRAME_NAME.format(0)
        return _picture_text(first) if first.is_file() else None


def _picture_text(path: Path) -> str | None:
    from PIL import Image

    try:
        with Image.open(path, formats=media.PICTURE_FORMATS) as image:
            info = dict(image.info)
            comment = info.get("Comment") or info.get("comment")
            packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or ""
    except Exception:  # not a picture, or a damaged one: Pillow raises nearly anything
        return None
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace")
    if comment:
        return str(comment)
    packet = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else str(packet)
    found = _DESCRIPTION.search(packet[:_LONGEST])
    return html.unescape(found.group(1)) if found else None


def _video_text(path: Path) -> str | None:
    try:
        with containers.opened(path) as container:
            tags = {name.lower(): value for name, value in container.metadata.items()}
            return tags.get("comment")
    except MediaError:
        return None
