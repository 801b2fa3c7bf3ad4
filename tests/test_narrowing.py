"""A narrower network from a trained one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from visiongen.errors import WeightsError
from visiongen.flow import CANDIDATES, GRID, MAPS, SOURCE_MAPS
from visiongen.models.narrowing import narrowed
from visiongen.models.vae_gan import SIZE, VaeGan, VaeGanConfig

WIDE = VaeGanConfig(latent=4, encoder=(4, 6, 8), skips=(6, 8), motion=(4, 4, 8, 8), decoder=(8, 8, 6))
NARROW = dataclasses.replace(WIDE, skips=(4, 6), decoder=(8, 4, 2))


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
    old = WIDE.decoder
    for user, at, count, kept in (
        ("paint_middle.0", old[1], WIDE.skips[1], NARROW.skips[1]),
        ("paint_fine.0", old[2] + 3, WIDE.skips[0], NARROW.skips[0]),
        ("paint_middle.0", 0, old[1], NARROW.decoder[1]),
        ("paint_fine.0", 0, old[2], NARROW.decoder[2]),
        ("paint_middle.1.first", 0, old[1], NARROW.decoder[1]),
        ("paint_up128.0", 0, old[1], NARROW.decoder[1]),
        ("paint_middle.1.second", 0, old[1], NARROW.decoder[1]),
        ("paint_fine.1.first", 0, old[2], NARROW.decoder[2]),
        ("paint_out.0", 0, old[2], NARROW.decoder[2]),
        ("paint_fine.1.second", 0, old[2], NARROW.decoder[2]),
    ):
        state[f"{user}.weight"][:, at + 1 : at + 1 + count - kept] = 0  # not the first ones: their places must be found
    before = painted(network)
    small = narrowed(network, NARROW)
    assert sum(p.numel() for p in small.parameters()) < 0.85 * sum(p.numel() for p in network.parameters())
    torch.testing.assert_close(painted(small.eval()), before, atol=1e-5, rtol=0)


def test_the_same_widths_change_nothing(network):
    same = narrowed(network, WIDE)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in same.state_dict().items())


@pytest.mark.parametrize("change", [{"skips": (6, 9)}, {"latent": 2}, {"decoder": (4, 8, 6)}, {"decoder": (8, 8, 7)}])
def test_what_cannot_be_narrowed_is_refused(network, change):
    with pytest.raises(WeightsError, match="cannot be narrowed"):
        narrowed(network, dataclasses.replace(WIDE, **change))
