"""Measures what personalisation gains: learn from the first half of a clip, judge on the second.

    VISIONGEN_DATA=... python docs/measure_personal.py --judge JUDGE.py [--clips 4] [--images 600]

The clip's first frame is the portrait, the second half drives it, by landmarks alone (registration off: what is measured
in the clip's own pixels needs no learning); shipped and personal weights are judged on the same frames. Writes the table
between the markers of docs/training.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from visiongen import (
    MotionSettings,
    Provenance,
    choose,
    extract_motion,
    fit_motion,
    load,
    media,
    prepare_portrait,
    render,
)
from visiongen.generators.options import VaeGanOptions
from visiongen.personal import PersonalConfig, personalise

PAGE = Path(__file__).with_name("training.md")
SCORES = {"SSIM": 3, "L1": 4, "PSNR": 1, "AKD": 2, "sharpness": 2}
FRAMES = 60
"""Judged frames of a clip, from its middle on."""


def cut(clip: Path, start: float, end: float, out: Path) -> Path:
    """A piece of a clip as a file of its own."""
    info = media.probe(clip, start=start, end=end)
    exporter = load(choose("exporter", "mp4"))
    source = Provenance(software="measurement", synthetic=False)
    exporter.export(media.read_frames(info), out, fps=info.fps, sound=None, provenance=source)
    return out


def judged(judge: Path, real: Path, made: Path) -> dict[str, float]:
    """Scores of the judge script."""
    done = subprocess.run([sys.executable, judge, real, made], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def animated(portrait: np.ndarray, driving: Path, weights: str, out: Path) -> Path:
    """The clip's first frame moved by a piece of the clip."""
    motion = extract_motion(driving)
    moved = fit_motion(prepare_portrait(portrait), motion, MotionSettings(mode="absolute"))
    generator = load(choose("generator", "vae-gan"), VaeGanOptions(weights=weights, register=False))
    exporter = load(choose("exporter", "mp4"))
    frames = render(*moved, generator=generator)
    exporter.export(frames, out, fps=motion.clip.fps, sound=None, provenance=Provenance(software="measurement"))
    return out


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--judge", type=Path, required=True, help="script: REAL GENERATED -> one line of JSON")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--images", type=int, default=600)
    asked = parser.parse_args()
    every = sorted(Path(os.environ["VISIONGEN_DATA"], "val", "clips").glob("*.mp4"))
    rows, means = [], {"shipped": [], "personal": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, clip in enumerate(every[:: max(1, len(every) // asked.clips)][: asked.clips]):
            fps, total = float(media.probe(clip).fps), media.probe(clip).num_frames
            half = min(total // 2, 150) / fps
            first = next(media.read_frames(media.probe(clip), batch_size=1)).pixels[0]
            learnt = cut(clip, 0, half, folder / f"{number}-learnt.mp4")
            test = cut(clip, half, half + FRAMES / fps, folder / f"{number}-test.mp4")
            own = folder / f"{number}.safetensors"
            personalise(PersonalConfig(sources=(learnt,), out=own, images=asked.images))
            for label, weights in (("shipped", ""), ("personal", str(own))):
                out = folder / f"{number}-{label}.mp4"
                scores = judged(asked.judge, test, animated(first, test, weights, out))
                means[label].append([scores[key] for key in SCORES])
            print(number, *(dict(zip(SCORES, means[label][-1])) for label in means), file=sys.stderr)
    for label, values in means.items():
        cells = (f"{v:.{digits}f}" for v, digits in zip(np.mean(values, axis=0), SCORES.values()))
        rows.append(f"| {label} | {' | '.join(cells)} |")
    rows.insert(0, f"| {len(values)} clips, {asked.images} images | {' | '.join(SCORES)} |")
    rows.insert(1, "|---" * (len(SCORES) + 1) + "|")
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- personal -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit("docs/training.md has no table <!-- personal -->")
    PAGE.write_text(pattern.sub(lambda m: m[1] + "\n".join(rows) + "\n" + m[2], page), encoding="utf-8")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
