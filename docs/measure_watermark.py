"""Measures the invisible mark and writes the tables into docs/provenance.md.

    python docs/measure_watermark.py                        all of it; some 20 minutes of one core
    python docs/measure_watermark.py --part chance --keys 16   the detector on what carries no mark; more trials

Films are made from sample_media/ at two sizes and, where VISIONGEN_DATA names a folder of clips and portraits, from portraits
that the mark was not tuned on. Chance is measured on real clips, with the mark's patterns and with others, which no film
carries.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
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
from visiongen.errors import MediaError, VisionGenError
from visiongen.marking.detector import LIMIT, SCALES, Evidence, WatermarkFinding, search, searches
from visiongen.marking.patterns import Payload
from visiongen.marking.verification import sampled_frames
from visiongen.marking.watermark import Watermark
from visiongen.motion import piece
from visiongen.samples import sample

sys.path.insert(0, str(Path(__file__).parent))

from page_section import put

PAGE = Path(__file__).with_name("provenance.md")
PICTURES = ("astronaut.jpg", "painting.png", "cartoon.png", "statue.png")
SIZES, FRAMES, LEAST_SIDE = (256, 512), 24, 400
LIMITS, FEWER = (0.1, 0.01), 4
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


def held_back(count: int) -> list[Path]:
    """Portraits that nothing of the mark was tuned on; none without VISIONGEN_DATA."""
    data = os.environ.get("VISIONGEN_DATA")
    found = sorted(Path(data, "val", "portraits").glob("*.jpg")) if data else []
    random.Random(1).shuffle(found)
    return found[: 2 * count]  # some show no face, or a small one


def films(pictures: list[Path], count: int) -> dict[tuple[str, int], np.ndarray]:
    """(picture, shorter side) -> (T, H, W, 3) uint8 RGB, rendered by the default generator, of the first `count`."""
    motion = piece(visiongen.extract_motion(sample("driving.mp4")), slice(0, FRAMES))
    generator, found = visiongen.load(visiongen.choose("generator", "vae-gan")), {}
    for path in pictures:
        try:
            portrait, fitted = visiongen.fit_motion(visiongen.prepare_portrait(path), motion)
        except VisionGenError:
            continue
        pixels = np.concatenate([batch.pixels for batch in visiongen.render(portrait, fitted, generator=generator)])
        if min(pixels.shape[1:3]) < LEAST_SIDE:
            continue
        for side in SIZES:
            scale = side / min(pixels.shape[1:3])
            size = (round(pixels.shape[2] * scale), round(pixels.shape[1] * scale))
            small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pixels]
            found[path.name, side] = np.stack(small)
        if len(found) == count * len(SIZES):
            break
    return found


def written(frames: np.ndarray, path: Path) -> Path:
    """A film by the project's own exporter."""
    batches = (FrameBatch(pixels=one[None], times=[i / 25]) for i, one in enumerate(frames))
    exporter = visiongen.load(visiongen.choose("exporter", path.suffix[1:]))
    exporter.export(batches, path, fps=Fraction(25), sound=None, provenance=Provenance(software="measurement"))
    return path


def cost_table(groups: dict[str, dict], pictures: dict[str, dict]) -> list[str]:
    """What the mark costs: the median and the worst of a group."""
    rows = [
        "| films | PSNR of the mark, dB: median, worst | loss of SSIM: median, worst | CPU ms a frame |",
        "|---|---|---|---|",
    ]
    for name, originals in pictures.items():
        for side in SIZES:
            found = [cost(frames, groups[name][key]) for key, frames in originals.items() if key[1] == side]
            psnr, loss, spent = np.array(found).T
            cells = f"{np.median(psnr):.1f}, {psnr.min():.1f} | {np.median(loss):.4f}, {loss.max():.4f}"
            rows.append(f"| {len(found)} {name}, {side} px | {cells} | {np.median(spent):.2f} |")
    return rows


def cost(frames: np.ndarray, marked: np.ndarray) -> tuple[float, float, float]:
    """PSNR in dB, loss of SSIM of the first frame, CPU ms a frame."""
    error = float(((marked.astype(float) - frames) ** 2).mean())
    likeness = structural_similarity(frames[0], marked[0], channel_axis=2, gaussian_weights=True, sigma=1.5,
                                     use_sample_covariance=False, data_range=255)  # fmt: skip
    mark = Watermark(PAYLOAD)
    mark(frames[0])
    begun = time.process_time()
    for frame in frames:
        mark(frame)
    spent = (time.process_time() - begun) / len(frames) * 1000
    return 10 * np.log10(255**2 / error), 1 - likeness, spent


