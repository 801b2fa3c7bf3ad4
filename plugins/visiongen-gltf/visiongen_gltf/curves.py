"""Head pose and the 52 ARKit blendshapes of every frame, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from visiongen import MotionTrack, Portrait, Provenance
from visiongen.exporters.provenance import as_json
from visiongen.exporters.target import whole_file, writing
from visiongen.pose import euler_angles
from visiongen_gltf.names import BLENDSHAPES
from visiongen_gltf.regression import blendshapes

HEAD = ("yaw", "pitch", "roll", "x", "y", "z", "scale")
"""Degrees (yaw > 0 looks to the picture's right, pitch > 0 down, roll > 0 clockwise); place of the head in face widths from
the picture's top-left corner; size over the mean size."""


def head_curves(motion: MotionTrack) -> np.ndarray:
    """(T, 7) in the order of `HEAD`."""
    return np.c_[np.rad2deg(euler_angles(motion.rotation)), motion.translation, motion.scale]


class CsvExporter:
    """A `MotionExporter`: a comment line with the provenance, a header line, a line per frame."""

    def export_motion(
        self, portrait: Portrait, motion: MotionTrack, path: Path, *, fps: Fraction, provenance: Provenance
    ) -> int:
        """Writes time, whether the face was seen, the pose and the blendshapes."""
        text = io.StringIO(newline="")
        text.write(f"# {as_json(provenance, fps=str(Fraction(fps)))}\n")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("time", "seen", *HEAD, *BLENDSHAPES))
        curves = zip(motion.times, motion.visible, head_curves(motion), blendshapes(motion))
        for time, seen, head, shapes in curves:
            rows.writerow((f"{time:.6f}", int(seen), *(f"{v:.5f}" for v in head), *(f"{v:.4f}" for v in shapes)))
        _write(Path(path), text.getvalue())
        return len(motion)


class JsonExporter:
    """A `MotionExporter`: ``{"frames": [{"time", "seen", "head": {...}, "blendshapes": {...}}], ...}``."""

    def export_motion(
        self, portrait: Portrait, motion: MotionTrack, path: Path, *, fps: Fraction, provenance: Provenance
    ) -> int:
        """Writes the same as the CSV."""
        frames = [
            {
                "time": round(float(time), 6),
                "seen": bool(seen),
                "head": {name: round(float(value), 5) for name, value in zip(HEAD, head)},
                "blendshapes": {name: round(float(value), 4) for name, value in zip(BLENDSHAPES, shapes)},
            }
            for time, seen, head, shapes in zip(motion.times, motion.visible, head_curves(motion), blendshapes(motion))
        ]
        document = json.loads(as_json(provenance, fps=str(Fraction(fps)))) | {"frames": frames}
        _write(Path(path), json.dumps(document, indent=1) + "\n")
        return len(motion)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as part:
        with writing(path):
            part.write_text(text, encoding="utf-8", newline="\n")
