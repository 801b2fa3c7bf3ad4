"""What a diagnosis consists of: problems, each with its frames, its evidence and what can be done. JSON in and out."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from visiongen.diagnostics.advice import with_flags
from visiongen.errors import MediaError

KINDS = {
    "occluded": "face covered",
    "extreme-pose": "head turned far",
    "fast-motion": "fast movement",
    "blur": "blurred frames",
    "face-lost": "face lost",
    "several-faces": "several faces",
    "out-of-frame": "face cut off",
    "folded-field": "motion field folds",
    "mouth-opened": "mouth opened from closed",
    "unseen-side": "side of the face never seen",
    "poor-reference": "poor reference frame",
}
"""Kind of a problem -> what it is called on screen."""

JSON_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Something that makes a problem smaller; `visiongen.diagnostics.apply_remedy` does it."""

    label: str
    """What it does, as on a button: "Fill in frames 40 to 52 from those around"."""
    fill: tuple[int, int] | None = None
    """First and last frame whose motion is made from the frames around them."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `visiongen.MotionSettings` and their new values."""
    trim: tuple[int, int] | None = None
    """First and last frame to keep; everything else of the clip is left out."""
    automatic: bool = True
    """Applied by ``visiongen animate --remedy``; the others change the result in a way only a person can want."""

    def __post_init__(self) -> None:
        for name in ("fill", "trim"):
            piece = getattr(self, name)
            if piece is not None:
                first, last = (int(frame) for frame in piece)
                if not 0 <= first <= last:
                    raise ValueError(f"{name} must be (first, last) frame with 0 <= first <= last, but got {piece}")
                object.__setattr__(self, name, (first, last))
        object.__setattr__(self, "settings", dict(self.settings))
        if self.fill is None and self.trim is None and not self.settings:
            raise ValueError("a remedy must fill, trim or change settings")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A run of frames that are likely to look wrong for one reason."""

    kind: str
    """One of `KINDS`."""
    first: int
    """First frame of the run."""
    last: int
    """Last frame of the run, included."""
    peak: int
    """The frame where it is worst."""
    severity: float
    """0 (hardly to be seen) to 1 (the result is unusable there)."""
    seen: str
    """The evidence in one sentence, with numbers."""
    why: str
    """Why it matters."""
    change: str
    """What to do; options are named as `visiongen.diagnostics.advice` has them: "Lower {pose}."."""
    remedy: Remedy | None = None
    """What the pipeline can do about it by itself."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, but must be one of: {', '.join(KINDS)}")
        if not 0 <= self.first <= self.peak <= self.last:
            raise ValueError(
                f"frames must be 0 <= first <= peak <= last, but got {self.first}, {self.peak}, {self.last}"
            )
        if not 0 <= self.severity <= 1:
            raise ValueError(f"severity must be in [0, 1], but got {self.severity}")

    @property
    def title(self) -> str:
        """What the kind is called on screen."""
        return KINDS[self.kind]

    @property
    def advice(self) -> str:
        """What to do, with the flags of the command line."""
        return with_flags(self.change)

    @property
    def num_frames(self) -> int:
        """Length of the run."""
        return self.last - self.first + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them."""
        return {**asdict(self), "severity": round(self.severity, 4)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Problem:
        """A problem from what `to_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: It is something else.
        """
        remedy = values.get("remedy")
        return cls(**{**values, "remedy": Remedy(**remedy) if remedy else None})


def save_problems(problems: Iterable[Problem], path: Path) -> None:
    """Writes ``problems.json``: the format and the problems as objects.

    Raises:
        MediaError: It cannot be written.
    """
    content = {"format": JSON_FORMAT, "problems": [problem.to_dict() for problem in problems]}
    partial = Path(path).with_name(f".{Path(path).name}.part")
    try:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise MediaError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def read_problems(path: Path) -> list[Problem]:
    """The problems of a file that `save_problems` wrote.

    Raises:
        MediaError: It is another file, damaged, or of a newer format.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != JSON_FORMAT:
            raise ValueError(f"format {content['format']}, but this version reads {JSON_FORMAT}")
        return [Problem.from_dict(values) for values in content["problems"]]
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror}); check its name") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise MediaError(f"{path}: no problems of VisionGen, or damaged ({error}); diagnose the clip again") from error
