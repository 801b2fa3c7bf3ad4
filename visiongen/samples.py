"""The sample media that come with the package: for the demo, the self-test, first steps, and what can go wrong."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from visiongen.errors import MediaError

PORTRAIT, DRIVING = "astronaut.jpg", "driving.mp4"
"""What ``visiongen animate --demo`` uses."""

PROBLEMS = {
    "occluded": ("painting.png", "problem_occluded.mp4"),
    "extreme-pose": ("statue.png", "problem_turned.mp4"),
    "fast-motion": ("astronaut.jpg", "problem_fast.mp4"),
    "blur": ("astronaut.jpg", "problem_blurred.mp4"),
    "face-lost": ("statue.png", "problem_lost.mp4"),
    "several-faces": ("painting.png", "problem_two_faces.mp4"),
    "out-of-frame": ("cartoon.png", "problem_cut_off.mp4"),
    "folded-field": ("painting.png", "driving.mp4"),
    "mouth-opened": ("cartoon.png", "driving.mp4"),
    "unseen-side": ("statue_turned.png", "problem_turned.mp4"),
}
"""Kind of a problem (`visiongen.diagnostics.KINDS`) -> names of a portrait and a driving clip that show it."""

PROBLEM_SETTINGS: dict[str, dict[str, float]] = {"folded-field": {"mouth": 2.0, "brows": 2.0}}
"""Kind -> fields of `visiongen.MotionSettings` that bring it about; the others come by themselves.

An expression folds the motion field where it is turned up, and hardly ever as it was seen: docs/diagnostics.md has the numbers.
"""


def sample(name: str) -> Path:
    """The file of this name in an installed package or, failing that, in the checkout it runs from.

    Raises:
        MediaError: There is none; the message names those there are.
    """
    folders = [Path(str(resources.files("visiongen") / "sample_media")), Path(__file__).parents[1] / "sample_media"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    found = sorted({path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()})
    media = [one for one in found if not one.endswith((".py", ".md"))]
    choices = f"there are: {', '.join(media)}" if media else "the sample media are missing; install visiongen again"
    raise MediaError(f"there is no sample {name!r}; {choices}")
