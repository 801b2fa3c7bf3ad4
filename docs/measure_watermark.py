"""Measures the invisible mark and writes the tables into docs/provenance.md.

    python docs/measure_watermark.py                 all of it; some minutes
    python docs/measure_watermark.py --keys 16       more trials of chance

Films are made from sample_media/ at two sizes. Chance is measured on the unmarked films, on the sample clips, and on the clips
of the folder named by VISIONGEN_DATA, where there is one, with patterns that no film carries.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from skimage.metrics import structural_similarity

import visiongen
from visiongen.datatypes import FrameBatch, Provenance
from visiongen.errors import MediaError
from visiongen.marking.detector import Evidence, search
from visiongen.marking.patterns import Payload
from visiongen.marking.verification import sampled_frames
from visiongen.marking.watermark import Watermark
from visiongen.motion import piece
from visiongen.samples import sample

PAGE = Path(__file__).with_name("provenance.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PICTURES = ("astronaut.jpg", "painting.png", "cartoon.png", "statue.png")
SIZES, FRAMES = (256, 512), 24
PAYLOAD = Payload(number=0x5EED42)
OUTER = "scale=trunc(iw*{0}/2)*2:trunc(ih*{0}/2)*2"
CROP = "crop=trunc(iw*{0}/2)*2:trunc(ih*{0}/2)*2"
X264 = ["-c:v", "libx264", "-preset", "medium", "-pix_fmt", "yuv420p"]
ATTACKS: dict[str, tuple[str, list[str]]] = {
    "as written (mp4, crf 17)": (".mp4", []),
    "x264 crf 18": (".mp4", [*X264, "-crf", "18"]),
    "x264 crf 23": (".mp4", [*X264, "-crf", "23"]),
    "x264 crf 28": (".mp4", [*X264, "-crf", "28"]),
    "half the size, crf 20": (".mp4", ["-vf", OUTER.format(0.5), *X264, "-crf", "20"]),
    "3/4 of the size, crf 20": (".mp4", ["-vf", OUTER.format(0.75), *X264, "-crf", "20"]),
    "1.5 times the size, crf 23": (".mp4", ["-vf", OUTER.format(1.5), *X264, "-crf", "23"]),
    "10 % of each side cropped, crf 20": (".mp4", ["-vf", CROP.format(0.9), *X264, "-crf", "20"]),
    "20 % of each side cropped, crf 20": (".mp4", ["-vf", CROP.format(0.8), *X264, "-crf", "20"]),
    "GIF": (".gif", []),
    "MPEG-4 part 2, q 4": (".avi", ["-c:v", "mpeg4", "-q:v", "4"]),
    "12.5 frames a second, crf 23": (".mp4", ["-r", "12.5", *X264, "-crf", "23"]),
    "mirrored, crf 20": (".mp4", ["-vf", "hflip", *X264, "-crf", "20"]),
}


def films() -> dict[tuple[str, int], np.ndarray]:
    """(picture, shorter side) -> (T, H, W, 3) uint8 RGB, rendered by the default generator."""
    motion = piece(visiongen.extract_motion(sample("driving.mp4")), slice(0, FRAMES))
    generator, found = visiongen.load(visiongen.choose("generator", "vae-gan")), {}
    for name in PICTURES:
        portrait, fitted = visiongen.fit_motion(visiongen.prepare_portrait(sample(name)), motion)
        pixels = np.concatenate([batch.pixels for batch in visiongen.render(portrait, fitted, generator=generator)])
        for side in SIZES:
            scale = side / min(pixels.shape[1:3])
            size = (round(pixels.shape[2] * scale), round(pixels.shape[1] * scale))
            small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pixels]
            found[name, side] = np.stack(small)
    return found


def written(frames: np.ndarray, path: Path) -> Path:
    """A film by the project's own exporter."""
    batches = (FrameBatch(pixels=one[None], times=[i / 25]) for i, one in enumerate(frames))
    exporter = visiongen.load(visiongen.choose("exporter", path.suffix[1:]))
    exporter.export(batches, path, fps=Fraction(25), sound=None, provenance=Provenance(software="measurement"))
    return path


