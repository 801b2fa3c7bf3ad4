"""Trains the VAE-GAN: settings, data, networks, resume, loop, save, read from top to bottom.

Progress is counted in images seen. A run's folder holds ``state.pt`` (everything to go on from), ``vae-gan.safetensors``
+ ``.json`` (the averaged weights, ready for ``--vae-gan.weights``), ``log.jsonl`` and sample sheets.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
import os
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from visiongen.errors import WeightsError
from visiongen.flow import MAPS
from visiongen.memory import keep_freed_memory
from visiongen.models import losses, weights
from visiongen.models.face_features import FaceFeatures, feature_distance, landmark_distance
from visiongen.models.narrowing import narrowed
from visiongen.models.vae_gan import SIZE, PatchDiscriminator, VaeGan, VaeGanConfig, enlarge
from visiongen.models.vgg_features import VggFeatures
from visiongen.training.data import PairDataset

logger = logging.getLogger(__name__)
PATCH_JITTER = 40
"""The patch that the discriminator sees is at most so many px off the face's middle: ears, jaw and hair come into it."""
R1_EVERY = 8
"""Steps between gradient penalties: lazy regularisation, Karras et al., "Analyzing and improving StyleGAN", 2020."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a training run. A loss with weight 0 is not computed."""

    data: Path
    """Prepared folder to learn from (made by `visiongen prepare`)."""
    out: Path
    """Folder of the run; an interrupted run in it is resumed."""
    images: int = 200_000
    """Training length, images seen."""
    batch: int = 4
    """Images a step."""
    learning_rate: float = 4e-4
    """Adam, start value; falls to a twentieth along a cosine."""
    initial: Path | None = None
    """Weights to start from (fine-tuning); default: from the geometric prior."""
    discriminator: Path | None = None
    """Weights of a discriminator to start from; it then has a say from the first image on."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int = 0
    """CPU threads; 0: as many as there are cores."""
    workers: int = 1
    """Processes that prepare samples."""
    seed: int = 0
    """Of the samples and the initial weights."""
    still_share: float = 0.25
    """Share of samples made from stills by self-made motion."""
    registered_share: float = 0.6
    """Share of clip samples whose portrait is registered with the driving frame (`visiongen.registration`)."""
    reconstruction: float = 1.0
    """Weight of the weighted L1."""
    structure: float = 0.25
    """Weight of 1 - SSIM."""
    detail: float = 0.5
    """Weight of the gradient loss."""
    landmarks: float = 0.0
    """Weight of the distance between the landmarks that MediaPipe's network finds in result and target."""
    perceptual: float = 0.0
    """Weight of the distance between that network's features (`visiongen.models.face_features`)."""
    moved: float = 0.25
    """Weight of the L1 of the moved portrait alone, which trains the motion."""
    colour: float = 0.25
    """Weight of the L1 of the painting alone, near where it is needed."""
    parsimony: float = 0.02
    """Weight of the mean weight of new content, which is softer than the moved portrait."""
    vgg: float = 0.0
    """Weight of the distance between VGG19's features; needs `vgg_weights`."""
    vgg_weights: Path | None = None
    """File with torchvision's weights of VGG19 (they do not ship)."""
    temporal: float = 0.0
    """Weight of the difference between the changes from one frame to the next; with it, clip samples come in pairs."""
    kl: float = 1e-6
    """Weight of the Kullback-Leibler divergence, mean per element."""
    smoothness: float = 0.02
    """Weight of the motion's smoothness."""
    adversarial: float = 0.02
    """Weight of the hinge loss."""
    r1: float = 0.0
    """Weight of the discriminator's gradient penalty on real pictures, taken every 8th step."""
    feature_matching: float = 1.0
    """Weight of feature matching in the discriminator: the perceptual term."""
    adversarial_from: float = 0.6
    """The discriminator joins after this share of the images."""
    variational: bool = True
    """Draw the latent from its distribution; off: always its mean, an ordinary autoencoder (ablation; set ``kl`` to 0 too)."""
    geometric_prior: bool = True
    """Start the candidates' weights from the geometric prior (off: ablation)."""
    residual_motion: bool = True
    """Add learned motion to the geometric candidates (off: ablation)."""
    skips: tuple[int, int] | None = None
    """Channels of the skip features; fewer than those of `initial`: the ones that carry most are kept."""
    motion: tuple[int, int, int, int] | None = None
    """Channels of the motion network; as with `skips`."""
    decoder: tuple[int, int, int] | None = None
    """Channels of the decoder; as with `skips`."""
    patch: int = 128
    """Side of the face patch the discriminator sees, px."""
    averaging: float = 0.998
    """Exponential moving average of the weights, per step."""
    save_every: int = 1000
    """Images between saves."""


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
    shape = {name: getattr(config, name) for name in ("skips", "motion", "decoder") if getattr(config, name)}
    shape |= {name: False for name in ("geometric_prior", "residual_motion") if not getattr(config, name)}
    if config.initial:
        network = weights.load(config.initial)
        network = narrowed(network, dataclasses.replace(network.config, **shape)).train().requires_grad_(True)
    else:
        network = VaeGan(VaeGanConfig(**shape))
    network.to(**like)
    face = FaceFeatures().to(device) if config.landmarks or config.perceptual else None
    vgg = VggFeatures(config.vgg_weights or Path("vgg19-dcbb9e9d.pth")).to(**like) if config.vgg else None
    average = copy.deepcopy(network).eval().requires_grad_(False)
    if config.discriminator:
        discriminator = weights.load(config.discriminator, PatchDiscriminator).train().requires_grad_(True)
    else:
        discriminator = PatchDiscriminator()
    discriminator.to(**like)
    painter = torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=(0.9, 0.99))
    critic = torch.optim.Adam(discriminator.parameters(), lr=config.learning_rate, betas=(0.5, 0.99))

    # Resume
    parts = {
        "network": network, "average": average, "discriminator": discriminator, "painter": painter, "critic": critic,
    }  # fmt: skip
    seen, step = _resume(config.out / "state.pt", parts)

    # Data: another seed after a resume, so that no sample comes twice
    shares = {"still_share": config.still_share, "registered_share": config.registered_share}
    dataset = PairDataset(config.data, **shares, consecutive=config.temporal > 0, seed=config.seed + 7919 * step)
    loader = DataLoader(
        dataset, batch_size=config.batch, num_workers=config.workers, prefetch_factor=4 if config.workers else None
    )
    logger.info("%d clips, %d stills, from image %d on", len(dataset.clips), len(dataset.stills), seen)

    # Loop
    started, seen_before, mean_losses = time.monotonic(), seen, {}
    for batch in loader:
        if seen >= config.images:
            break
        rate = config.learning_rate * _schedule(seen / config.images, step, steps=config.images / config.batch)
        for optimiser in (painter, critic):
            optimiser.param_groups[0]["lr"] = rate
        portrait, frame, target = _to_network(batch, device)
        weight = attention(frame["maps"])

        # Generator
        generated, moved, code, motion, painting = network(portrait, frame, sample=config.variational)
        terms = {
            "reconstruction": losses.reconstruction(generated, target, weight),
            "structure": losses.structure(generated, target),
            "detail": losses.detail(generated, target, weight),
            "moved": losses.reconstruction(moved, target, weight),
            "colour": losses.reconstruction(enlarge(painting.colour), target, weight),
            "parsimony": losses.parsimony(painting),
            "kl": losses.kl(code),
            "smoothness": losses.smoothness(motion),
        }
        if vgg:
            terms["vgg"] = vgg.distance(generated, target)
        if config.temporal and len(target) > 1:
            terms["temporal"] = losses.temporal(generated, target, weight, batch["follows"].to(device))
        if face:
            points = batch["landmarks"].to(device)
            with torch.no_grad():
                shown = face(target, points)
            seen_face = face(generated, points)
            terms["landmarks"] = landmark_distance(seen_face, shown)
            terms["perceptual"] = feature_distance(seen_face, shown)
        joins = 0 if config.discriminator else config.adversarial_from * config.images
        adversarial = config.adversarial > 0 and seen >= joins
        if adversarial:
            box = _face_patch(frame["maps"], config.patch)
            fake, real = _patches(generated, box, config.patch), _patches(target, box, config.patch)
            discriminator.requires_grad_(False)
            judged = discriminator(fake)
            with torch.no_grad():
                truth = discriminator(real)
            # In a new discriminator's first images its opinion is noise.
            ramp = 1.0 if config.discriminator else min(1.0, (seen - joins) / 1000)
            terms["adversarial"] = ramp * losses.adversarial(judged)
            terms["feature_matching"] = ramp * losses.feature_matching(truth, judged)
        loss = sum(getattr(config, name) * term for name, term in terms.items())
        painter.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        painter.step()

        # Discriminator
        if adversarial:
            discriminator.requires_grad_(True)
            terms["critic"] = losses.discriminator_hinge(discriminator(real), discriminator(fake.detach()))
            judgement = terms["critic"]
            if config.r1 and step % R1_EVERY == 0:
                judgement = judgement + R1_EVERY * config.r1 / 2 * losses.r1(discriminator, real)
            critic.zero_grad(set_to_none=True)
            judgement.backward()
            critic.step()

        # Average
        keep = min(config.averaging, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        seen, step = seen + len(target), step + 1

        # Log and save
        for name, term in terms.items():
            value = float(term.detach())
            mean_losses[name] = 0.98 * mean_losses.get(name, value) + 0.02 * value
        if step % 50 == 0:
            speed = (seen - seen_before) / (time.monotonic() - started)
            entry = {"images": seen, "images_per_s": round(speed, 2), "lr": rate}
            entry |= {name: round(value, 5) for name, value in mean_losses.items()}
            with (config.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            logger.info("%s", entry)
        if seen // config.save_every != (seen - len(target)) // config.save_every:
            _save(config, parts, seen, step, mean_losses)
            _sheet(config.out / "sheet.png", average, portrait, frame, target)
    _save(config, parts, seen, step, mean_losses)
    return config.out / "vae-gan.safetensors"


def _schedule(done: float, step: int, *, steps: float) -> float:
    """Share of the learning rate: 100 steps of warm-up (a tenth of short runs), then a cosine from 1 to 1/20."""
    # Plain floats: the rate is saved with the optimisers, and NumPy's would make the state unreadable for `torch.load`.
    warm = min(1.0, (step + 1) / max(1.0, min(100.0, steps / 10)))
    return warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def attention(maps: Tensor) -> Tensor:
    """(B, 1, S, S) weight of every pixel: the head counts double, eyes and mouth with their rims six times."""
    head, mouth, eyes = (maps[:, [MAPS.index(name)]] for name in ("head", "mouth", "eyes"))
    features = F.max_pool2d(torch.maximum(mouth, eyes), 9, 1, 4)
    return F.interpolate(0.7 + 0.7 * head + 4 * features, scale_factor=2.0)


def _to_network(batch: dict[str, Tensor], device: torch.device):
    def picture(name: str) -> Tensor:
        x = batch[name].to(device).float() / 127.5 - 1
        return x.contiguous(memory_format=torch.channels_last)

    portrait = {"picture": picture("picture"), "background": picture("background")}
    portrait |= {name: batch[name].to(device) for name in ("source_maps", "matte")}
    frame = {name: batch[name].to(device) for name in ("candidates", "prior", "maps")}
    return portrait, frame, picture("target")


def _face_patch(maps: Tensor, side: int) -> list[tuple[int, int]]:
    """Top-left corner of a patch round the face for every sample, px."""
    corners = []
    for face in maps[:, MAPS.index("face")]:
        rows, columns = torch.nonzero(face > 0.5, as_tuple=True)
        centre = [float(x.float().mean()) * 2 if len(x) else SIZE / 2 for x in (rows, columns)]
        jitter = torch.randint(-PATCH_JITTER, PATCH_JITTER + 1, (2,)).tolist()
        corners.append(tuple(int(np.clip(c + j - side / 2, 0, SIZE - side)) for c, j in zip(centre, jitter)))
    return corners


def _patches(pictures: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    return torch.stack([p[:, y : y + side, x : x + side] for p, (y, x) in zip(pictures, corners, strict=True)])


def _resume(path: Path, parts: dict) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: this run cannot be resumed ({reason}); choose another --out folder") from error
    return state["images"], state["step"]


def _save(config: TrainConfig, parts: dict, seen: int, step: int, mean_losses: dict[str, float]) -> None:
    partial = config.out / ".state.pt.part"
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"images": seen, "step": step}, partial)
    os.replace(partial, config.out / "state.pt")
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(config).items()}
    for name in (
        "data",
        "out",
        "initial",
        "discriminator",
        "vgg_weights",
    ):  # folders of the machine it was trained on say nothing to others
        settings.pop(name)
    card = {"images_seen": seen, "training": settings, "losses": {k: round(v, 5) for k, v in mean_losses.items()}}
    if config.adversarial:
        weights.save(parts["discriminator"], config.out / "discriminator.safetensors", {"images_seen": seen})
    weights.save(parts["average"], config.out / "vae-gan.safetensors", card)


def _sheet(path: Path, network: VaeGan, portrait: dict, frame: dict, target: Tensor) -> None:
    """Portrait, target, moved portrait, result, new content and its weight, one row a sample, to look at."""
    with torch.no_grad():
        generated, moved, _, _, painting = network(portrait, frame, sample=False)
    weight = enlarge(painting.blend[:, 1:2]).expand(-1, 3, -1, -1) * 2 - 1
    columns = [portrait["picture"], target, moved, generated, enlarge(painting.colour), weight]
    sheet = torch.cat([torch.cat(list(x), 1) for x in columns], 2)  # (3, B * S, 6 * S)
    pixels = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
