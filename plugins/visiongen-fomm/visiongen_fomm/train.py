"""Trains a First Order Motion Model: ``python -m visiongen_fomm.train DATA OUT``. Read from top to bottom.

DATA is a folder made by ``visiongen prepare``. A run's folder holds ``state.pt`` (everything to go on from),
``fomm.safetensors`` + ``.json`` (the averaged weights, ready for ``--fomm.weights``), ``log.jsonl`` and ``sheet.png``.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
import os
import pickle
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from visiongen import VisionGenError, WeightsError
from visiongen.memory import keep_freed_memory
from visiongen_fomm import checkpoints, losses
from visiongen_fomm.config import FommConfig, HourglassConfig
from visiongen_fomm.deform import RandomDeformation
from visiongen_fomm.discriminator import PatchDiscriminator
from visiongen_fomm.network import DenseMotion, Fomm, Keypoints
from visiongen_fomm.pairs import PairDataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a training run. A loss with weight 0 is not computed."""

    data: Path
    """Prepared folder to learn from (made by `visiongen prepare`)."""
    out: Path
    """Folder of the run; an interrupted run in it is resumed."""
    images: int = 200_000
    """Training length, images seen."""
    minutes: float = 0.0
    """Training length, minutes of running, resumed runs counted together; 0: `images` decides."""
    size: int = 128
    """Side of the pictures, px."""
    initial: Path | None = None
    """Weights to start from. Where `size` differs from theirs, motion is still found at their resolution."""
    motion_rate: float = 1.0
    """Learning rate of keypoints and dense motion, over that of the rest; 0 leaves them as they are."""
    num_kp: int = 12
    """Keypoints."""
    block_expansion: int = 16
    """Channels of the generator at full resolution."""
    num_bottleneck_blocks: int = 3
    """Residual blocks after the warp."""
    motion_expansion: int = 16
    """Channels of keypoint detector and dense motion network at their full resolution."""
    motion_features: int = 160
    """Most channels there."""
    motion_blocks: int = 4
    """Levels there."""
    batch: int = 4
    """Images a step."""
    paint_every: int = 1
    """The picture is painted in every n-th step; the steps between train the motion alone, at a third of the cost."""
    learning_rate: float = 1e-3
    """Adam, start value; falls to a fiftieth along a cosine."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 0
    """CPU threads; 0: as many as there are cores."""
    workers: int = 1
    """Processes that prepare samples."""
    seed: int = 0
    """Of the samples and the initial weights."""
    still_share: float = 0.3
    """Share of samples made from stills by self-made motion."""
    pyramid: float = 10.0
    """Weight of the perceptual term, a pyramid of fixed filters."""
    dissimilarity: float = 1.0
    """Weight of 1 - SSIM."""
    moved: float = 2.0
    """Weight of the L1 of the warped source alone, which trains the motion."""
    equivariance_value: float = 0.5
    """Weight of the equivariance of places."""
    equivariance_jacobian: float = 0.1
    """Weight of the equivariance of Jacobians."""
    guidance: float = 2.0
    """Weight of the pull of keypoints to landmarks; falls to a tenth over the first third. 0: keypoints find themselves."""
    adversarial: float = 0.0
    """Weight of the least-squares adversarial loss; 0: no discriminator."""
    feature_matching: float = 1.0
    """Weight of feature matching, where there is a discriminator."""
    averaging: float = 0.998
    """Exponential moving average of the weights, per step."""
    save_every: float = 180.0
    """Seconds between saves."""


def train(config: TrainConfig) -> Path:
    """Runs (or resumes) a training and returns the path of the averaged weights.

    Raises:
        WeightsError: The run's state or the initial weights cannot be used.
        MediaError: There are no prepared clips.
    """
    # Settings
    keep_freed_memory()
    config.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    if config.threads:
        torch.set_num_threads(config.threads)
    device = torch.device(config.device)
    like = {"device": device, "memory_format": torch.channels_last}

    # Networks
    network = new_network(config).to(**like).train().requires_grad_(True)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    discriminator = PatchDiscriminator().to(**like)
    movers = [network.kp_detector, network.generator.dense_motion_network]
    moving = {id(p) for part in movers for p in part.parameters()}
    groups = [
        {"params": [p for p in network.parameters() if id(p) not in moving], "share": 1.0},
        {"params": [p for p in network.parameters() if id(p) in moving], "share": config.motion_rate},
    ]
    painter = torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    critic = torch.optim.Adam(discriminator.parameters(), lr=config.learning_rate / 2, betas=(0.5, 0.99))

    # Resume
    parts = {
        "network": network, "average": average, "discriminator": discriminator, "painter": painter, "critic": critic,
    }  # fmt: skip
    run = _resume(config.out / "state.pt", parts)

    # Data: another seed after a resume, so that no sample comes twice
    dataset = PairDataset(
        config.data, size=config.size, still_share=config.still_share, seed=config.seed + 7919 * run["step"]
    )
    loader = DataLoader(
        dataset, batch_size=config.batch, num_workers=config.workers, prefetch_factor=4 if config.workers else None
    )
    logger.info("%d clips, %d stills, from image %d on", len(dataset.clips), len(dataset.stills), run["images"])

    # Loop
    means, saved, clock = {}, time.monotonic(), time.monotonic()
    for batch in loader:
        done = run["minutes"] / config.minutes if config.minutes else run["images"] / config.images
        if done >= 1:
            break
        for group in painter.param_groups:
            group["lr"] = config.learning_rate * _schedule(done, run["step"]) * group["share"]
        batch = {name: value.to(device) for name, value in batch.items()}
        source, driving = (_pictures(batch[name]) for name in ("source", "driving"))
        if not config.motion_rate:
            for part in movers:
                part.eval()

        # Generator
        found = network.kp_detector(torch.cat([source, driving]))
        here, there = (Keypoints(*pair) for pair in zip(*(x.chunk(2) for x in found)))
        terms, painted = {}, None
        if not config.motion_rate or not run["step"] % config.paint_every:
            generated = network.generator(network.generator.encode(source, here), there)
            painted, motion = generated.prediction, generated.motion
            terms["pyramid"] = losses.pyramid(painted, driving, batch["weight"])
            terms["dissimilarity"] = losses.dissimilarity(painted, driving)
        else:
            motion = network.generator.move(source, here, there)
        if config.motion_rate:
            terms["moved"] = _moved(network, source, driving, motion, batch["weight"])
            guides = torch.cat([batch["source_guides"], batch["driving_guides"]])
            terms["guidance"] = max(0.1, 1 - 2.7 * done) * losses.guidance(found, guides)
            some = max(1, len(driving) // 2)  # as many as the time is worth
            deformation = RandomDeformation(some, driving)
            seen = network.kp_detector(deformation.picture(driving[:some]))
            value, jacobian = losses.equivariance(Keypoints(*(x[:some] for x in there)), seen, deformation)
            terms |= {"equivariance_value": value, "equivariance_jacobian": jacobian}
        if config.adversarial and painted is not None:
            discriminator.requires_grad_(False)
            judged = discriminator(painted * 2 - 1)
            with torch.no_grad():
                truth = discriminator(driving * 2 - 1)
            terms["adversarial"] = losses.adversarial(judged)
            terms["feature_matching"] = losses.feature_matching(truth, judged)
        loss = sum(getattr(config, name) * term for name, term in terms.items())
        painter.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        painter.step()

        # Discriminator
        if config.adversarial and painted is not None:
            discriminator.requires_grad_(True)
            fake = discriminator(painted.detach() * 2 - 1)
            terms["critic"] = losses.judge_loss(discriminator(driving * 2 - 1), fake)
            critic.zero_grad(set_to_none=True)
            terms["critic"].backward()
            critic.step()

        # Average, log, save
        _average(average, network, min(config.averaging, (1 + run["step"]) / (10 + run["step"])))
        now = time.monotonic()
        run = {
            "images": run["images"] + len(driving), "step": run["step"] + 1, "minutes": run["minutes"] + (now - clock) / 60,
        }  # fmt: skip
        clock = now
        for name, term in terms.items():
            value = float(term.detach())
            means[name] = 0.98 * means.get(name, value) + 0.02 * value
        if run["step"] % 50 == 0:
            _log(config, run, means)
        if now - saved > config.save_every:
            saved = now
            _save(config, parts, run, means)
            _sheet(config.out / "sheet.png", average, source, driving)
    _save(config, parts, run, means)
    return config.out / "fomm.safetensors"


def new_network(config: TrainConfig) -> Fomm:
    """The network to begin with.

    Raises:
        WeightsError: The initial weights cannot be used.
    """
    if config.initial:
        return checkpoints.load(config.initial, size=config.size)
    hourglass = HourglassConfig(
        block_expansion=config.motion_expansion,
        max_features=config.motion_features,
        num_blocks=config.motion_blocks,
        scale_factor=0.25,
    )
    return Fomm(
        FommConfig(
            num_kp=config.num_kp,
            kp_detector=hourglass,
            dense_motion=hourglass,
            block_expansion=config.block_expansion,
            num_bottleneck_blocks=config.num_bottleneck_blocks,
            size=config.size,
        )
    )


def _pictures(pixels: Tensor) -> Tensor:
    return (pixels.float() / 255).contiguous(memory_format=torch.channels_last)


def _moved(network: Fomm, source: Tensor, driving: Tensor, motion: DenseMotion, weight: Tensor) -> Tensor:
    """L1 of the warped source where it can be used, at twice the motion's resolution."""
    side = 2 * motion.deformation.shape[1]
    small, wanted = (F.adaptive_avg_pool2d(x, side) for x in (source, driving))
    moved = network.generator.warp(small, motion.deformation)
    weight = F.interpolate(weight, size=(side, side), mode="bilinear", align_corners=False)
    return (weight * (moved - wanted).abs()).mean()


