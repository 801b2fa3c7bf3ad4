"""Self-reenactment: every clip drives its own first frame, and the result is compared with the clip itself."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visiongen import media, plugins
from visiongen.datatypes import FrameBatch, MotionTrack
from visiongen.errors import MediaError, VisionGenError
from visiongen.landmarks import FaceMesh
from visiongen.metrics import image as image_metrics
from visiongen.metrics import motion as motion_metrics
from visiongen.pipeline import extract_motion, fit_motion, prepare_portrait, render
from visiongen.pose import euler_angles
from visiongen.retarget import MotionSettings

logger = logging.getLogger(__name__)

SIZE = 256
"""Side of the pictures that are compared, px."""
COPY = "copy"
"""The method that does nothing: the first frame, repeated."""
COLUMNS = ("SSIM", "L1", "PSNR", "AKD", "KSR", "jitter", "sharpness", "motion")
_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What to evaluate and where to write."""

    clips: Path
    """Folder of clips, one face each; every clip drives its own first frame."""
    methods: tuple[str, ...] = (COPY, "warp", "vae-gan")
    """Generators to compare; `copy` repeats the first frame."""
    out: Path = Path("docs/quality.md")
    """Markdown file to write; the figures are put beside it as .json."""
    work: Path | None = None
    """Keep generated clips and figures here; what is there already is not computed again."""
    judge: Path | None = None
    """A script `JUDGE REAL GENERATED` that prints one JSON line with the columns; default: our own metrics."""
    limit: int | None = None
    """Only the first so many clips."""
    frames: int = 400
    """At most so many frames of a clip."""


def evaluate(config: EvaluationConfig) -> Path:
    """Generates, compares and writes the table.

    Raises:
        MediaError: There are no clips, or the table cannot be written.
        VisionGenError: The judge failed.
    """
    clips = sorted(p for p in config.clips.iterdir() if p.suffix.lower() in _SUFFIXES)[: config.limit]
    if not clips:
        raise MediaError(f"{config.clips}: no video clips in this folder")
    loaded = {name: plugins.load(plugins.choose("generator", name)) for name in config.methods if name != COPY}
    rows = []
    with tempfile.TemporaryDirectory(prefix="visiongen-") as scratch:
        work = config.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for number, clip in enumerate(clips, 1):
            logger.info("%d/%d %s", number, len(clips), clip.stem)
            rows.append(_evaluate_clip(clip, loaded, config, work))
    try:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        figures = [{name: value for name, value in row.items() if name != "keys"} for row in rows]
        config.out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
        config.out.write_text(_markdown(rows, config))
    except OSError as error:
        raise MediaError(f"{config.out}: cannot be written ({error.strerror}); choose another --out") from error
    return config.out


def _evaluate_clip(clip: Path, loaded: dict, config: EvaluationConfig, work: Path) -> dict:
    kept = work / f"{clip.stem}.json"
    row = json.loads(kept.read_text()) if kept.exists() else {"clip": clip.stem, "scores": {}, "keys": {}}
    keys = {method: _key(clip, method, config) for method in config.methods}
    missing = [method for method in config.methods if row["keys"].get(method) != keys[method]]
    if missing:
        motion = extract_motion(clip, end=config.frames / float(media.probe(clip).fps))
        first = next(media.read_frames(motion.clip, batch_size=1)).pixels[0]
        source, fitted = fit_motion(prepare_portrait(first), motion, MotionSettings(mode="absolute"))
        exporter = plugins.load(plugins.choose("exporter", "mp4"))
        paths = {method: work / f"{clip.stem}.{method}.mp4" for method in missing}
        for method, path in paths.items():
            path.unlink(missing_ok=True)
            frames = _copied(first, motion) if method == COPY else render(source, fitted, generator=loaded[method])
            exporter.export(frames, path, fps=motion.clip.fps, sound=None, provenance=_provenance(method))
        with ThreadPoolExecutor(2) as pool:
            scores = list(pool.map(lambda path: _compare(clip, path, config), paths.values()))
        row["scores"] |= dict(zip(missing, scores))
        row["keys"] |= keys
        row |= {"class": motion_class(motion), "frames": len(motion)}
        kept.write_text(json.dumps(row))
    return row | {"scores": {method: row["scores"][method] for method in config.methods}}


def _key(clip: Path, method: str, config: EvaluationConfig) -> str:
    """What a figure depends on: other weights or another judge make it again."""
    from visiongen.models.weights import shipped

    weights = media.sha256(shipped()) if method == "vae-gan" and shipped().exists() else ""
    judge = media.sha256(config.judge) if config.judge else ""
    return hashlib.sha256(json.dumps([clip.name, method, weights, judge, config.frames]).encode()).hexdigest()


def _compare(clip: Path, generated: Path, config: EvaluationConfig) -> dict[str, float]:
    if config.judge:
        return _judged(config.judge, clip, generated)
    return _measured(clip, generated, config.frames)


def _provenance(method: str):
    from visiongen.datatypes import Provenance

    return Provenance(software="VisionGen 3D", settings={"generator": method, "evaluation": True})


def _copied(first: np.ndarray, motion: MotionTrack) -> Iterator[FrameBatch]:
    for time in motion.times:
        yield FrameBatch(pixels=first[None], times=[time])


def motion_class(motion: MotionTrack) -> str:
    """What a clip mostly does, by the movement from its first frame (the one that is animated)."""
    yaw = np.abs(np.rad2deg(euler_angles(motion.rotation)[:, 0] - euler_angles(motion.rotation[:1])[0, 0]))
    shift = np.linalg.norm((motion.translation - motion.translation[0])[:, :2], axis=1)
    gap = np.abs(motion.offsets[:, 14, 1] - motion.offsets[:, 13, 1])
    if np.quantile(yaw, 0.9) > 15:
        return "head turns"
    if np.quantile(shift, 0.9) > 0.3:
        return "large translation"
    if np.quantile(gap, 0.9) - gap[0] > 0.12:
        return "mouth wide open"
    return "calm"


