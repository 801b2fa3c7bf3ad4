"""Measures how well failure cases are found and mended, and writes docs/diagnostics.md's tables.

    VISIONGEN_DATA=... python docs/measure_diagnostics.py [--clips 8] [--frames 75]

Three parts. **Spoiled**: clips of ``val/clips`` are spoiled on purpose (`spoiled_clips.py`), so that every bad frame is
known; the clean ones show false alarms. **Hard**: real footage of ``hard``, labelled by eye in
``tests/data/hard_labels.json``. **Remedies**: the clips with something before the face drive their own first frame, with
and without `visiongen.diagnostics.apply_remedies`; the clean clip says where the landmarks really were.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from spoiled_clips import DEFECTS, Scene

from visiongen import Provenance, choose, extract_motion, fit_motion, load, media, prepare_portrait
from visiongen.datatypes import FrameBatch, MotionTrack
from visiongen.diagnostics import apply_remedies, diagnose
from visiongen.diagnostics.problems import Problem
from visiongen.motion import place
from visiongen.retarget import MotionSettings

HERE = Path(__file__).parent
LABELS = HERE.parent / "tests" / "data" / "hard_labels.json"
FPS = 25
EDGE = 2
"""Frames beside the beginning and the end of a labelled run that are not counted."""


class Counts:
    """Frames found and missed."""

    def __init__(self) -> None:
        self.right = self.missed = self.false = self.clean = 0

    def add(self, said: np.ndarray, true: np.ndarray, unsure: np.ndarray) -> None:
        """Counts (T,) bool answers."""
        use = ~unsure
        self.right += int((said & true & use).sum())
        self.missed += int((~said & true & use).sum())
        self.false += int((said & ~true & use).sum())
        self.clean += int((~said & ~true & use).sum())

    def row(self) -> str:
        """Precision, recall, false alarms and how many frames, as cells of a table."""

        def share(part: int, whole: int) -> str:
            return f"{part / whole:.2f}" if whole else "–"

        bad = self.right + self.missed
        return (
            f"{share(self.right, self.right + self.false)} | {share(self.right, bad)} | "
            f"{share(self.false, self.false + self.clean)} | {bad} / {self.false + self.clean}"
        )


def said_of(problems: list[Problem], kind: str, total: int) -> np.ndarray:
    """(T,) bool: frames in a run of this kind."""
    said = np.zeros(total, bool)
    for problem in problems:
        if problem.kind == kind:
            said[problem.first : problem.last + 1] = True
    return said


def widened(flags: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """`unsure` with the frames beside every change of `flags`."""
    change = np.flatnonzero(np.diff(flags.astype(int)))
    result = unsure.copy()
    for at in change:
        result[max(at + 1 - EDGE, 0) : at + 1 + EDGE] = True
    return result


def frames_of(path: Path, most: int) -> np.ndarray:
    """(T, H, W, 3) the first frames of a clip."""
    clip = media.probe(path, end=most / float(media.probe(path).fps))
    return np.concatenate([batch.pixels for batch in media.read_frames(clip)])


def written(frames: np.ndarray, path: Path) -> Path:
    """Frames as H.264, as a camera would give them."""
    path.unlink(missing_ok=True)
    even = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    batches = (FrameBatch(pixels=f[None], times=[i / FPS]) for i, f in enumerate(even))
    exporter = load(choose("exporter", "mp4"))
    exporter.export(
        batches, path, fps=Fraction(FPS), sound=None, provenance=Provenance(software="measurement", synthetic=False)
    )
    return path


# --- spoiled clips ----------------------------------------------------------------------------------------------------


def spoiled(clips: list[Path], most: int, folder: Path) -> tuple[list[str], list[str]]:
    """Rows of the table of spoiled clips, and of the table of remedies."""
    kinds: dict[str, Counts] = defaultdict(Counts)
    defects: dict[str, Counts] = defaultdict(Counts)
    errors: dict[str, list] = defaultdict(list)
    others = [frames_of(path, 1)[0] for path in clips]
    for number, path in enumerate(clips):
        clean = extract_motion(written(frames_of(path, most), folder / "clean.mp4"))
        scene = Scene(
            frames_of(path, most),
            place(clean).points,
            np.random.default_rng(number),
            others[(number + 1) % len(others)],
        )
        nothing = np.zeros(len(clean), bool)
        found = diagnose(clean)
        for kind in {kind for kind, _ in DEFECTS.values()}:
            kinds[kind].add(said_of(found, kind, len(clean)), nothing, nothing)
        for name, (kind, spoil) in DEFECTS.items():
            made = spoil(scene)
            motion = extract_motion(written(made.frames, folder / "spoiled.mp4"))
            found = diagnose(motion)
            said, unsure = said_of(found, kind, len(motion)), widened(made.bad, made.unsure)
            for counts in (kinds[kind], defects[name]):
                counts.add(said, made.bad, unsure)
            if kind in ("occluded", "face-lost", "blur") and said.any():
                for variant, values in mended(made.frames[0], clean, motion, found, made.bad).items():
                    errors[f"{name}/{variant}"].append(values)
        print(number + 1, "of", len(clips), path.stem, *_rows(kinds, defects), sep="\n", file=sys.stderr)
    return _rows(kinds, defects), remedy_rows(errors)


def _rows(kinds: dict[str, Counts], defects: dict[str, Counts]) -> list[str]:
    rows = [f"| **{kind}** | {counts.row()} |" for kind, counts in sorted(kinds.items())]
    return rows + [f"| &nbsp; {DEFECTS[name][0]}: {name} | {counts.row()} |" for name, counts in defects.items()]


def mended(first: np.ndarray, clean: MotionTrack, motion: MotionTrack, found: list[Problem], bad: np.ndarray) -> dict:
    """Error (px at 256) and jitter of the landmarks that would drive, without and with the remedies.

    Over the frames in which the remedies fill something in and those that are spoiled; self-reenactment, absolute.
    """
    portrait = prepare_portrait(first)
    settings = MotionSettings(mode="absolute")
    truth = place(clean).points[:, :468, :2]
    affected = bad.copy()
    for problem in found:
        if problem.remedy is not None and problem.remedy.fill is not None:
            affected[problem.remedy.fill[0] : problem.remedy.fill[1] + 1] = True
    zoom = 256 / motion.height
    result = {}
    for variant, (moved, chosen) in {
        "without": (motion, settings),
        "with": apply_remedies(found, motion, settings),
    }.items():
        # The portrait is the same frame in all; the reference must not differ either.
        points = place(fit_motion(portrait, moved, replace(chosen, reference_frame=0))[1]).points[:, :468, :2]
        result[variant] = (
            float(np.linalg.norm(points - truth, axis=-1).mean(1)[affected].mean() * zoom),
            float(jitter(points)[affected].mean() * zoom),
            float(jitter(truth)[affected].mean() * zoom),
        )
    return result


def jitter(points: np.ndarray) -> np.ndarray:
    """(T,) mean size of the second difference over time."""
    second = np.linalg.norm(points[:-2] - 2 * points[1:-1] + points[2:], axis=-1).mean(1)
    return np.r_[second[:1], second, second[-1:]]


def remedy_rows(errors: dict[str, list]) -> list[str]:
    """One row a defect: error and jitter without and with, and the clean clip's own jitter."""
    rows = []
    for name in dict.fromkeys(key.split("/")[0] for key in errors):
        without, with_ = (np.mean(errors[f"{name}/{variant}"], axis=0) for variant in ("without", "with"))
        rows.append(
            f"| {name} | {len(errors[f'{name}/with'])} | {without[0]:.2f} | {with_[0]:.2f} | {without[1]:.2f} | "
            f"{with_[1]:.2f} | {with_[2]:.2f} |"
        )
    return rows


