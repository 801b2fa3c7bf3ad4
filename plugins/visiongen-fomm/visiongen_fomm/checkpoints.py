"""Checkpoints in and out: the authors' ``.pth.tar`` unchanged, and our own ``.safetensors`` with a JSON card beside it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from visiongen import WeightsError
from visiongen_fomm.blocks import scale_of_kernel
from visiongen_fomm.config import FommConfig, HourglassConfig
from visiongen_fomm.network import Fomm

FORMAT = 1
"""Raised when old checkpoints can no longer be read."""
ARCHITECTURE = "visiongen-fomm"
PUBLIC_MD5 = {"vox-adv-cpk.pth.tar": "8a45a24037871c045fbb8a6a8aa95ebc"}
"""Checksums of public checkpoints, by file name, as their authors' users publish them."""

State = dict[str, Tensor]
logger = logging.getLogger(__name__)


def shipped() -> Path:
    """The weights inside this package."""
    return Path(str(resources.files("visiongen_fomm") / "weights" / "fomm.safetensors"))


def load(path: Path, *, align_corners: bool = True, size: int = 0) -> Fomm:
    """The network of a checkpoint, on the CPU, ready to use; its sizes are read from it.

    Args:
        path: The authors' ``.pth.tar`` (or .pth, .pt), or our ``.safetensors``.
        align_corners: See `visiongen_fomm.network`; True is what the public weights were trained with.
        size: Side of the pictures it shall work on, px; 0: what it was trained on.
    Raises:
        WeightsError: Missing, damaged, of another architecture, or unable to work on that size.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; give the path of a .pth.tar or .safetensors file")
    if path.suffix == ".safetensors":
        config, generator, detector = _read_own(path)
    else:
        config, generator, detector = _read_public(path)
    try:
        network = Fomm(config.at_size(size or config.size), align_corners=align_corners)
    except ValueError as error:
        raise WeightsError(f"{path.name}: {error}; choose one, or 0 for {config.size}") from error
    if network.config != config:  # softened more or less before it is shrunk
        generator, detector = (
            {k: v for k, v in state.items() if not k.endswith("down.weight")} for state in (generator, detector)
        )
    try:
        for module, state in ((network.generator, generator), (network.kp_detector, detector)):
            module.load_state_dict(_completed(module, state), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{path.name}: not a checkpoint of the First Order Motion Model ({reason})") from error
    return network.eval().requires_grad_(False)


def _completed(module: torch.nn.Module, state: State) -> State:
    """`state` with what can be computed, should it be missing: the Gaussian of `Shrink`, and counts of batches."""
    own = module.state_dict()
    computable = {k: v for k, v in own.items() if k.endswith(("down.weight", "num_batches_tracked"))}
    return {**computable, **state}


# -- the authors' ------------------------------------------------------------------------------------------------------


def _read_public(path: Path) -> tuple[FommConfig, State, State]:
    if expected := PUBLIC_MD5.get(path.name):
        check_md5(path, expected)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # a pickle that may hold nothing but tensors
    except (RuntimeError, ValueError, LookupError, EOFError, OSError, AttributeError, TypeError, MemoryError,
            pickle.UnpicklingError) as error:  # fmt: skip
        # PyTorch's own message tells how to run the code that a file may hold.
        reason = (
            "it holds more than tensors, or is damaged"
            if isinstance(error, pickle.UnpicklingError)
            else type(error).__name__
        )
        raise WeightsError(f"{path.name}: cannot be read as plain tensors ({reason}); download it again") from error
    logger.warning(
        "%s is a pickle, the old format of PyTorch: only its tensors are read; prefer .safetensors where there is one",
        path.name,
    )
    if not isinstance(content, dict) or not {"generator", "kp_detector"} <= set(content):
        raise WeightsError(f"{path.name}: holds no 'generator' and 'kp_detector'; is it a checkpoint of another model?")
    generator, detector = (_plain_names(content[name]) for name in ("generator", "kp_detector"))
    try:
        return config_of(generator, detector), generator, detector
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(
            f"{path.name}: not a checkpoint of the First Order Motion Model (no entry {error})"
        ) from error


def _plain_names(state: State) -> State:
    """Names without the prefix that parallel training leaves."""
    return {name.removeprefix("module."): value for name, value in state.items()}


def check_md5(path: Path, expected: str) -> None:
    """Does nothing if the file has this MD5 sum.

    Raises:
        WeightsError: It has another.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest() if hasattr(hashlib, "file_digest") else _md5(file)
    if found != expected:
        raise WeightsError(f"{path.name}: damaged, its MD5 is {found} and should be {expected}; download it again")


