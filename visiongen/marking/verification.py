"""Looks at a file for everything that says a machine made it: signature, invisible mark, plain metadata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import media
from visiongen.errors import MediaError
from visiongen.marking.credentials import CredentialFinding, read_credentials
from visiongen.marking.detector import WatermarkFinding, detect
from visiongen.marking.metadata import read_metadata
from visiongen.marking.settings import CONSENT_KEY, NOT_STATED, NUMBER_KEY

MOST_FRAMES, _PIECES = 36, 3
"""Frames that are looked at, in so many pieces of a film: more of a picture that stands still tell nothing more."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All findings on one file."""

    name: str
    credentials: CredentialFinding | None
    watermark: WatermarkFinding
    metadata: dict[str, Any] | None

    @property
    def proven(self) -> bool:
        """At least one sign says that a machine made it."""
        signed = self.credentials is not None and self.credentials.proves_generation
        return signed or self.watermark.found or bool(self.metadata and self.metadata.get("synthetic"))

    @property
    def settings(self) -> dict[str, Any]:
        """How it was made: from the signed statement, else from plain metadata; empty where neither tells."""
        signed = self.credentials.settings.get("settings") if self.credentials is not None else None
        plain = self.metadata.get("settings") if self.metadata else None
        return next((dict(one) for one in (signed, plain) if isinstance(one, dict) and one), {})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        watermark = asdict(self.watermark) | {
            "payload": str(self.watermark.payload) if self.watermark.payload else None
        }
        credentials = asdict(self.credentials) if self.credentials else None
        return {"file": self.name, "generated": self.proven, "credentials": credentials, "watermark": watermark,
                "metadata": self.metadata}  # fmt: skip

    def sentences(self) -> list[str]:
        """What was found, in plain words: the answer first."""
        if self.proven:
            answer = f"{self.name} was made, or changed, by a machine: at least one sign says so."
        else:
            answer = f"{self.name} carries no sign of VisionGen 3D. That does not prove that a camera took it."
        found = [answer, _about_credentials(self.credentials), self._about_watermark(), _about_metadata(self.metadata)]
        if consent := self.settings.get(CONSENT_KEY):
            stated = "nothing was stated" if consent == NOT_STATED else f'the maker stated: "{consent}"'
            found.append(f"Consent of whoever is shown: {stated}.")
        return found

    def _about_watermark(self) -> str:
        mark = self.watermark
        if not mark.found:
            return f"Invisible mark: not found in {mark.num_frames} frames."
        said = "it is there, but its number cannot be read"
        if mark.payload is not None:
            said = f"found, run {mark.payload}"
            if (expected := self.settings.get(NUMBER_KEY)) is not None:
                said += (
                    ", which belongs to these settings"
                    if expected == str(mark.payload)
                    else f", not {expected} as recorded"
                )
        where = " in a mirrored copy" if mark.mirrored else ""
        where += f" in a piece of {mark.scale:.0%} of the frame's side" if mark.scale < 0.97 else ""
        return f"Invisible mark: {said}{where} (by chance in 1 of {1 / max(mark.chance, 1e-300):.0e} films)."


def examine(path: Path | str) -> Verification:
    """Looks at a film, a picture or a folder of PNG frames.

    Raises:
        MediaError: It does not exist or cannot be read as any of these.
    """
    path = Path(path)
    watermark = detect(sampled_frames(path))
    signed = next(iter(sorted(path.glob("*.png"))), path) if path.is_dir() else path
    return Verification(
        name=path.name,
        credentials=read_credentials(signed),
        watermark=watermark,
        metadata=read_metadata(path),
    )


def sampled_frames(path: Path) -> Iterator[np.ndarray]:
    """At most `MOST_FRAMES` frames (H, W, 3) uint8 RGB from all over a file or folder.

    Raises:
        MediaError: There are none.
    """
    if path.is_dir():
        files = sorted(path.glob("*.png"))
        if not files:
            raise MediaError(f"the folder {path} holds no PNG frames; give a film, a picture or a folder of frames")
        yield from map(media.read_picture, files[:: -(-len(files) // MOST_FRAMES)])
        return
    try:
        clip = media.probe(path)
    except MediaError as not_a_film:
        try:
            yield from _pictures_of(path)
        except MediaError:
            raise not_a_film from None
        return
    seconds = float((clip.num_frames or 1) / clip.fps)
    each = MOST_FRAMES // _PIECES
    short = (clip.num_frames or 0) <= MOST_FRAMES
    for piece in range(1 if short else _PIECES):
        part = media.probe(path, start=max(0.0, seconds * piece / _PIECES - 1e-3))
        frames = (frame for batch in media.read_frames(part, batch_size=4) for frame in batch.pixels)
        yield from islice(frames, MOST_FRAMES if short else each)


def _pictures_of(path: Path) -> Iterator[np.ndarray]:
    """Frames of an animated WebP, which the video reader does not read; else the one of a still picture."""
    first = media.read_picture(path)
    from PIL import Image

    with Image.open(path, formats=media.PICTURE_FORMATS) as image:
        count = getattr(image, "n_frames", 1)
        if count == 1:
            yield first
            return
        try:
            for number in range(0, count, -(-count // MOST_FRAMES)):
                image.seek(number)
                yield np.array(image.convert("RGB"))
        except (OSError, EOFError, ValueError) as error:
            raise MediaError(f"the picture {path} is damaged or cut off ({error}); save it again") from error


def _about_credentials(found: CredentialFinding | None) -> str:
    if found is None:
        return "Content Credentials (C2PA): none."
    if found.state == "invalid":
        return (
            f"Content Credentials (C2PA): INVALID, do not trust them: {'; '.join(found.problems) or 'no reason given'}."
        )
    who = "with your own certificate" if found.state == "own" else "by somebody this computer does not know"
    text = f"Content Credentials (C2PA): valid, the file is unchanged since it was signed {who} ({found.signer})"
    text += f"; made with {found.generator}" if found.generator else ""
    text += f"; inputs: {', '.join(found.ingredients)}" if found.ingredients else ""
    return text + "."


def _about_metadata(found: dict[str, Any] | None) -> str:
    if found is None:
        return "Plain metadata: none."
    what = "marked as synthetic" if found.get("synthetic") else "not marked as synthetic"
    return f"Plain metadata: {what}, written by {found['software']}; unsigned, so anybody can have changed it."
