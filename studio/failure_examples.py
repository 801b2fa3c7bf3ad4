"""The bundled clips that show one kind of failure each, as renders that can be started with one click."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.settings import Settings
from visiongen.diagnostics import KINDS
from visiongen.errors import VisionGenError
from visiongen.samples import sample


@dataclass(frozen=True, kw_only=True)
class FailureExample:
    """One clip."""

    kind: str
    """Of `visiongen.diagnostics.KINDS`; the main one."""
    clip: str
    portrait: str = "astronaut.jpg"
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
            return sample(self.clip)
        except VisionGenError:
            return None

    def settings(self) -> Settings:
        """The render that shows it."""
        return Settings(portrait=str(sample(self.portrait)), driving=str(sample(self.clip)))


_EXAMPLES = (
    FailureExample(kind="occluded", clip="problem_occluded.mp4", shows="a hand comes before mouth and cheek", worst=34),
    FailureExample(
        kind="extreme-pose",
        clip="problem_turned.mp4",
        portrait="statue.png",
        shows="the head turns away from the camera",
        worst=30,
    ),
    FailureExample(kind="fast-motion", clip="problem_fast.mp4", shows="the head jumps from side to side", worst=24),
    FailureExample(
        kind="face-lost", clip="problem_lost.mp4", shows="the light goes out, and with it the face", worst=24
    ),
    FailureExample(
        kind="out-of-frame", clip="problem_cut_off.mp4", shows="the face leaves the picture at its edge", worst=30
    ),
    FailureExample(kind="blur", clip="problem_blurred.mp4", shows="the camera is out of focus", worst=30),
    FailureExample(
        kind="several-faces", clip="problem_two_faces.mp4", shows="a second person comes into the picture", worst=24
    ),
)


def failure_examples() -> list[FailureExample]:
    """Those whose clip is installed."""
    return [example for example in _EXAMPLES if example.path() is not None]
