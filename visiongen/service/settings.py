"""What the service allows, as flags."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from visiongen.errors import VisionGenError

TOKEN_VARIABLE = "VISIONGEN_SERVE_TOKEN"
"""Environment variable: whoever asks must show it as ``Authorization: Bearer TOKEN``."""
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Run a small HTTP service that makes animations: submit, follow, fetch, delete; see docs/deploy.md.

    The environment variable VISIONGEN_SERVE_TOKEN holds a secret that every request must show. Without it the service only
    listens to this machine.
    """

    host: str = "127.0.0.1"
    """Address to listen on; others than this machine's own need a token."""
    port: int = 8400
    """0: any that is free; it is printed."""
    names: tuple[str, ...] = ()
    """Further host names under which it may be asked, such as that of a proxy before it."""
    workers: int = 1
    """Jobs done at once, each in a process of its own."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes a GPU if there is one."""
    most_waiting: int = 20
    """Jobs that wait or are at work, in all."""
    most_per_client: int = 5
    """The same of one client (address)."""
    most_kept: int = 200
    """Finished jobs that are kept; the oldest make room."""
    upload_mb: int = 200
    """Largest request, MB."""
    max_side: int = 4096
    """Longest side of a video, and of a result, px."""
    max_seconds: float = 60.0
    """Longest piece of a driving clip, s."""
    job_seconds: float = 900.0
    """A job that takes longer is given up, s."""
    keep: Annotated[float, arg(metavar="SECONDS")] = 3600.0
    """Results are deleted so long after they were made, s."""
    data: Path | None = None
    """Folder for uploads and results; default: a temporary one. What an earlier service left in it is deleted."""

    def __post_init__(self) -> None:
        for name in ("workers", "most_waiting", "most_per_client", "most_kept", "upload_mb", "max_side"):
            if getattr(self, name) < 1:
                raise VisionGenError(f"--{name.replace('_', '-')} is {getattr(self, name)}, but must be at least 1")
        for name in ("max_seconds", "job_seconds", "keep"):
            if not getattr(self, name) > 0:
                raise VisionGenError(f"--{name.replace('_', '-')} is {getattr(self, name):g}, but must be more than 0")
        if not 0 <= self.port <= 65535:
            raise VisionGenError(f"--port is {self.port}, but must be from 0 to 65535")
        if not self.is_local and not token():
            raise VisionGenError(
                f"--host {self.host} can be reached from other machines; set a secret in {TOKEN_VARIABLE} first"
            )

    @property
    def is_local(self) -> bool:
        """Only this machine can ask."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def token() -> str:
    """The secret that requests must show; "" where none is set.

    Raises:
        VisionGenError: It is too short to be one.
    """
    found = os.environ.get(TOKEN_VARIABLE, "").strip()
    if found and len(found) < _SHORTEST_TOKEN:
        raise VisionGenError(f"{TOKEN_VARIABLE} has {len(found)} characters; give at least {_SHORTEST_TOKEN}")
    return found