def _schedule(done: float, step: int) -> float:
    """Share of the learning rate: 100 steps of warm-up, then a cosine from 1 to 1/50."""
    return min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def _average(average: Fomm, network: Fomm, keep: float) -> None:
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - keep)  # running statistics of the norms too
        else:
            mean.copy_(value)


def _log(config: TrainConfig, run: dict, means: dict[str, float]) -> None:
    entry = {name: round(value, 4) for name, value in {**run, **means}.items()}
    with (config.out / "log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
    logger.info("%s", entry)


def _resume(path: Path, parts: dict) -> dict:
    if not path.exists():
        return {"images": 0, "step": 0, "minutes": 0.0}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: this run cannot be resumed ({reason}); choose another folder") from error
    return state["run"]


def _save(config: TrainConfig, parts: dict, run: dict, means: dict[str, float]) -> None:
    partial = config.out / ".state.pt.part"
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"run": run}, partial)
    os.replace(partial, config.out / "state.pt")
    settings = dataclasses.asdict(config)
    for name in ("data", "out", "initial"):  # folders of the machine it was trained on say nothing to others
        settings.pop(name)
    card = {"run": run, "training": settings, "losses": {k: round(v, 5) for k, v in means.items()}}
    checkpoints.save(parts["average"], config.out / "fomm.safetensors", card)


