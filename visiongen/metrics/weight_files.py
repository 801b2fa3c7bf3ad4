"""Weights of published networks that are not part of the package: found in a folder, checked, fetched only on request."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiongen.errors import WeightsError

_PIECE = 1 << 20


@dataclass(frozen=True)
class WeightFile:
    """A file of published weights."""

    name: str
    sha256: str
    """Its checksum, or as many first digits of it as its publisher gives (in the file's name)."""
    url: str
    metric: str
    """The metric that needs it, for messages and flags."""


def cache_folder() -> Path:
    """Where such files are kept: ``$XDG_CACHE_HOME/visiongen``, usually ``~/.cache/visiongen``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visiongen"


def find(file: WeightFile, folder: str = "", *, download: bool = False) -> Path:
    """The path of a checked file.

    Args:
        file: Which.
        folder: Where it lies; "": `cache_folder`.
        download: Fetch it where it is missing.
    Raises:
        WeightsError: It is missing, cannot be fetched, or has another checksum.
    """
    path = (Path(folder).expanduser() if folder else cache_folder()) / file.name
    if not path.is_file():
        if not download:
            raise WeightsError(
                f"the metric {file.metric!r} needs the file {path}, which is not there; get it from {file.url}, or add "
                f"--{file.metric}.download to have it fetched"
            )
        _fetch(file, path)
    found = _checksum(path)
    if not found.startswith(file.sha256):
        raise WeightsError(
            f"{path}: its SHA-256 is {found[:16]}..., but that of {file.name} begins with {file.sha256[:16]}; delete it "
            f"and get it again from {file.url}"
        )
    return path


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fetch(file: WeightFile, path: Path) -> None:
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(file.url, timeout=60) as answer, partial.open("wb") as target:
            while piece := answer.read(_PIECE):
                target.write(piece)
        if not _checksum(partial).startswith(file.sha256):
            raise WeightsError(f"{file.url}: what was fetched is not {file.name} (wrong checksum); try again later")
        os.replace(partial, path)
    except (OSError, urllib.error.URLError) as error:
        raise WeightsError(f"{file.url}: cannot be fetched to {path} ({error}); get it by other means") from error
    finally:
        partial.unlink(missing_ok=True)


def state_dict(path: Path, *, keep: str = "") -> dict[str, Any]:
    """Name -> tensor of a PyTorch file; only names that begin with `keep`.

    Raises:
        WeightsError: It is no such file.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: value for name, value in state.items() if name.startswith(keep)}
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, AttributeError, LookupError, ValueError, TypeError,
            MemoryError) as error:  # fmt: skip
        # PyTorch's own message tells how to run the code that a file may hold.
        raise WeightsError(
            f"{path}: not a PyTorch file of weights alone ({type(error).__name__}); it is not read; get it again"
        ) from error
