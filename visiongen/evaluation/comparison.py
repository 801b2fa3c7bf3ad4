"""Generated films against the one that drove them: scores and curves, all methods in one pass over the real film."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from visiongen import media
from visiongen.containers import VIDEO_FORMATS
from visiongen.datatypes import DrivingClip
from visiongen.errors import VisionGenError
from visiongen.hookspecs import Metric
from visiongen.landmarks import FaceMesh
from visiongen.metrics import Scoreboard

_JUDGED = {"L1": "l1", "PSNR": "psnr", "SSIM": "ssim", "AKD": "akd", "KSR": "ksr", "KSR_acceleration": "ksr_acceleration",
           "KSR_displacement": "ksr_displacement", "jitter": "jitter_ratio", "motion": "motion_ratio"}  # fmt: skip
"""Names that judges use for scores of ours."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was measured of one film."""

    scores: dict[str, float]
    curves: dict[str, list[float | None]] = field(default_factory=dict)
    statistics: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Metrics that failed, with the reason."""


def compare(
    clip: DrivingClip,
    films: Mapping[str, Path],
    portrait: np.ndarray,
    *,
    same_person: bool,
    metrics: Mapping[str, Metric],
) -> dict[str, Verdict]:
    """Scores of films that were all driven by `clip`, by name.

    Args:
        clip: The real film.
        films: Name -> generated film, frame by frame like the clip.
        portrait: (H, W, 3), the picture that was animated.
        same_person: The clip is the truth.
        metrics: Name -> loaded metric.
    Raises:
        MediaError: A film cannot be read.
    """
    read = opencv_frames if _plain(clip) else _frames
    if same_person:
        portrait = next(read(clip))
    with ExitStack() as stack:
        mesh = stack.enter_context(FaceMesh(max_faces=1))
        boards = {
            name: Scoreboard(portrait, fps=float(clip.fps), same_person=same_person, metrics=metrics, mesh=mesh)
            for name in films
        }
        looker = next(iter(boards.values()))
        streams = {name: read(media.probe(path)) for name, path in films.items()}
        for real in read(clip):
            real, landmarks = looker.look(real)
            for name in list(streams):
                generated = next(streams[name], None)
                if generated is None:  # shorter than the clip: what there is counts
                    del streams[name]
                else:
                    boards[name].add(real, generated, real_landmarks=landmarks)
            if not streams:
                break
        return {
            name: Verdict(
                scores=board.result(), curves=board.curves, statistics=board.statistics(), failed=board.failures
            )
            for name, board in boards.items()
        }


def _plain(clip: DrivingClip) -> bool:
    """OpenCV gives the same frames as our own reader: from the beginning, at a constant rate."""
    capture = _capture(clip.path)
    try:
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    whole = media.probe(clip.path)
    same_count = whole.num_frames is not None and abs(count - whole.num_frames) <= 1
    return clip.start == 0 and same_count and abs(rate - float(clip.fps)) < 1e-3 * rate


def opencv_frames(clip: DrivingClip) -> Iterator[np.ndarray]:
    """Frames of a plain clip as OpenCV decodes them. Its colours are a grey level or so darker than the exact ones, but they
    are what other evaluation scripts see, and landmarks in a still face tell the difference: AKD and KSR move by a percent
    or two."""
    capture = _capture(clip.path)
    try:
        left = math.inf if clip.end is None else round(clip.end * float(clip.fps))
        while left > 0:
            found, frame = capture.read()
            if not found:
                return
            left -= 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _capture(path: Path) -> cv2.VideoCapture:
    """OpenCV's reader, kept to one local file like our own: no playlists, no addresses, no patterns of pictures."""
    limits = f"protocol_whitelist;file|format_whitelist;{VIDEO_FORMATS}"
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", limits)  # there is no other way in
    return cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)


def _frames(clip: DrivingClip) -> Iterator[np.ndarray]:
    for batch in media.read_frames(clip, batch_size=8):
        yield from batch.pixels


def judged(judge: Path, real: Path, generated: Path) -> Verdict:
    """Scores by a script ``JUDGE REAL GENERATED`` that prints one JSON line.

    Raises:
        VisionGenError: It failed.
    """
    command = [sys.executable, str(judge), str(real), str(generated)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
        scores = {_JUDGED.get(name, name): float(value) for name, value in found.items() if value is not None}
    except (IndexError, ValueError, AttributeError, TypeError) as error:
        raise VisionGenError(f"{judge.name} failed on {real.name}: {run.stderr.strip()[-300:]}") from error
    scores.pop("frames", None)
    if "missing" in scores:
        scores["detection_rate"] = 1 - scores.pop("missing")
    return Verdict(scores=scores)
