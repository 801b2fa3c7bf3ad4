"""A studio of its own, started as a user starts it, in another folder than that of the program."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from renders import ROOT

from studio.store import DATA_VARIABLE


@dataclass(frozen=True)
class Started:
    """A studio that runs."""

    port: int
    folder: Path
    process: subprocess.Popen

    @property
    def address(self) -> str:
        """Of its first page."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def data(self) -> Path:
        """Where it keeps everything."""
        return self.folder / "data"


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started_studio(folder: Path, **environment: str) -> Iterator[Started]:
    """Starts the studio with `folder` as working folder, and ends it."""
    port = free_port()
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "studio" / "launch.py"), "--server.port", str(port)], cwd=folder,
            env={**os.environ, DATA_VARIABLE: str(folder / "data"), **environment}, stdout=output, stderr=output,
        )  # fmt: skip
    studio = Started(port, folder, process)
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(studio.address, timeout=5).close()
                break
            time.sleep(0.1)
        yield studio
    finally:
        process.kill()
        process.wait()
