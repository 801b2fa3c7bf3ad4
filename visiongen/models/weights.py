"""Checkpoints: ``NAME.safetensors`` with ``NAME.json``, the model card, beside it. A checkpoint rebuilds its own model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from visiongen.errors import WeightsError
from visiongen.models.vae_gan import DiscriminatorConfig, PatchDiscriminator, VaeGan, VaeGanConfig

FORMAT = 2
"""Raised when the network's layers change."""
READABLE = (1, FORMAT)
ARCHITECTURE = "visiongen-vae-gan"
_KINDS = {VaeGan: (ARCHITECTURE, VaeGanConfig), PatchDiscriminator: ("visiongen-discriminator", DiscriminatorConfig)}
_Network = TypeVar("_Network", VaeGan, PatchDiscriminator)
_LARGEST = 1 << 30
"""Bytes of a checkpoint."""
_WIDEST = 1024
"""Channels."""


def shipped(name: str = "vae-gan") -> Path:
    """The weights inside the package."""
    return Path(str(resources.files("visiongen") / "weights" / f"{name}.safetensors"))


def save(network: VaeGan | PatchDiscriminator, path: Path, card: dict[str, Any]) -> None:
    """Writes weights (float16: half the size, no visible difference) and card; both appear whole or not at all."""
    state = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    content = serialise(state)
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)  # safetensors' own writer makes files that only their owner may read
    checksum = hashlib.sha256(content).hexdigest()
    card = {
        "architecture": _KINDS[type(network)][0],
        "format": FORMAT,
        "sha256": checksum,
        "config": dataclasses.asdict(network.config),
        **card,
    }
    partial_card = path.with_name(f".{path.stem}.json.part")
    partial_card.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    os.replace(partial_card, path.with_suffix(".json"))
    os.replace(partial, path)


def load(path: Path, kind: type[_Network] = VaeGan) -> _Network:
    """The network of a checkpoint, of the kind asked for, on the CPU, ready to use.

    Raises:
        WeightsError: A file is missing or damaged, or of another architecture or format.
    """
    card = read_card(path)
    architecture, config_of = _KINDS[kind]
    if card.get("architecture") != architecture or card.get("format") not in READABLE:
        raise WeightsError(
            f"{path.name}: made for {card.get('architecture')} format {card.get('format')}, but this version reads "
            f"{architecture} format {FORMAT}; use weights of this version, or update VisionGen 3D"
        )
    if path.stat().st_size > _LARGEST:
        raise WeightsError(
            f"{path.name}: has {path.stat().st_size >> 20} MB, more than any weights of this kind; get it again"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.get("sha256"):
        raise WeightsError(
            f"{path.name}: damaged (its checksum differs from the one in {path.stem}.json); get it again"
        )
    try:
        config = {name: tuple(v) if isinstance(v, list) else v for name, v in card["config"].items()}
        state = {name: value.float() for name, value in deserialise(content).items()}
        if card["format"] == 1 and kind is VaeGan:
            state = _from_format_1(state)
        _check_config(config, dataclasses.asdict(config_of()))
        network = kind(config_of(**config))
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        if wrong := [
            name for name in {**shapes, **state} if name not in state or shapes.get(name) != state[name].shape
        ]:
            raise ValueError(
                f"{len(wrong)} of its tensors are missing, unknown or of another size, such as {wrong[0][:80]}"
            )
        network.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path.name}: does not fit the architecture it names ({reason}); get both files again"
        ) from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _from_format_1(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Format 1 painted four subpixels for each of today's pixels: their mean."""
    old = {name: state.pop(f"paint_out.0.{name}") for name in ("weight", "bias")}
    return state | {f"paint_out.{name}": value.unflatten(0, (-1, 4)).mean(1) for name, value in old.items()}


def _check_config(config: dict[str, Any], usual: dict[str, Any]) -> None:
    """Raises ValueError where a card asks for a network of another shape, or for one that no memory holds."""
    for name, value in config.items():
        widths = value if isinstance(value, tuple) else (value,)
        known = usual.get(name, value)
        if (
            isinstance(value, tuple) != isinstance(known, tuple)
            or (isinstance(value, tuple) and len(value) != len(known))
            or not all(isinstance(width, int) and 0 <= width <= _WIDEST for width in widths)
        ):
            raise ValueError(f"its card says {name} {str(value)[:80]}")


def read_card(path: Path) -> dict[str, Any]:
    """The model card beside a checkpoint."""
    card = path.with_suffix(".json")
    for file in (path, card):
        if not file.is_file():
            raise WeightsError(f"{file}: not found; weights are a pair of NAME.safetensors and NAME.json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{card.name}: not a model card: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{card.name}: not a model card: expected an object, found {type(content).__name__}")
    return content
