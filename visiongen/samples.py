"""The sample media that come with the package: for the demo, the self-test and first steps."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from visiongen.errors import MediaError

PORTRAIT, DRIVING = "astronaut.jpg", "driving.mp4"
"""What ``visiongen animate --demo`` uses."""


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
