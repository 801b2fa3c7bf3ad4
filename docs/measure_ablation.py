"""Measures what every part of the VAE-GAN's training is worth: one short training without each, judged on other people.

    VISIONGEN_DATA=... python docs/measure_ablation.py --data PREPARED [--images 1200] [--clips 8] [--work FOLDER]

All start from nothing (the geometric prior), see the same number of images with the same seed, and move clips of ``val``, which
drive their own first frame by landmarks alone. Writes the table of docs/training.md; a run that is there already in
``--work`` is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from page_section import put

PAGE = Path(__file__).with_name("training.md")
VARIANTS = {
    "all of it": [],
    "no GAN": ["--adversarial", "0", "--feature-matching", "0"],
    "no VAE": ["--no-variational", "--kl", "0"],
    "KL weight 1e-4": ["--kl", "1e-4"],
    "no geometric prior": ["--no-geometric-prior"],
    "no residual motion": ["--no-residual-motion"],
    "no stills": ["--still-share", "0"],
    "no face features": ["--landmarks", "0", "--perceptual", "0"],
}
"""Name -> flags of `visiongen train` that switch a part off."""
SHARED = ["--learning-rate", "6e-4", "--adversarial-from", "0.5", "--landmarks", "0.004", "--perceptual", "0.05"]
SCORES = {"ssim": 3, "l1": 4, "psnr": 2, "akd": 2, "ksr": 3, "sharpness": 2}
FRAMES = 25


def command(*arguments: object) -> None:
    """Runs a command of visiongen and shows what it says."""
    subprocess.run([sys.executable, "-m", "visiongen.cli", *map(str, arguments)], check=True)


def measured(name: str, flags: list[str], asked: argparse.Namespace, clips: Path) -> dict[str, float]:
    """Mean scores of one variant."""
    folder = asked.work / name.replace(" ", "-")
    weights, judged = folder / "vae-gan.safetensors", folder / "judged"
    command("train", "--data", asked.data, "--out", folder, "--images", asked.images, *SHARED, *flags)
    command("evaluate", clips, "--methods", "vae-gan", "--vae-gan.weights", weights, "--vae-gan.no-register", "--frames",
            FRAMES, "--skip-ceiling", "--outside", "--out", judged)  # fmt: skip
    summary = json.loads((judged / "figures.json").read_text(encoding="utf-8"))["summary"]["vae-gan"]
    return {score: summary[score]["mean"] for score in SCORES}


def main() -> None:
    """Trains, judges and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="prepared training data")
    parser.add_argument("--images", type=int, default=1200, help="length of every training")
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
    rows = [f"| trained | {' | '.join(SCORES)} |", "|---" * (len(SCORES) + 1) + "|"]
    for name in asked.only:
        scores = measured(name, VARIANTS[name], asked, manifest)
        rows.append(f"| {name} | {' | '.join(f'{scores[key]:.{digits}f}' for key, digits in SCORES.items())} |")
        print(rows[-1], flush=True)
    how = (
        f"{asked.images} images each from nothing, batches of 4, seed 0; {len(chosen)} clips of people not trained on, "
        f"first {FRAMES} frames, landmarks alone, judged by `visiongen evaluate`. Short trainings: what comes late, such as "
        "the discriminator, shows little of its worth."
    )
    put(PAGE, "ablation", "\n".join([how, "", *rows]))


if __name__ == "__main__":
    main()
