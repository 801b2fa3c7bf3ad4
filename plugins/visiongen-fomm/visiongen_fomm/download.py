"""Public checkpoints, fetched only when the user asks for it, and checked."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visiongen import WeightsError
from visiongen_fomm import checkpoints

CACHE_VARIABLE = "VISIONGEN_FOMM_CACHE"
"""Environment variable: folder for downloads; default: the user's cache folder."""


@dataclass(frozen=True, kw_only=True)
class PublicCheckpoint:
    """A file its authors or their users publish."""

    url: str
    md5: str
    megabytes: int


PUBLIC = {
    "vox-adv": PublicCheckpoint(
        url="https://openavatarify.s3.amazonaws.com/weights/vox-adv-cpk.pth.tar",
        md5=checkpoints.PUBLIC_MD5["vox-adv-cpk.pth.tar"],
        megabytes=228,
    )
}


def cache_folder() -> Path:
    """Where downloads are kept."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visiongen-fomm"


def local(name: str, *, allowed: bool) -> Path:
    """The file of a public checkpoint, downloaded if it is not there and that is allowed.

    Raises:
        WeightsError: It is not here and may not be, or cannot be fetched, or is damaged.
    """
    public = PUBLIC[name]
    path = cache_folder() / public.url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    if not allowed:
        raise WeightsError(
            f"the checkpoint {name} is not on this machine: allow the download of {public.megabytes} MB with "
            f"--fomm.download, or fetch {public.url} yourself and give its path to --fomm.weights"
        )
    fetch(public, path)
    return path


def fetch(public: PublicCheckpoint, path: Path) -> None:
    """Downloads to `path`, which appears only when it is whole and has the right checksum.

    Raises:
        WeightsError: It cannot be fetched or written, or is damaged.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(public.url, timeout=60) as answer, partial.open("wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
        checkpoints.check_md5(partial, public.md5)
        os.replace(partial, path)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"{public.url} could not be downloaded to {path.parent} ({reason}); try again, or fetch it yourself and give "
            "its path to --fomm.weights"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