# --- real footage -----------------------------------------------------------------------------------------------------


def hard(folder: Path) -> list[str]:
    """Rows of the table of labelled real clips."""
    labels = json.loads(LABELS.read_text(encoding="utf-8"))
    kinds = [kind for kind in labels if f"{kind} unsure" in labels]
    counts = {kind: Counts() for kind in kinds}
    for path in sorted(folder.glob("*.mp4")):
        motion = extract_motion(path)
        found = diagnose(motion)
        for kind in kinds:
            true, unsure = (flags(labels[name].get(path.name, ()), len(motion)) for name in (kind, f"{kind} unsure"))
            if kind != "face-lost":
                unsure |= ~motion.visible  # without a face there is nothing that could be covered or turned
            counts[kind].add(said_of(found, kind, len(motion)), true, widened(true, unsure))
        print(path.stem, file=sys.stderr)
    return [f"| {kind} | {counts[kind].row()} |" for kind in kinds]


def flags(runs: list, total: int) -> np.ndarray:
    """(T,) bool of (first, last) pairs."""
    result = np.zeros(total, bool)
    for first, last in runs:
        result[first : last + 1] = True
    return result


# --- the page ---------------------------------------------------------------------------------------------------------


def replaced(page: str, name: str, rows: list[str]) -> str:
    """The page with the rows between its markers ``<!-- name -->`` and ``<!-- end -->`` replaced."""
    head = re.compile(rf"(<!-- {name} -->\n(?:[^\n]*\n){{2}}).*?(<!-- end -->)", re.DOTALL)
    if not head.search(page):
        raise SystemExit(f"the page has no table {name}")
    return head.sub(lambda match: match[1] + "\n".join(rows) + "\n" + match[2], page)


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=8, help="how many clips to spoil")
    parser.add_argument("--frames", type=int, default=75, help="how much of each")
    parser.add_argument("--page", type=Path, default=HERE / "diagnostics.md", help="page with the tables")
    parser.add_argument("--parts", nargs="+", default=["spoiled", "hard"], choices=["spoiled", "hard"])
    asked = parser.parse_args()
    data = os.environ.get("VISIONGEN_DATA")
    if not data:
        raise SystemExit("set VISIONGEN_DATA to the folder that holds val/clips and hard")
    page = asked.page.read_text(encoding="utf-8")
    if "spoiled" in asked.parts:
        every = sorted(Path(data, "val", "clips").glob("*.mp4"))
        chosen = every[:: max(1, len(every) // asked.clips)][: asked.clips]
        with tempfile.TemporaryDirectory() as folder:
            rows, remedies = spoiled(chosen, asked.frames, Path(folder))
        page = replaced(replaced(page, "spoiled", rows), "remedies", remedies)
    if "hard" in asked.parts:
        page = replaced(page, "hard", hard(Path(data, "hard")))
    asked.page.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
