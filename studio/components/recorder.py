"""Records a short clip of the user's own camera and microphone in the browser, and hands it to the page."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from studio.components.assets import component
from visiongen.errors import MediaError

LONGEST_RECORDING = 30
"""s"""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A clip as the browser made it."""

    data: bytes
    ending: str
    """Of a file that holds it: .webm or .mp4."""
    number: str
    """Another one for every recording."""


def recorder(*, key: str) -> Recording | None:
    """Shows the camera with a button to record; the recording in the run in which it arrives, else None.

    Raises:
        MediaError: What arrived is no recording.
    """
    result = component("recorder")(key=key, data={"longest": LONGEST_RECORDING}, on_recording_change=lambda: None)
    given = result.recording
    if not given:
        return None
    try:
        data = base64.b64decode(given["data"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise MediaError("the recording did not arrive whole; record again, or upload a video") from error
    ending = ".mp4" if "mp4" in str(given.get("type")) else ".webm"
    return Recording(data=data, ending=ending, number=str(given.get("number")))