def _judged(judge: Path, real: Path, generated: Path) -> dict[str, float]:
    run = subprocess.run(
        [sys.executable, str(judge), str(real), str(generated)], capture_output=True, text=True, check=False
    )
    try:
        return json.loads(run.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise VisionGenError(f"{judge.name} failed on {real.name}: {run.stderr.strip()[-300:]}") from error


def _measured(real: Path, generated: Path, limit: int) -> dict[str, float]:
    a, b = (_small_frames(path, limit) for path in (real, generated))
    length = min(len(a), len(b))
    a, b = a[:length], b[:length]
    with FaceMesh(max_faces=1) as mesh:
        points_a, points_b = (_mesh_track(frames, mesh) for frames in (a, b))
    sharp = [
        image_metrics.sharpness(y, p) / max(image_metrics.sharpness(x, p), 1e-6)
        for x, y, p in zip(a, b, points_a)
        if not np.isnan(p[0, 0])
    ]
    stability = motion_metrics.keypoint_stability(points_a, points_b, float(media.probe(real).fps))
    later = range(1, length)  # frame 0 is the portrait itself
    return {
        "SSIM": float(np.mean([image_metrics.ssim(a[i], b[i]) for i in later])),
        "L1": float(np.mean([image_metrics.l1(a[i], b[i]) for i in later])),
        "PSNR": float(np.mean([image_metrics.psnr(a[i], b[i]) for i in later])),
        "AKD": float(np.nanmean(motion_metrics.akd(points_a, points_b)[1:])),
        "KSR": stability.ksr,
        "jitter": motion_metrics.jitter_ratio(points_a, points_b),
        "sharpness": float(np.sqrt(np.median(sharp))) if sharp else float("nan"),
        "motion": motion_metrics.motion_ratio(points_a, points_b),
    }


def _small_frames(path: Path, limit: int) -> list[np.ndarray]:
    frames: list[np.ndarray] = []
    for batch in media.read_frames(media.probe(path), batch_size=8):
        frames += [cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in batch.pixels]
        if len(frames) >= limit:
            break
    return frames[:limit]


def _mesh_track(frames: list[np.ndarray], mesh: FaceMesh) -> np.ndarray:
    points = np.full((len(frames), 468, 2), np.nan)
    for i, frame in enumerate(frames):
        faces = mesh(cv2.resize(frame, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_CUBIC))
        if len(faces):
            points[i] = faces[0][:468, :2] / 2
    return points


# -- the table ---------------------------------------------------------------------------------------------------------


def _markdown(rows: list[dict], config: EvaluationConfig) -> str:
    who = f"the script `{config.judge.name}`" if config.judge else "our own metrics"
    classes = sorted({row["class"] for row in rows})
    lines = [
        "# Quality in self-reenactment",
        "",
        f"Made by `visiongen evaluate`. Every one of {len(rows)} clips drives its own first frame (absolute motion, whole "
        f"picture, at most {config.frames} frames, written as H.264 crf 17) and is compared with itself at {SIZE} x {SIZE} "
        f"by {who}; frame 0 is left out of the means. People of these clips were not trained on.",
        "",
        "SSIM: Wang 2004, gaussian, sigma 1.5, data range 255. L1 on [0, 1]. PSNR in dB. AKD: mean distance of 468 face "
        "landmarks, px. KSR: keypoint stability ratio. Jitter, sharpness, motion: generated over real; 1 is like the real "
        "clip. `copy` repeats the first frame; `warp` is the geometry without a network.",
        "",
        "## Mean over the clips",
        "",
        *_table([("method", [(m, _mean(rows, m)) for m in config.methods])]),
        "",
        "## Per class",
        "",
        "Classes by the movement from the first frame: head turned more than 15 degrees, head shifted more than 0.3 face "
        "widths, mouth opened more than 0.12 face widths (each in a tenth of the frames or more), otherwise calm.",
        "",
    ]
    for name in classes:
        part = [row for row in rows if row["class"] == name]
        lines += [
            f"### {name} ({len(part)})",
            "",
            *_table([("method", [(m, _mean(part, m)) for m in config.methods])]),
            "",
        ]
    lines += ["## Per clip", ""]
    for row in rows:
        lines += [f"### {row['clip']} ({row['class']}, {row['frames']} frames)", ""]
        lines += [*_table([("method", list(row["scores"].items()))]), ""]
    return "\n".join(lines)


def _mean(rows: list[dict], method: str) -> dict[str, float]:
    values = {c: [row["scores"][method].get(c) for row in rows] for c in COLUMNS}
    return {
        c: float(np.mean([v for v in x if v is not None])) for c, x in values.items() if any(v is not None for v in x)
    }


def _table(blocks: list[tuple[str, list[tuple[str, dict[str, float]]]]]) -> list[str]:
    lines = []
    for title, entries in blocks:
        lines.append("| " + " | ".join((title, *COLUMNS)) + " |")
        lines.append("|---" * (len(COLUMNS) + 1) + "|")
        for name, scores in entries:
            cells = [_number(column, scores.get(column)) for column in COLUMNS]
            lines.append("| " + " | ".join((name, *cells)) + " |")
    return lines


def _number(column: str, value: float | None) -> str:
    digits = {"L1": 4, "PSNR": 1, "AKD": 2, "jitter": 2, "sharpness": 2, "motion": 2}.get(column, 3)
    return "–" if value is None else f"{value:.{digits}f}"
