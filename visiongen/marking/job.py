"""What a job was made from and with, as its result records it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from visiongen import media
from visiongen.datatypes import MotionTrack, Provenance


def job_provenance(how: dict[str, Any], portrait: Any, driving: Any) -> Provenance:
    """Of a job with the settings `how`."""
    inputs = {"portrait": fingerprint(portrait), "driving": fingerprint(driving)}
    settings = {**how, "python": platform.python_version(), **inputs}
    return Provenance(software=f"VisionGen 3D {metadata.version('visiongen')}", settings=settings)


def fingerprint(source: Any) -> Mapping[str, str]:
    """Name and, of a file, checksum of an input.

    Raises:
        MediaError: The file cannot be read.
    """
    if isinstance(source, MotionTrack) and source.clip is not None:
        source = source.clip.path
    if isinstance(source, (str, Path)):
        return {"name": Path(source).name, "sha256": media.sha256(Path(source))}
    return {"name": type(source).__name__}


def input_files(portrait: Any, driving: Any) -> dict[str, Path]:
    """Those of the inputs that are files."""
    if isinstance(driving, MotionTrack) and driving.clip is not None:
        driving = driving.clip.path
    given = {"portrait": portrait, "driving": driving}
    return {role: Path(source) for role, source in given.items() if isinstance(source, (str, Path))}
