"""A narrower network from a trained one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from visiongen.errors import WeightsError
from visiongen.flow import CANDIDATES, GRID, MAPS, SOURCE_MAPS
from visiongen.models.narrowing import narrowed
from visiongen.models.vae_gan import SIZE, VaeGan, VaeGanConfig

WIDE = VaeGanConfig(latent=4, encoder=(4, 6, 8), skips=(6, 8), motion=(5, 6, 7, 8), decoder=(8, 8, 6))
NARROW = dataclasses.replace(WIDE, skips=(4, 6), motion=(3, 4, 5, 6), decoder=(6, 4, 2))


@pytest.fixture
def network() -> VaeGan:
    """With random values everywhere, also where a new network starts at zero."""
    torch.manual_seed(0)
    network = VaeGan(WIDE).eval().requires_grad_(False)
    for value in network.parameters():
        value.normal_(0, 0.05)
    return network


def painted(network: VaeGan) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = lambda *size: torch.rand(size, generator=generator)  # noqa: E731
    k, g = len(CANDIDATES), GRID
    portrait = {"picture": shape(1, 3, SIZE, SIZE), "background": shape(1, 3, SIZE, SIZE)}
    portrait |= {"source_maps": shape(1, len(SOURCE_MAPS), g, g), "matte": shape(1, 1, g, g)}
    frame = {
        "candidates": shape(1, k, g, g, 2),
        "prior": shape(1, k, g, g).softmax(1),
        "maps": shape(1, len(MAPS), g, g),
    }
    picture, *_ = network(portrait, frame, sample=False)
    return picture


def test_channels_nobody_listens_to_can_go_without_a_trace(network):
    state = network.state_dict()
    (w64, w32, w16, w8), (n64, n32, n16, n8) = WIDE.motion, NARROW.motion
    (deep, d64, d128), (thin, t64, t128) = WIDE.decoder, NARROW.decoder
    fine, middle = WIDE.skips
    for user, at, count, kept in (
        ("motion_down.0.0", 0, w64, n64),
        ("motion_up.2.0", w32, w64, n64),
        ("motion_down.0.2", 0, w32, n32),
        ("motion_down.1.0", 0, w32, n32),
        ("motion_up.1.0", w16, w32, n32),
        ("motion_down.1.2", 0, w16, n16),
        ("motion_deepest.0", 0, w16, n16),
        ("motion_up.0.0", w8, w16, n16),
        ("motion_deepest.2", 0, w8, n8),
        ("motion_up.0.0", 0, w8, n8),
        ("motion_up.1.0", 0, w16, n16),
        ("motion_up.2.0", 0, w32, n32),
        ("paint_in", WIDE.latent, w32, n32),
        ("motion_out", 0, w64, n64),
        ("paint_middle.0", d64 + middle, w64, n64),
        ("paint_middle.0", d64, middle, NARROW.skips[1]),
        ("paint_fine.0", d128 + 3, fine, NARROW.skips[0]),
        ("paint_deep.0.first", 0, deep, thin),
        ("paint_deep.0.second", 0, deep, thin),
        ("paint_up64.0", 0, deep, thin),
        ("paint_middle.0", 0, d64, t64),
        ("paint_fine.0", 0, d128, t128),
        ("paint_middle.1.first", 0, d64, t64),
        ("paint_up128.0", 0, d64, t64),
        ("paint_middle.1.second", 0, d64, t64),
        ("paint_fine.1.first", 0, d128, t128),
        ("paint_out", 0, d128, t128),
        ("paint_fine.1.second", 0, d128, t128),
    ):
        state[f"{user}.weight"][:, at + 1 : at + 1 + count - kept] = 0  # not the first ones: their places must be found
    before = painted(network)
    small = narrowed(network, NARROW)
    assert sum(p.numel() for p in small.parameters()) < 0.7 * sum(p.numel() for p in network.parameters())
    torch.testing.assert_close(painted(small.eval()), before, atol=1e-4, rtol=0)


def test_the_same_widths_change_nothing(network):
    same = narrowed(network, WIDE)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in same.state_dict().items())


@pytest.mark.parametrize("change", [{"skips": (6, 9)}, {"latent": 2}, {"motion": (5, 6, 7, 9)}, {"decoder": (8, 8, 7)}])
def test_what_cannot_be_narrowed_is_refused(network, change):
    with pytest.raises(WeightsError, match="cannot be narrowed"):
        narrowed(network, dataclasses.replace(WIDE, **change))
