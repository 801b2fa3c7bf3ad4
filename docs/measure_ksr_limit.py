"""Measures how far KSR and AKD fall when *nothing moves wrongly*: clips against themselves, encoded worse and worse.

    python docs/measure_ksr_limit.py FOLDER [--limit 8] [--frames 50]

The detector finds landmarks in pixels, so a change of pixels alone shakes them. Writes the table into docs/metrics.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from page_section import put

from visiongen import Provenance, choose, load, media
from visiongen.exporters import Mp4Options
from visiongen.landmarks import FaceMesh
from visiongen.metrics import Scoreboard, quick_metrics

PAGE = Path(__file__).with_name("metrics.md")
METRICS = {"ssim": 3, "psnr": 1, "sharpness": 2, "akd": 2, "ksr": 3}
CRFS = (17, 23, 28, 34, 40)


def scores(clip: Path, crf: int, frames: int, folder: Path, mesh: FaceMesh) -> dict[str, float]:
    """Scores of a clip's first frames, encoded, against themselves."""
    start = media.probe(clip)
    info = media.probe(clip, end=frames / float(start.fps))
    worse = folder / f"{clip.stem}.{crf}.mp4"
    exporter = load(choose("exporter", "mp4"), Mp4Options(crf=crf))
    source = Provenance(software="measurement", synthetic=False)
    exporter.export(media.read_frames(info), worse, fps=info.fps, sound=None, provenance=source)
    real = np.concatenate([batch.pixels for batch in media.read_frames(info)])
    again = np.concatenate([batch.pixels for batch in media.read_frames(media.probe(worse))])
    with Scoreboard(real[0], fps=float(info.fps), metrics=quick_metrics(tuple(METRICS)), mesh=mesh) as board:
        for a, b in zip(real, again, strict=False):
            board.add(a, b)
        return board.result()


def table(clips: list[Path], frames: int) -> str:
    """The page's section."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, FaceMesh(max_faces=1) as mesh:
        for crf in CRFS:
            found = [scores(clip, crf, frames, Path(folder), mesh) for clip in clips]
            means = [f"{np.mean([one[name] for one in found]):.{digits}f}" for name, digits in METRICS.items()]
            rows.append(f"| real clip, crf {crf} | " + " | ".join(means) + " |")
    return "\n".join(
        [
            f"{len(clips)} clips, first {frames} frames at 256 px, each against itself after H.264; no motion is wrong here.",
            "",
            "| | " + " | ".join(METRICS) + " |",
            "|---" * (len(METRICS) + 1) + "|",
            *rows,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of clips, one face each")
    parser.add_argument("--limit", type=int, default=22)
    parser.add_argument("--frames", type=int, default=50)
    flags = parser.parse_args()
    clips = sorted(flags.folder.glob("*.mp4"))[: flags.limit]
    if not clips:
        raise SystemExit(f"{flags.folder} holds no .mp4 clip")
    put(PAGE, "ksr limit", table(clips, flags.frames))


if __name__ == "__main__":
    main()