def evidence_of(path: Path) -> Evidence:
    """A file as the detector sees it, of every third frame."""
    evidence = Evidence()
    for frame in islice(sampled_frames(path), 0, None, 3):
        evidence.add(frame)
    return evidence


def write_robustness(groups: dict[str, dict], folder: Path, above: list[str]) -> None:
    """Found and read after every attack, of the marked films of some groups; row by row below what stands `above`."""
    heads = [f"{name}, {side} px" for name in groups for side in SIZES]
    rows = [f"| what was done to the film | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    sources = {
        (name, *key): written(frames, folder / f"{i}-{j}.mp4")
        for i, (name, marked) in enumerate(groups.items())
        for j, (key, frames) in enumerate(marked.items())
    }
    for title, (suffix, flags) in ATTACKS.items():
        cells = []
        for name, marked in groups.items():
            for side in SIZES:
                keys = [key for key in marked if key[1] == side]
                found = [attacked(sources[(name, *key)], marked[key], suffix, flags) for key in keys]
                said, read = sum(one.found for one in found), sum(one.payload == PAYLOAD for one in found)
                cells.append(f"{said} of {len(keys)}" + (f", {read} read" if read != said else ""))
        rows.append(f"| {title} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
        put(PAGE, "robustness of the mark", "\n".join([*above, *rows]))


def attacked(source: Path, frames: np.ndarray, suffix: str, flags: list[str]) -> WatermarkFinding:
    """What the detector says of a film after one attack."""
    path = source
    if suffix == ".gif":
        path = written(frames, source.with_suffix(".gif"))
    elif flags:
        path = source.with_name(f"attacked{suffix}")
        subprocess.run([get_ffmpeg_exe(), "-loglevel", "error", "-y", "-i", source, *flags, path], check=True)
    evidence = evidence_of(path)
    return search(evidence.mean, num_frames=evidence.num_frames)


def write_chance(*, keys: int, clips: int) -> None:
    """The detector on real clips, which carry no mark, told after every clip."""
    data = os.environ.get("VISIONGEN_DATA")
    real = sorted(Path(data).rglob("*.mp4")) if data else []
    random.Random(0).shuffle(real)
    wrong = [f"wrong {number} " for number in range(keys)]
    own, other = [], []
    for path in [*sorted(sample("driving.mp4").parent.glob("*.mp4")), *real[:clips]]:
        try:
            evidence = evidence_of(path)
        except MediaError:
            continue
        own.append(search(evidence.mean).chance)
        other += [one.chance for one in searches(evidence.mean, wrong, scales=SCALES[::FEWER])]
        every = np.array(own + other)
        below = [f"{int((every < one).sum())} times below {one:g} (theory: {one * len(every):.3g})" for one in LIMITS]
        text = [
            f"False alarms: {len(own)} real clips without a mark were searched for it and, at every {FEWER}th scale, for",
            f"{keys} marks that no film carries: {len(every)} trials, **{int((every < LIMIT).sum())} false alarms**. The",
            f"chance that the detector told was {', '.join(below)};",
            f"the smallest was {every.min():.1e}, where {LIMIT:g} is needed for a find.",
        ]
        put(PAGE, "chance of the mark", "\n".join(text))
        print(*text, flush=True)


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("all", "robustness", "chance"), default="all")
    parser.add_argument("--keys", type=int, default=12, help="wrong patterns tried on every clip")
    parser.add_argument("--clips", type=int, default=48, help="real clips of VISIONGEN_DATA")
    parser.add_argument("--held", type=int, default=8, help="portraits of VISIONGEN_DATA")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    if flags.part != "chance":
        pictures = {"samples": films([sample(name) for name in PICTURES], len(PICTURES))}
        if others := films(held_back(flags.held), flags.held):
            pictures["held-back portraits"] = others
        groups = {}
        for name, originals in pictures.items():
            marks = {key: Watermark(PAYLOAD) for key in originals}
            groups[name] = {key: np.stack([marks[key](one) for one in frames]) for key, frames in originals.items()}
        lines = [*cost_table(groups, pictures), ""]
        print(*lines, sep="\n", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            write_robustness(groups, Path(folder), lines)
    if flags.part != "robustness":
        write_chance(keys=flags.keys, clips=flags.clips)


if __name__ == "__main__":
    main()
