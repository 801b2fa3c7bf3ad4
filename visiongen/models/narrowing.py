"""A narrower network out of a trained one: the channels that carry most are kept, and training goes on from there.

Source: Li et al., "Pruning filters for efficient ConvNets", 2017; a channel's worth here is the size of what comes in
times the size of what goes out, so that neither a loud channel nobody listens to nor a silent one stays.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from visiongen.errors import WeightsError
from visiongen.models.vae_gan import VaeGan, VaeGanConfig

_CAN_NARROW = ("skips", "motion", "decoder")
_SWITCHES = ("geometric_prior", "residual_motion")


class _Feature(NamedTuple):
    """Channels that become fewer together."""

    width: tuple[str, int]
    """Field of `VaeGanConfig` and number in it."""
    makers: dict[str, int]
    """Convolutions that give it (all added), each with its outputs per channel."""
    users: dict[str, tuple[str | int, ...]]
    """Convolutions that take it, each with what stands before it in their input: features below, or channels."""


_FEATURES = {
    # The motion U-Net: skips from the way down stand after what comes up.
    "down 64": _Feature(("motion", 0), {"motion_in": 1}, {"motion_down.0.0": (), "motion_up.2.0": ("up 32",)}),
    "into 32": _Feature(("motion", 1), {"motion_down.0.0": 1}, {"motion_down.0.2": ()}),
    "down 32": _Feature(("motion", 1), {"motion_down.0.2": 1}, {"motion_down.1.0": (), "motion_up.1.0": ("up 16",)}),
    "into 16": _Feature(("motion", 2), {"motion_down.1.0": 1}, {"motion_down.1.2": ()}),
    "down 16": _Feature(("motion", 2), {"motion_down.1.2": 1}, {"motion_deepest.0": (), "motion_up.0.0": ("deepest",)}),
    "into 8": _Feature(("motion", 3), {"motion_deepest.0": 1}, {"motion_deepest.2": ()}),
    "deepest": _Feature(("motion", 3), {"motion_deepest.2": 1}, {"motion_up.0.0": ()}),
    "up 16": _Feature(("motion", 2), {"motion_up.0.0": 1}, {"motion_up.1.0": ()}),
    "up 32": _Feature(("motion", 1), {"motion_up.1.0": 1}, {"motion_up.2.0": (), "paint_in": ("latent",)}),
    "up 64": _Feature(
        ("motion", 0), {"motion_up.2.0": 1}, {"motion_out": (), "paint_middle.0": ("paint 64", "middle skip")}
    ),
    # Skip features, and where they enter the decoder: after what comes up from below.
    "middle skip": _Feature(("skips", 1), {"to_middle": 1}, {"paint_middle.0": ("paint 64",)}),
    "fine skip": _Feature(("skips", 0), {"to_fine": 1}, {"paint_fine.0": ("paint 128", 3)}),
    # The decoder: what comes up has four subpixels a channel; a residual block's second convolution is added to its input.
    "deep": _Feature(
        ("decoder", 0), {"paint_in": 1, "paint_deep.0.second": 1}, {"paint_deep.0.first": (), "paint_up64.0": ()}
    ),
    "inside deep": _Feature(("decoder", 0), {"paint_deep.0.first": 1}, {"paint_deep.0.second": ()}),
    "paint 64": _Feature(("decoder", 1), {"paint_up64.0": 4}, {"paint_middle.0": ()}),
    "middle": _Feature(
        ("decoder", 1),
        {"paint_middle.0": 1, "paint_middle.1.second": 1},
        {"paint_middle.1.first": (), "paint_up128.0": ()},
    ),
    "inside middle": _Feature(("decoder", 1), {"paint_middle.1.first": 1}, {"paint_middle.1.second": ()}),
    "paint 128": _Feature(("decoder", 2), {"paint_up128.0": 4}, {"paint_fine.0": ()}),
    "fine": _Feature(
        ("decoder", 2), {"paint_fine.0": 1, "paint_fine.1.second": 1}, {"paint_fine.1.first": (), "paint_out": ()}
    ),
    "inside fine": _Feature(("decoder", 2), {"paint_fine.1.first": 1}, {"paint_fine.1.second": ()}),
}


def narrowed(network: VaeGan, config: VaeGanConfig) -> VaeGan:
    """`network` with the narrower skip features, motion network and decoder of `config`, and its switches; everything else
    as it is.

    Raises:
        WeightsError: `config` is wider somewhere, or differs in more than `skips`, `motion` and `decoder`.
    """
    old = network.config
    fixed = dataclasses.replace(config, **{name: getattr(old, name) for name in (*_CAN_NARROW, *_SWITCHES)})
    if fixed != old or any(
        n > o for name in _CAN_NARROW for n, o in zip(getattr(config, name), getattr(old, name), strict=True)
    ):
        raise WeightsError(
            f"{old} cannot be narrowed to {config}: only skips, motion and decoder can change, and only become smaller"
        )
    state = {name: value.clone() for name, value in network.state_dict().items()}
    widths: dict[str | int, int] = {"latent": old.latent}
    widths |= {name: getattr(old, feature.width[0])[feature.width[1]] for name, feature in _FEATURES.items()}
    for name, feature in _FEATURES.items():
        kept = getattr(config, feature.width[0])[feature.width[1]]
        starts = {user: sum(widths.get(one, one) for one in before) for user, before in feature.users.items()}
        _keep(state, kept, widths[name], feature.makers, starts)
        widths[name] = kept
    new = VaeGan(config)
    new.load_state_dict(state)
    return new


def _keep(state: dict[str, Tensor], kept: int, count: int, makers: dict[str, int], users: dict[str, int]) -> None:
    """Leaves `kept` of the `count` channels of one feature.

    Args:
        makers: See `_Feature`.
        users: Convolutions that take it, each with the number of the input where it begins.
    """
    if kept == count:
        return
    loud = sum(state[f"{name}.weight"].reshape(count, -1).norm(dim=1) for name in makers)
    heard = sum(
        state[f"{name}.weight"][:, at : at + count].transpose(0, 1).reshape(count, -1).norm(dim=1)
        for name, at in users.items()
    )
    best = (loud * heard).topk(kept).indices.sort().values
    for name, each in makers.items():
        for part in ("weight", "bias"):
            value = state[f"{name}.{part}"]
            state[f"{name}.{part}"] = value.unflatten(0, (count, each))[best].flatten(0, 1).contiguous()
    for name, at in users.items():
        value = state[f"{name}.weight"]
        before, own, after = value.split([at, count, value.shape[1] - at - count], 1)
        state[f"{name}.weight"] = torch.cat([before, own[:, best], after], 1)
