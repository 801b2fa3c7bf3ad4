"""How results shall be marked, and what is recorded of it. Light: pages and command lines import it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Corner = Literal["bottom-right", "bottom-left", "top-right", "top-left", "none"]
CORNERS: tuple[str, ...] = get_args(Corner)
NOT_STATED = "not stated"
FRAMES_KEY, NUMBER_KEY, CONSENT_KEY, MARKS_KEY = "frames_sha256", "watermark", "consent", "marks"
LONGEST_CONSENT = 500


@dataclass(frozen=True, kw_only=True)
class MarkSettings:
    """How a result says that a machine made it."""

    mark: Corner = "bottom-right"
    """Where the visible mark "AI" is: a corner, or none."""
    watermark: bool = True
    """Write the invisible mark; False is for measuring what it costs."""
    credentials: Literal["auto", "require", "none"] = "auto"
    """Sign the file: auto goes on with a warning where that fails, require does not."""
    consent: str = ""
    """What the user states about the consent of whoever is shown; "": nothing."""

    def __post_init__(self) -> None:
        if self.mark not in CORNERS:
            raise ValueError(f"mark is {self.mark!r}, but must be one of: {', '.join(CORNERS)}")
        if self.credentials not in ("auto", "require", "none"):
            raise ValueError(f"credentials is {self.credentials!r}, but must be one of: auto, require, none")
        if len(self.consent) > LONGEST_CONSENT:
            raise ValueError(f"consent has {len(self.consent)} characters, but at most {LONGEST_CONSENT} are kept")

    def to_settings(self) -> dict[str, Any]:
        """What is recorded of them: ``marks`` and ``consent``."""
        marks = asdict(self)
        return {CONSENT_KEY: marks.pop("consent") or NOT_STATED, MARKS_KEY: marks}


def marks_from(settings: Mapping[str, Any]) -> MarkSettings:
    """The inverse of `MarkSettings.to_settings`; defaults where nothing was recorded.

    Raises:
        ValueError: A value cannot be.
    """
    consent = settings.get(CONSENT_KEY, NOT_STATED)
    known = {name: settings.get(MARKS_KEY, {}).get(name) for name in ("mark", "watermark", "credentials")}
    given = {name: value for name, value in known.items() if value is not None}
    return MarkSettings(consent="" if consent == NOT_STATED else str(consent), **given)
