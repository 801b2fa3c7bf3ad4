"""What this studio runs on: versions, device, weights; looked at without loading a network into the server."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from visiongen.errors import VisionGenError

LIBRARIES = ("visiongen", "torch", "mediapipe", "opencv-contrib-python", "numpy", "scipy", "scikit-image", "av", "moviepy",
             "streamlit", "plotly", "pluggy")  # fmt: skip
_PROBE = """
import os
if hasattr(os, "nice"):
    os.nice(10)  # loading PyTorch takes all cores for a second, and a page is being drawn meanwhile
import json, torch
from visiongen.pipeline import resolve_device
device = resolve_device("auto")
facts = {"device": device, "threads": torch.get_num_threads(), "cpu": torch.backends.cpu.get_cpu_capability()}
if device == "cuda":
    facts["gpu"] = torch.cuda.get_device_name()
    facts["memory_gb"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
print(json.dumps(facts))
"""
_SECONDS = 120


@cache
def versions() -> dict[str, str]:
    """Library -> version, of what results depend on: as they were when the studio was started."""
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def begin_device_probe() -> Future:
    """Asks a process of its own which device renders use: loading PyTorch takes seconds and memory."""
    return ThreadPoolExecutor(1, thread_name_prefix="device").submit(probe_device)


def probe_device() -> dict[str, Any]:
    """Facts about the device that ``auto`` means here.

    Raises:
        VisionGenError: PyTorch cannot be used.
    """
    return json.loads(_output([sys.executable, "-c", _PROBE]).strip().splitlines()[-1])


def doctor() -> list[dict[str, Any]]:
    """The findings of ``visiongen doctor``: name, state (fine, odd, broken) and text.

    Raises:
        VisionGenError: It could not be run.
    """
    text = _output([sys.executable, "-m", "visiongen.cli", "doctor", "--json"], fails=True)
    found = json.loads(text)
    return found["findings"] if isinstance(found, dict) else found


def _output(command: list[str], *, fails: bool = False) -> str:
    root = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=root, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VisionGenError(f"the installation cannot be looked at ({error}); run `visiongen doctor`") from error
    if done.returncode and not (fails and done.stdout.strip()):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise VisionGenError(f"the installation cannot be looked at ({last}); run `visiongen doctor`")
    return done.stdout


def weights_card() -> dict[str, Any]:
    """The model card of the shipped weights, with ``size_mb``.

    Raises:
        VisionGenError: It is missing or damaged.
    """
    from importlib import resources

    path = Path(str(resources.files("visiongen") / "weights" / "vae-gan.json"))
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        size = path.with_suffix(".safetensors").stat().st_size
    except (OSError, ValueError) as error:
        raise VisionGenError(f"the weights of the default generator are not there ({error}); install again") from error
    return {**card, "size_mb": round(size / 2**20, 2)}