def _md5(file: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # a published checksum, not a signature
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def config_of(generator: State, detector: State) -> FommConfig:
    """The configuration of two state dicts, from names and shapes; temperature and variance are the usual ones."""
    num_down = _count(generator, "down_blocks")
    widths = [generator["first.conv.weight"].shape[0]]
    widths += [generator[f"down_blocks.{i}.conv.weight"].shape[0] for i in range(num_down)]
    num_kp = detector["kp.weight"].shape[0]
    return FommConfig(
        num_kp=num_kp,
        num_channels=generator["final.weight"].shape[0],
        estimate_jacobian="jacobian.weight" in detector,
        kp_detector=_hourglass(detector, "predictor.", "down.weight"),
        dense_motion=_hourglass(generator, "dense_motion_network.hourglass.", "dense_motion_network.down.weight"),
        block_expansion=widths[0],
        max_features=max(widths),
        num_down_blocks=num_down,
        num_bottleneck_blocks=_count(generator, "bottleneck"),
        estimate_occlusion_map="dense_motion_network.occlusion.weight" in generator,
    )


def _hourglass(state: State, prefix: str, down: str) -> HourglassConfig:
    count = _count(state, f"{prefix}encoder.down_blocks")
    widths = [state[f"{prefix}encoder.down_blocks.{i}.conv.weight"].shape[0] for i in range(count)]
    return HourglassConfig(
        block_expansion=state[f"{prefix}decoder.up_blocks.{count - 1}.conv.weight"].shape[0],
        max_features=max(widths),
        num_blocks=count,
        scale_factor=scale_of_kernel(state[down].shape[-1]) if down in state else 0.25,
    )


def _count(state: State, prefix: str) -> int:
    return len({name[len(prefix) + 1 :].split(".")[0] for name in state if name.startswith(f"{prefix}.")})


# -- ours --------------------------------------------------------------------------------------------------------------


def save(network: Fomm, path: Path, card: dict[str, Any]) -> None:
    """Writes weights (float16: half the size, no visible difference) and card; both appear whole or not at all."""
    state = {k: v for k, v in network.state_dict().items() if not k.endswith(("down.weight", "num_batches_tracked"))}
    content = serialise({name: value.detach().half().contiguous() for name, value in state.items()})
    card = {
        "architecture": ARCHITECTURE,
        "format": FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "config": network.config.to_dict(),
        "parameters": sum(p.numel() for p in network.parameters()),
        **card,
    }
    text = (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode()
    for target, data in ((path.with_suffix(".json"), text), (path, content)):
        partial = target.with_name(f".{target.name}.part")
        partial.write_bytes(data)
        os.replace(partial, target)


def _read_own(path: Path) -> tuple[FommConfig, State, State]:
    card = read_card(path)
    if card.get("architecture") != ARCHITECTURE or card.get("format") != FORMAT:
        found = f"{card.get('architecture')} format {card.get('format')}"
        raise WeightsError(f"{path.name}: holds {found}, but {ARCHITECTURE} format {FORMAT} is needed")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.get("sha256"):
        raise WeightsError(f"{path.name}: damaged, or not the file its card describes; get both files again")
    try:
        state = {name: value.float() for name, value in deserialise(content).items()}
        config = FommConfig.from_dict(card["config"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path.name}: cannot be read ({error}); get both files again") from error
    parts = ("generator.", "kp_detector.")
    generator, detector = ({k.removeprefix(p): v for k, v in state.items() if k.startswith(p)} for p in parts)
    return config, generator, detector


def read_card(path: Path) -> dict[str, Any]:
    """The model card beside a ``.safetensors`` file.

    Raises:
        WeightsError: It is missing or damaged.
    """
    card = path.with_suffix(".json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"{path.name}: its model card {card.name} is not beside it; put both in one folder"
        ) from error
    except ValueError as error:
        raise WeightsError(f"{card.name}: not a model card ({error}); get both files again") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{card.name}: not a model card, but {type(content).__name__}; get both files again")
    return content
