"""A narrower network out of a trained one: the channels that carry most are kept, and training goes on from there.

Source: Li et al., "Pruning filters for efficient ConvNets", 2017; a channel's worth here is the size of what comes in
times the size of what goes out, so that neither a loud channel nobody listens to nor a silent one stays.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from visiongen.errors import WeightsError
from visiongen.flow import MAPS
from visiongen.models.vae_gan import VaeGan, VaeGanConfig

_CAN_NARROW = ("skips", "decoder")
_SWITCHES = ("geometric_prior", "residual_motion")


def narrowed(network: VaeGan, config: VaeGanConfig) -> VaeGan:
    """`network` with the narrower skip features and decoder of `config`, and its switches; everything else as it is.

    Raises:
        WeightsError: `config` is wider somewhere, or differs in more than `skips` and the decoder's last two widths.
    """
    old = network.config
    same = {name: getattr(old, name) for name in _SWITCHES}
    fixed = dataclasses.replace(config, skips=old.skips, decoder=(config.decoder[0], *old.decoder[1:]), **same)
    if fixed != old or any(
        n > o for name in _CAN_NARROW for n, o in zip(getattr(config, name), getattr(old, name), strict=True)
    ):
        raise WeightsError(
            f"{old} cannot be narrowed to {config}: only skips and the decoder's last two widths can become smaller"
        )
    state = {name: value.clone() for name, value in network.state_dict().items()}
    m64 = config.motion[0]
    (fine, middle), (_, d64, d128) = config.skips, config.decoder

    # Skip features, and where they enter the decoder: after what comes up from below.
    _keep(state, middle, [("to_middle", 1)], [("paint_middle.0", old.decoder[1])])
    _keep(state, fine, [("to_fine", 1)], [("paint_fine.0", old.decoder[2] + 3)])
    for block, up, nearer, width in (
        ("paint_middle", "paint_up64.0", "paint_up128.0", d64),
        ("paint_fine", "paint_up128.0", "paint_out.0", d128),
    ):
        _keep(state, width, [(up, 4)], [(f"{block}.0", 0)])  # what comes up, four subpixels a channel
        stream_in = [(f"{block}.0", 1), (f"{block}.1.second", 1)]
        _keep(state, width, stream_in, [(f"{block}.1.first", 0), (nearer, 0)])
        _keep(state, width, [(f"{block}.1.first", 1)], [(f"{block}.1.second", 0)])
    new = VaeGan(config)
    new.load_state_dict(state)
    assert state["paint_fine.0.weight"].shape[1] == d128 + fine + len(MAPS) + 3
    assert state["paint_middle.0.weight"].shape[1] == d64 + middle + m64
    return new


def _keep(state: dict[str, Tensor], width: int, makers: list[tuple[str, int]], users: list[tuple[str, int]]) -> None:
    """Leaves `width` channels of one feature.

    Args:
        makers: Convolutions that give it (all added), each with its outputs per channel.
        users: Convolutions that take it, each with the number of the input where it begins.
    """
    name, each = makers[0]
    count = state[f"{name}.weight"].shape[0] // each
    if width == count:
        return
    loud = sum(state[f"{n}.weight"].reshape(count, -1).norm(dim=1) for n, _ in makers)
    heard = sum(
        state[f"{n}.weight"][:, at : at + count].transpose(0, 1).reshape(count, -1).norm(dim=1) for n, at in users
    )
    best = (loud * heard).topk(width).indices.sort().values
    for n, per in makers:
        for part in ("weight", "bias"):
            value = state[f"{n}.{part}"]
            state[f"{n}.{part}"] = value.unflatten(0, (count, per))[best].flatten(0, 1).contiguous()
    for n, at in users:
        value = state[f"{n}.weight"]
        inputs = torch.cat([torch.arange(at), at + best, torch.arange(at + count, value.shape[1])])
        state[f"{n}.weight"] = value[:, inputs].contiguous()
