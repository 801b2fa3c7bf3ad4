"""Measures heads that turn: clips from their most turned frame on, and from one that looks to the camera, landmarks alone.

    python docs/measure_turned.py FOLDER ... [--frames 50] [--workers 1]

A clip drives one of its own frames, so that the truth is known; its pixels are not looked at, as those of another person's clip
would not be. Writes the table into docs/training.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from page_section import put

from visiongen import NoFaceError, extract_motion
from visiongen.pose import euler_angles

PAGE = Path(__file__).with_name("training.md")
METHODS = ("copy", "warp", "vae-gan")
METRICS = {"ssim": ("SSIM", 3), "l1": ("L1", 4), "psnr": ("PSNR, dB", 1), "akd": ("AKD, px", 2)}
TURNED, FACING, LEAST_TURN = 20.0, 7.0, 18.0
"""Degrees: what counts as turned, as looking to the camera, and how far a head must turn from the one toward the other."""


def begins_turned(yaw: np.ndarray, frames: int) -> int | None:
    """The most turned frame, if the head turns on from there; `yaw` (T,) in degrees."""
    last = len(yaw) - frames // 2
    if last < 1:
        return None
    first = int(np.argmax(np.abs(yaw[:last])))
    turns = np.ptp(yaw[first : first + frames]) >= LEAST_TURN
    return first if abs(yaw[first]) >= TURNED and turns else None


def begins_facing(yaw: np.ndarray, frames: int) -> int | None:
    """A frame that looks to the camera, of which most of those that follow are turned, but at least a quarter."""
    firsts = [i for i in range(0, len(yaw) - frames // 2, 3) if abs(yaw[i]) < FACING]
    shares = [float(np.mean(np.abs(yaw[i : i + frames]) > LEAST_TURN)) for i in firsts]
    return firsts[int(np.argmax(shares))] if shares and max(shares) > 0.25 else None


SETS = {"turned": begins_turned, "to the camera": begins_facing}


def starts(clips: list[Path], frames: int) -> dict[str, dict[Path, float]]:
    """Of every set its clips, and when each begins, s."""
    found: dict[str, dict[Path, float]] = {name: {} for name in SETS}
    for clip in clips:
        try:
            motion = extract_motion(clip)
        except NoFaceError:
            continue
        yaw = np.degrees(euler_angles(motion.rotation)[:, 0])
        for name, begins in SETS.items():
            first = begins(yaw, frames)
            if first is not None:
                found[name][clip] = float(motion.times[first])
    return found


def scores(clips: dict[Path, float], frames: int, workers: int) -> dict[str, dict[str, float]]:
    """Method -> metric -> mean over the clips."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, out = Path(folder) / "clips.csv", Path(folder) / "figures.md"
        with manifest.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["clip", "start"])
            rows.writerows([clip.resolve(), f"{start:.3f}"] for clip, start in clips.items())
        command = [sys.executable, "-m", "visiongen.cli", "evaluate", manifest, "--outside", "--out", out, "--skip-ceiling",
                   "--frames", frames, "--workers", workers, "--vae-gan.no-register", "--metrics", *METRICS,
                   "--methods", *METHODS]  # fmt: skip
        subprocess.run(list(map(str, command)), check=True)
        summary = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["summary"]
    return {method: {name: summary[method][name]["mean"] for name in METRICS} for method in METHODS}


def table(sets: dict[str, dict[Path, float]], frames: int, workers: int) -> str:
    """The page's section."""
    rows = []
    for name, clips in sets.items():
        for method, found in scores(clips, frames, workers).items():
            values = [f"{found[metric]:.{digits}f}" for metric, (_, digits) in METRICS.items()]
            rows.append(f"| {name} ({len(clips)} clips) | {method} | " + " | ".join(values) + " |")
    return "\n".join(
        [
            f"| begins | method | {' | '.join(title for title, _ in METRICS.values())} |",
            "|---" * (len(METRICS) + 2) + "|",
            *rows,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="of clips, one face each")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    flags = parser.parse_args()
    clips = sorted(path for folder in flags.folders for path in folder.glob("*.mp4"))
    sets = starts(clips, flags.frames)
    if empty := [name for name, found in sets.items() if not found]:
        raise SystemExit(f"of {len(clips)} clips none begins {' or '.join(empty)}, and turns from there")
    put(PAGE, "heads that turn", table(sets, flags.frames, flags.workers))


if __name__ == "__main__":
    main()
