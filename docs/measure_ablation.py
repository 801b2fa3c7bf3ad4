"""Measures what every part of the VAE-GAN's training is worth: the shipped weights trained on without each, judged on others.

    VISIONGEN_DATA=... python docs/measure_ablation.py --data PREPARED [--images 1500] [--clips 8] [--work FOLDER]

From nothing, thousands of images pass before parts can be told apart; so all go on from the shipped weights, see the same
number of images with the same seed, and move clips of ``val``, which drive their own first frame by landmarks alone. Writes
the table of docs/training.md; a run that is there already in ``--work`` is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from page_section import put

from visiongen.models.weights import shipped

PAGE = Path(__file__).with_name("training.md")
VARIANTS = {
    "all of it": [],
    "no GAN": ["--adversarial", "0", "--feature-matching", "0"],
    "no VAE": ["--no-variational", "--kl", "0"],
    "no geometric prior": ["--no-geometric-prior"],
    "no residual motion": ["--no-residual-motion"],
    "no stills": ["--still-share", "0"],
    "no face features": ["--landmarks", "0", "--perceptual", "0"],
}
"""Name -> flags of `visiongen train` that switch a part off."""
SHARED = ["--discriminator", str(shipped().with_name("discriminator.safetensors")), "--learning-rate", "1e-4",
          "--adversarial", "0.08", "--landmarks", "0.008", "--perceptual", "0.05", "--temporal", "0.5", "--parsimony", "0.05",
          "--still-share", "0.3", "--registered-share", "0.4"]  # fmt: skip
"""As the shipped weights were trained in the end, at a third of the learning rate."""
SCORES = {"ssim": 3, "l1": 4, "psnr": 2, "akd": 2, "ksr": 3, "sharpness": 2}
FRAMES = 25


def command(*arguments: object) -> None:
    """Runs a command of visiongen and shows what it says."""
    subprocess.run([sys.executable, "-m", "visiongen.cli", *map(str, arguments)], check=True)


def trained(name: str, asked: argparse.Namespace) -> Path:
    """Weights of one variant."""
    folder = asked.work / name.replace(" ", "-")
    command("train", "--data", asked.data, "--out", folder, "--initial", shipped(), "--images", asked.images, *SHARED,
            *VARIANTS[name])  # fmt: skip
    return folder / "vae-gan.safetensors"


def judged(method: str, out: Path, clips: Path, *options: object) -> str:
    """Scores of a row of the table."""
    command(
        "evaluate",
        clips,
        "--methods",
        method,
        *options,
        "--frames",
        FRAMES,
        "--skip-ceiling",
        "--outside",
        "--out",
        out,
    )
    summary = json.loads((out / "figures.json").read_text(encoding="utf-8"))["summary"][method]
    return " | ".join(f"{summary[key]['mean']:.{digits}f}" for key, digits in SCORES.items())


def judged_weights(weights: Path, out: Path, clips: Path) -> str:
    """Scores of a network, by landmarks alone."""
    return judged("vae-gan", out, clips, "--vae-gan.weights", weights, "--vae-gan.no-register")


def main() -> None:
    """Trains, judges and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="prepared training data")
    parser.add_argument("--images", type=int, default=1500, help="length of every training")
    parser.add_argument("--clips", type=int, default=8, help="how many clips are judged")
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    asked = parser.parse_args()
    if not (data := os.environ.get("VISIONGEN_DATA")):
        raise SystemExit("set VISIONGEN_DATA to the folder that holds val/clips")
    every = sorted(Path(data, "val", "clips").glob("*.mp4"))
    asked.work.mkdir(parents=True, exist_ok=True)
    manifest = asked.work / "clips.csv"
    chosen = every[:: max(1, len(every) // asked.clips)][: asked.clips]
    manifest.write_text("clip\n" + "".join(f"{path.resolve()}\n" for path in chosen), encoding="utf-8")
    rows = [f"| trained on | {' | '.join(SCORES)} |", "|---" * (len(SCORES) + 1) + "|"]
    rows.append(f"| not at all: the geometry alone (`warp`) | {judged('warp', asked.work / 'warp', manifest)} |")
    rows.append(f"| not on: the shipped weights | {judged_weights(shipped(), asked.work / 'shipped', manifest)} |")
    for name in asked.only:
        folder = asked.work / name.replace(" ", "-")
        rows.append(f"| {name} | {judged_weights(trained(name, asked), folder / 'judged', manifest)} |")
        print(rows[-1], flush=True)
    how = (
        f"{asked.images} images each, going on from the shipped weights and their discriminator, batches of 4, seed 0; "
        f"{len(chosen)} clips of people not trained on, first {FRAMES} frames, landmarks alone, judged by `visiongen "
        "evaluate`."
    )
    put(PAGE, "ablation", "\n".join([how, "", *rows]))


if __name__ == "__main__":
    main()