def cost_table(marked: dict, originals: dict) -> list[str]:
    """What the mark costs."""
    rows = ["| film | PSNR of the mark, dB | loss of SSIM | CPU ms a frame |", "|---|---|---|---|"]
    for key, frames in originals.items():
        first, with_mark = frames[0], marked[key][0]
        error = float(((marked[key].astype(float) - frames) ** 2).mean())
        likeness = structural_similarity(first, with_mark, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                         use_sample_covariance=False, data_range=255)  # fmt: skip
        mark = Watermark(PAYLOAD)
        mark(first)
        begun = time.process_time()
        for frame in frames:
            mark(frame)
        spent = (time.process_time() - begun) / len(frames) * 1000
        rows.append(
            f"| {key[0]}, {key[1]} px | {10 * np.log10(255**2 / error):.1f} | {1 - likeness:.4f} | {spent:.2f} |"
        )
    return rows


def evidence_of(path: Path) -> Evidence:
    """A file as the detector sees it, of every third frame."""
    evidence = Evidence()
    for frame in islice(sampled_frames(path), 0, None, 3):
        evidence.add(frame)
    return evidence


def robustness_table(marked: dict, folder: Path) -> list[str]:
    """Found and read, of all pictures, after every attack; and the worst chance."""
    rows = ["| what was done to the film | " + " | ".join(f"{side} px: found, read" for side in SIZES) + " |"]
    rows.append("|---|" + "---|" * len(SIZES))
    sources = {key: written(frames, folder / f"{Path(key[0]).stem}-{key[1]}.mp4") for key, frames in marked.items()}
    for title, (suffix, flags) in ATTACKS.items():
        cells = []
        for side in SIZES:
            found = read = 0
            for name in PICTURES:
                path = sources[name, side]
                if suffix == ".gif":
                    path = written(marked[name, side], folder / "attacked.gif")
                elif flags:
                    out = folder / f"attacked{suffix}"
                    subprocess.run([get_ffmpeg_exe(), "-loglevel", "error", "-y", "-i", path, *flags, out], check=True)
                    path = out
                evidence = evidence_of(path)
                finding = search(evidence.mean, num_frames=evidence.num_frames)
                found, read = found + finding.found, read + (finding.payload == PAYLOAD)
            cells.append(f"{found} of {len(PICTURES)}, {read}")
        rows.append(f"| {title} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return rows


def chance_lines(originals: dict, folder: Path, *, keys: int, clips: int) -> list[str]:
    """The detector on what carries no mark."""
    data = os.environ.get("VISIONGEN_DATA")
    real = sorted(Path(data).rglob("*.mp4")) if data else []
    real = [*sorted(sample("driving.mp4").parent.glob("*.mp4")), *real[:: max(1, len(real) // max(clips, 1))][:clips]]
    files = [written(frames, folder / f"plain-{i}.mp4") for i, frames in enumerate(originals.values())] + real
    chances, false = [], 0
    for path in files:
        try:
            evidence = evidence_of(path)
        except MediaError:
            continue
        false += search(evidence.mean).found
        chances += [search(evidence.mean, key=f"wrong {number} ").chance for number in range(keys)]
    chances = np.array(chances)
    return [
        f"Films without a mark: {len(files)} ({len(real)} of them real clips), false alarms {false}. With patterns that no "
        f"film carries: {len(chances)} trials, false alarms {int((chances < 1e-6).sum())}, smallest chance "
        f"{chances.min():.1e}; {int((chances < 0.1).sum())} below 0.1, where theory allows {0.1 * len(chances):.0f}."
    ]


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=4, help="wrong patterns tried on every film")
    parser.add_argument("--clips", type=int, default=24, help="real clips of VISIONGEN_DATA")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    originals = films()
    marked = {}
    for key, frames in originals.items():
        mark = Watermark(PAYLOAD)
        marked[key] = np.stack([mark(frame) for frame in frames])
    with tempfile.TemporaryDirectory() as name:
        lines = [*cost_table(marked, originals), ""]
        print(*lines, sep="\n", flush=True)
        lines += [*robustness_table(marked, Path(name)), ""]
        lines += chance_lines(originals, Path(name), keys=flags.keys, clips=flags.clips)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}", encoding="utf-8")
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
