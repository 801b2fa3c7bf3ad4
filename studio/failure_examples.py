"""The bundled clips that show one kind of failure each, as renders that can be started with one click."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.settings import Settings
from visiongen import MotionSettings
from visiongen.diagnostics import KINDS
from visiongen.errors import VisionGenError
from visiongen.samples import PROBLEM_SETTINGS, PROBLEMS, sample


@dataclass(frozen=True, kw_only=True)
class FailureExample:
    """One clip."""

    kind: str
    """Of `visiongen.diagnostics.KINDS`; the main one."""
    shows: str
    """What happens in it, in a few words."""
    worst: int
    """The frame that shows it best."""

    @property
    def title(self) -> str:
        """What the kind is called on screen."""
        return KINDS[self.kind]

    def path(self) -> Path | None:
        """The clip; None where this installation has none."""
        try:
            return sample(PROBLEMS[self.kind][1])
        except VisionGenError:
            return None

    def settings(self) -> Settings:
        """The render that shows it."""
        portrait, clip = PROBLEMS[self.kind]
        motion = MotionSettings(**PROBLEM_SETTINGS.get(self.kind, {}))
        return Settings(portrait=str(sample(portrait)), driving=str(sample(clip)), motion=motion)


_EXAMPLES = (
    FailureExample(kind="occluded", shows="a hand comes before mouth and cheek", worst=34),
    FailureExample(kind="extreme-pose", shows="the head turns away from the camera", worst=30),
    FailureExample(kind="fast-motion", shows="the head jumps from side to side", worst=24),
    FailureExample(kind="face-lost", shows="the light goes out, and with it the face", worst=24),
    FailureExample(kind="out-of-frame", shows="the face leaves the picture at its edge", worst=30),
    FailureExample(kind="folded-field", shows="mouth and brows move twice as far as the driver's", worst=68),
    FailureExample(kind="blur", shows="the camera goes out of focus, and comes back", worst=30),
    FailureExample(kind="several-faces", shows="a second person comes into the picture", worst=24),
    FailureExample(kind="mouth-opened", shows="the mouth opens, but the portrait's is closed", worst=34),
    FailureExample(kind="unseen-side", shows="the head turns to a side that the portrait hides", worst=30),
)


def failure_examples() -> list[FailureExample]:
    """Those whose clip is installed."""
    return [example for example in _EXAMPLES if example.path() is not None]
