"""Make ``docs/demo.gif`` again: ``python docs/make_demo_gif.py [--out FILE]``. The sample portraits, moved, side by side."""

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

import visiongen
from visiongen import FrameBatch, media
from visiongen.exporters import GifOptions
from visiongen.samples import DRIVING, sample

PORTRAITS = ("astronaut.jpg", "cartoon.png", "statue.png")
SIDE = 160
SECONDS = (0.6, 4.2)
FPS = Fraction(25, 2)


def panel(path: Path) -> Iterator[np.ndarray]:
    """Every second frame of a clip, (SIDE, SIDE, 3)."""
    frames = (frame for batch in media.read_frames(media.probe(path)) for frame in batch.pixels)
    for number, frame in enumerate(frames):
        if number % 2 == 0:
            yield cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Animate the portraits and write the GIF."""
    parser = argparse.ArgumentParser(description="Make docs/demo.gif again.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("demo.gif"))
    out = parser.parse_args().out
    start, end = SECONDS
    motion = visiongen.extract_motion(sample(DRIVING), start=start, end=end)
    with tempfile.TemporaryDirectory() as folder:
        clips = []
        for name in PORTRAITS:
            clips.append(Path(folder) / f"{name}.mp4")
            visiongen.animate(sample(name), motion, clips[-1], full=False)
        rows = zip(*(panel(clip) for clip in clips), strict=True)
        batches = (
            FrameBatch(pixels=np.concatenate(row, axis=1)[None], times=[i / float(FPS)]) for i, row in enumerate(rows)
        )
        exporter = visiongen.load(visiongen.choose("exporter", "gif"), GifOptions(colours=160, max_side=4 * SIDE))
        made_by = visiongen.Provenance(software=f"VisionGen 3D {metadata.version('visiongen')}")
        exporter.export(batches, out, fps=FPS, sound=None, provenance=made_by)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