@torch.no_grad()
def _sheet(path: Path, network: Fomm, source: Tensor, driving: Tensor) -> None:
    """Source, driving (both with keypoints), warped source, occlusion and result, one row a sample, to look at."""
    found = network.kp_detector(driving)
    code = network.encode(source)
    generated = network.generator(code, found)
    moved = network.generator.warp(source, generated.motion.deformation)
    shown = F.interpolate(generated.motion.occlusion_map, size=source.shape[2:]).expand(-1, 3, -1, -1)
    columns = [_dotted(source, code.keypoints), _dotted(driving, found), moved, shown, generated.prediction]
    sheet = torch.cat([torch.cat(list(x), 1) for x in columns], 2)  # (3, B * S, 5 * S)
    pixels = (sheet.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def _dotted(pictures: Tensor, keypoints: Keypoints) -> Tensor:
    pictures = pictures.clone()
    places = ((keypoints.value + 1) / 2 * (pictures.shape[-1] - 1)).round().long().clamp(1, pictures.shape[-1] - 2)
    for picture, points in zip(pictures, places):
        for number, (x, y) in enumerate(points.tolist()):
            hue = torch.tensor([number % 2, number // 2 % 2, number // 4 % 2], dtype=picture.dtype)
            picture[:, y - 1 : y + 2, x - 1 : x + 2] = hue.view(3, 1, 1).to(picture.device)
    return pictures


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    import tyro

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = tyro.cli(
        TrainConfig,
        prog="python -m visiongen_fomm.train",
        args=arguments,
        config=(tyro.conf.PositionalRequiredArgs, tyro.conf.FlagCreatePairsOff),
    )
    try:
        print(train(config))
    except VisionGenError as error:
        print(f"visiongen-fomm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last save", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
