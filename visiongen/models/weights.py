"""Checkpoints: ``NAME.safetensors`` with ``NAME.json``, the model card, beside it. A checkpoint rebuilds its own model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise

from visiongen.errors import WeightsError
from visiongen.models.vae_gan import VaeGan, VaeGanConfig

FORMAT = 1
"""Raised when old checkpoints can no longer be read."""
ARCHITECTURE = "visiongen-vae-gan"


def shipped(name: str = "vae-gan") -> Path:
    """The weights inside the package."""
    return Path(str(resources.files("visiongen") / "weights" / f"{name}.safetensors"))


def save(network: VaeGan, path: Path, card: dict[str, Any]) -> None:
    """Writes weights (float16: half the size, no visible difference) and card; both appear whole or not at all."""
    state = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    content = serialise(state)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)  # safetensors' own writer makes files that only their owner may read
    checksum = hashlib.sha256(content).hexdigest()
    card = {
        "architecture": ARCHITECTURE,
        "format": FORMAT,
        "sha256": checksum,
        "config": dataclasses.asdict(network.config),
        **card,
    }
    partial_card = path.with_name(f".{path.stem}.json.part")
    partial_card.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    os.replace(partial_card, path.with_suffix(".json"))
    os.replace(partial, path)


def load(path: Path) -> VaeGan:
    """The network of a checkpoint, on the CPU, ready to use.

    Raises:
        WeightsError: A file is missing or damaged, or of another architecture or format.
    """
    card = read_card(path)
    if card.get("architecture") != ARCHITECTURE or card.get("format") != FORMAT:
        raise WeightsError(
            f"{path.name}: made for {card.get('architecture')} format {card.get('format')}, but this version reads "
            f"{ARCHITECTURE} format {FORMAT}; use weights of this version"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.get("sha256"):
        raise WeightsError(
            f"{path.name}: damaged (its checksum differs from the one in {path.stem}.json); get it again"
        )
    try:
        config = {name: tuple(v) if isinstance(v, list) else v for name, v in card["config"].items()}
        network = VaeGan(VaeGanConfig(**config))
        network.load_state_dict({name: value.float() for name, value in deserialise(content).items()}, strict=True)
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path.name}: does not fit the architecture it names: {error}") from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def read_card(path: Path) -> dict[str, Any]:
    """The model card beside a checkpoint."""
    card = path.with_suffix(".json")
    for file in (path, card):
        if not file.is_file():
            raise WeightsError(f"{file}: not found; weights are a pair of NAME.safetensors and NAME.json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{card.name}: not a model card: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{card.name}: not a model card: expected an object, found {type(content).__name__}")
    return content
