"""Networks of some ten thousand weights, which travel with the package as half floats: made of, written, read."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from visiongen.errors import WeightsError

Net = TypeVar("Net", bound=nn.Module)


def block(channels_in: int, channels: int, stride: int = 1) -> nn.Sequential:
    """A 3 x 3 convolution with what belongs to it, what these networks are made of."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.LeakyReLU(0.1)
    )


def save_small_net(net: Any, name: str | Path) -> Path:
    """Writes a network whose `config` is a dataclass of whole numbers.

    Args:
        net: The network.
        name: A file, or the name of one that ships with the package.
    """
    path = name if isinstance(name, Path) else Path(str(resources.files("visiongen") / "data" / name))
    arrays = {
        name: value.numpy().astype(np.float16 if value.is_floating_point() else np.int64)
        for name, value in net.state_dict().items()
    }
    np.savez_compressed(path, **{f"config.{k}": v for k, v in asdict(net.config).items()}, **arrays)
    return path


def shipped_small_net(kind: type[Net], config: type, name: str, *, purpose: str) -> Net:
    """A network that ships with the package, ready to use.

    Args:
        kind, config: Class of the network, and of its `config`.
        name: Its file.
        purpose: For the message: "the weights that ... cannot be read".
    Raises:
        WeightsError: Its file is missing or damaged.
    """
    try:
        with (
            resources.as_file(resources.files("visiongen") / "data" / name) as path,
            np.load(path, allow_pickle=False) as data,
        ):
            fields = {name.split(".", 1)[1]: int(data[name]) for name in data if name.startswith("config.")}
            state = {n: torch.from_numpy(np.array(data[n])) for n in data if not n.startswith("config.")}
        net = kind(config(**fields))
        net.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in state.items()})
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise WeightsError(f"the weights that {purpose} cannot be read ({error}); install again") from error
    return net.eval()
