"""Measures what two remedies do to a result, and writes their tables on docs/diagnostics.md.

    VISIONGEN_DATA=... python docs/measure_remedies.py [--clips 6] [--frames 75] [--parts reference damping]

**Reference**: clips with a hand before the face drive their own first frame, and a frame with the hand in it stands for
the portrait; `visiongen.diagnostics` proposes another one. The clean clip says where the landmarks belong. **Damping**:
clips of ``hard`` with heads turned far drive the sample portraits, with and without `--pose-limit`; landmarks are looked
for in the *result*, and compared with those that were asked for: what a picture cannot show is not where it should be.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from measure_diagnostics import HERE, frames_of, jitter, replaced, written
from spoiled_clips import DEFECTS, Scene

from visiongen import choose, extract_motion, fit_motion, load, prepare_portrait
from visiongen.datatypes import MotionTrack, Portrait
from visiongen.diagnostics import apply_remedies, diagnose
from visiongen.generators.targets import target_landmarks
from visiongen.landmarks import FaceMesh, nearest_face
from visiongen.motion import piece, place
from visiongen.retarget import MotionSettings
from visiongen.samples import sample

SIZE = 256
PORTRAITS = ("astronaut.jpg", "painting.png")
_DAMPED = ("extreme-pose", "unseen-side")


def reference(clips: list[Path], most: int, folder: Path) -> list[str]:
    """One row: error and jitter over all frames, with the poor and with the proposed reference frame."""
    values = defaultdict(list)
    for number, path in enumerate(clips):
        frames = frames_of(path, most)
        clean = extract_motion(written(frames, folder / "clean.mp4"))
        scene = Scene(frames, place(clean).points, np.random.default_rng(number), frames[0])
        made = DEFECTS["hand"][1](scene)
        motion = extract_motion(written(made.frames, folder / "spoiled.mp4"))
        covered = np.flatnonzero(made.bad & motion.visible)
        poor = MotionSettings(reference_frame=int(covered[len(covered) // 2]))
        portrait = prepare_portrait(frames[0])
        fitted = fit_motion(portrait, motion, poor)[1]
        found = diagnose(motion, portrait=portrait, fitted=fitted, settings=poor)
        found = [problem for problem in found if problem.kind == "poor-reference"]
        truth = place(clean).points[:, :468, :2]
        shown = ~made.bad & motion.visible
        for variant, settings in (("without", poor), ("with", apply_remedies(found, motion, poor)[1])):
            points = place(fit_motion(portrait, motion, settings)[1]).points[:, :468, :2]
            zoom = SIZE / motion.height
            error = np.linalg.norm(points - truth, axis=-1).mean(1)[shown].mean() * zoom
            values[variant].append((error, jitter(points)[shown].mean() * zoom, bool(found)))
        print(path.stem, *(values[v][-1] for v in ("without", "with")), file=sys.stderr)
    without, with_ = (np.mean(values[v], axis=0) for v in ("without", "with"))
    return [
        f"| another reference frame | {len(clips)}, found in {round(with_[2] * len(clips))} | {without[0]:.2f} | "
        f"{with_[0]:.2f} | {without[1]:.2f} | {with_[1]:.2f} |"
    ]


def damping(clips: list[Path], most: int) -> list[str]:
    """One row: asked-for against found landmarks in the frames in which heads are turned too far."""
    values = defaultdict(list)
    used = 0
    generator = load(choose("generator", "vae-gan"))
    for path in clips:
        whole = extract_motion(path, end=12.0)
        problems = [p for p in diagnose(whole, look=False) if p.kind == "extreme-pose"]
        if not problems:
            continue
        used += 1
        worst = problems[0]
        begin = int(np.clip(worst.peak - most // 2, 0, max(len(whole) - most, 0)))
        motion = piece(whole, slice(begin, begin + most))
        for name in PORTRAITS:
            portrait = prepare_portrait(sample(name))
            portrait, fitted = fit_motion(portrait, motion)
            found = diagnose(motion, portrait=portrait, fitted=fitted, look=False)
            found = [problem for problem in found if problem.kind in _DAMPED]
            settings = apply_remedies(found, motion)[1]
            affected = np.zeros(len(motion), bool)
            for problem in found:
                affected[problem.first : problem.last + 1] = True
            for variant, chosen in (("without", MotionSettings()), ("with", settings)):
                values[variant].append(_seen(portrait, motion, chosen, affected, generator))
            print(path.stem, name, values["without"][-1], values["with"][-1], file=sys.stderr)
    without, with_ = (np.nanmean(values[v], axis=0) for v in ("without", "with"))
    return [
        f"| damped turns | {used} x {len(PORTRAITS)} portraits | {without[0]:.2f} | {with_[0]:.2f} | {without[1]:.2f} | "
        f"{with_[1]:.2f} |"
    ]


def _seen(portrait: Portrait, motion: MotionTrack, settings: MotionSettings, affected: np.ndarray, generator) -> tuple:
    """Error and jitter of the landmarks found in the result, px at 256, over the frames that are `affected`; a frame in
    which no face is found counts as a face's half width off."""
    portrait, fitted = fit_motion(portrait, motion, settings)
    side = portrait.crop.shape[0]
    asked = target_landmarks(portrait, fitted) * side
    found = np.full((len(motion), 468, 2), np.nan)
    with FaceMesh(max_faces=2) as mesh:
        at = 0
        for batch in generator.render(portrait, fitted):
            for picture in batch.pixels:
                face = nearest_face(mesh(picture), asked[at])
                if face is not None:
                    found[at] = face[:468, :2]
                at += 1
    zoom = SIZE / side
    error = np.linalg.norm(found - asked[:, :468, :2], axis=-1).mean(1) * zoom
    lost = np.isnan(error)
    error[lost] = 0.5 * np.median(np.ptp(asked[:, :468, 0], axis=1)) * zoom
    shaken = jitter(found)[affected & ~lost] * zoom
    steady = float(np.nanmean(shaken)) if np.isfinite(shaken).any() else np.nan  # no face in any of them
    return float(error[affected].mean()), steady, float(lost[affected].mean())


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=6, help="how many clips to cover")
    parser.add_argument("--frames", type=int, default=75, help="how much of each")
    parser.add_argument("--page", type=Path, default=HERE / "diagnostics.md", help="page with the tables")
    parser.add_argument("--parts", nargs="+", default=["reference", "damping"], choices=["reference", "damping"])
    asked = parser.parse_args()
    data = os.environ.get("VISIONGEN_DATA")
    if not data:
        raise SystemExit("set VISIONGEN_DATA to the folder that holds val/clips and hard")
    page = asked.page.read_text(encoding="utf-8")
    if "reference" in asked.parts:
        every = sorted(Path(data, "val", "clips").glob("*.mp4"))
        chosen = every[:: max(1, len(every) // asked.clips)][: asked.clips]
        with tempfile.TemporaryDirectory() as folder:
            page = replaced(page, "reference", reference(chosen, asked.frames, Path(folder)))
    if "damping" in asked.parts:
        page = replaced(page, "damping", damping(sorted(Path(data, "hard").glob("*.mp4")), asked.frames))
    asked.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
