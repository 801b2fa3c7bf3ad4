"""Personalisation: the shipped network learns one person's looks from a few pictures or a short clip.

Source: few-shot adaptation, Zakharov et al., "Few-shot adversarial learning of realistic neural talking head models", 2019.
Its adversary is the shipped one: a new one would have too little to learn from in a few hundred images.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visiongen import media
from visiongen.background import PersonMatte
from visiongen.datatypes import Portrait
from visiongen.errors import MediaError, VisionGenError
from visiongen.faces import Face, make_portrait
from visiongen.flow import GRID
from visiongen.generators.driver import resized
from visiongen.generators.targets import to_crop_units
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE
from visiongen.motion import place
from visiongen.pipeline import extract_motion, prepare_portrait
from visiongen.samples import sample
from visiongen.training.data import PICTURE_SUFFIXES
from visiongen.training.vae_gan import TrainConfig, train

logger = logging.getLogger(__name__)
MOST_FRAMES = 400
"""Frames of a clip that are learnt from; of a longer one evenly chosen ones."""


@dataclass(frozen=True, kw_only=True)
class PersonalConfig:
    """Make weights for one person, from a few pictures or a short clip of them. Takes some minutes on two cores."""

    sources: tuple[Path, ...]
    """Pictures and clips of one person; more poses, more open mouths and more blinks teach more."""
    out: Path
    """Weights to write, NAME.safetensors; NAME.json, their card, comes beside it."""
    images: int = 600
    """Training length, images seen."""
    learning_rate: float = 1e-4
    """Adam, start value."""
    seed: int = 0
    """Of the samples."""
    overwrite: bool = False
    """Replace existing weights."""


def personalise(config: PersonalConfig) -> Path:
    """Trains and writes the weights; use them as ``--vae-gan.weights``.

    Raises:
        MediaError: A source cannot be read.
        NoFaceError: A picture or clip shows no face.
        VisionGenError: The weights exist already, or have another ending.
    """
    if config.out.suffix != ".safetensors":
        raise VisionGenError(f"{config.out.name}: weights end in .safetensors; give a name such as anna.safetensors")
    if not config.sources:
        raise VisionGenError("no pictures or clips to learn from; name at least one")
    card_path = config.out.with_suffix(".json")
    for path in (config.out, card_path):
        if path.exists() and not config.overwrite:
            raise VisionGenError(f"{path} exists already; choose another name, or add --overwrite")
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="visiongen-") as folder:
        prepared = Path(folder, "prepared")
        pairs = prepare_person(config.sources, prepared)
        if not pairs:  # a single picture has nothing to be moved by
            prepare_person([sample("driving.mp4")], prepared / "mover")
        run = train(
            TrainConfig(
                data=prepared,
                out=Path(folder, "run"),
                images=config.images,
                learning_rate=config.learning_rate,
                initial=weights.shipped(),
                workers=0,
                seed=config.seed,
                still_share=0.25 if pairs else 1.0,
                registered_share=0.0,  # what is measured in a clip's own pixels needs no learning
                discriminator=weights.shipped("discriminator"),
                adversarial=0.1,  # less, and the picture becomes softer than it was
                save_every=max(config.images, 1),
            )
        )
        card = json.loads(run.with_suffix(".json").read_text(encoding="utf-8"))
        card["personal"] = {
            "begun_from": weights.read_card(weights.shipped())["sha256"],
            "sources": len(config.sources),
        }
        partial = config.out.with_name(f".{config.out.name}.part")
        shutil.copyfile(run, partial)
        card_path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, config.out)
    return config.out


def prepare_person(sources: Sequence[Path], target: Path) -> bool:
    """Crops of every source as `visiongen.training.data` reads them: a folder a clip, and one for all pictures.

    Returns:
        Whether two frames of one folder can be paired; a single picture cannot.
    """
    pictures = [path for path in sources if path.suffix.lower() in PICTURE_SUFFIXES]
    clips = [path for path in sources if path not in pictures]
    with PersonMatte() as matte:
        if pictures:
            crops = (prepare_portrait(path) for path in pictures)
            _write(target / "pictures", ((one.crop, one.landmarks, one) for one in crops), matte)
        for number, path in enumerate(clips):
            _write(target / f"clip{number}", _frames(path), matte)
    return bool(clips) or len(pictures) > 1


def _frames(path: Path) -> Iterable[tuple[np.ndarray, np.ndarray, Portrait]]:
    """Crop, landmarks (px of the frame) and geometry of the frames of a clip that show the face; one crop for all."""
    motion = extract_motion(path)
    if motion.clip is None:
        raise MediaError(f"{path.name} holds a motion without pixels; give pictures or clips of the person")
    points = place(motion).points
    faces = points[motion.visible][:, :468, :2]
    reach = np.concatenate([faces.min(1), faces.max(1)])
    every = max(1, -(-len(motion) // MOST_FRAMES))
    fixed, number = None, 0
    for batch in media.read_frames(motion.clip):
        for picture in batch.pixels:
            if number < len(motion) and motion.visible[number] and number % every == 0:
                inside = np.clip(reach, 0, [picture.shape[1], picture.shape[0]])
                fixed = fixed or make_portrait(picture, Face(points[number]), name=path.name, reach=inside)
                size = (fixed.crop.shape[0],) * 2
                matrix = cv2.invertAffineTransform(fixed.image_from_crop)
                matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # outer corners -> OpenCV's pixel centres
                crop = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
                yield crop, points[number], fixed
            number += 1


def _write(folder: Path, frames: Iterable[tuple[np.ndarray, np.ndarray, Portrait]], matte: PersonMatte) -> None:
    pictures, landmarks, mattes = [], [], []
    for crop, points, portrait in frames:
        small = resized(crop, SIZE)
        pictures.append(small)
        landmarks.append(to_crop_units(points[None], portrait)[0] * SIZE)
        person = cv2.resize(matte(small), (GRID, GRID), interpolation=cv2.INTER_AREA)
        mattes.append(np.round(person * 255).astype(np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "frames.npy", np.array(pictures))
    np.save(folder / "landmarks.npy", np.array(landmarks, np.float32))
    np.save(folder / "matte.npy", np.array(mattes))
    logger.info("%s: %d frames to learn from", folder.name, len(pictures))
