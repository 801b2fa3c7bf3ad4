"""Eyes drawn by chance, and the training on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visiongen.models.eye_net import eyes_and_irises
from visiongen.samples import sample
from visiongen.training.chance_eyes import SIDE, DrawnEye
from visiongen.training.eye_net import drawn_eyes, real_eyes, train


def test_the_same_chance_draws_the_same_eye():
    first, again, other = (DrawnEye(None, None, np.random.default_rng(seed)).draw() for seed in (5, 5, 6))
    assert all((a == b).all() for a, b in zip(first, again)) and (first[0] != other[0]).any()


@pytest.mark.parametrize("seed", range(25))
def test_an_iris_is_within_its_opening(seed):
    picture, opening, iris = DrawnEye(None, None, np.random.default_rng(seed)).draw()
    assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8
    assert 0 <= opening.min() and opening.max() <= 1 and (iris <= opening + 1e-6).all()


def test_eyes_of_pictures_are_drawn_over():
    """Right ones and mirrored left ones; a picture without a face gives none."""
    real = real_eyes([sample("astronaut.jpg"), sample("driving.mp4")])
    assert len(real.patch) == 2
    assert (real.opening > 127).sum((1, 2)).min() > 100 and (real.iris <= real.opening).all()
    assert (np.ptp(real.ring, axis=1)[:, 0] > np.ptp(real.ring, axis=1)[:, 1]).all()  # wider than high
    drawn = drawn_eyes(40, real, seed=1)
    seen = (drawn.opening > 127).sum((1, 2))
    assert (seen > 50).mean() > 0.6 and (seen == 0).any()  # some are hidden by glasses and hair


def test_the_shipped_network_finds_eyes_it_never_saw():
    real = real_eyes([sample("astronaut.jpg")])
    drawn = drawn_eyes(80, real, seed=99)
    edge = (SIDE - 88) // 2
    middle = np.s_[:, edge : edge + 88, edge : edge + 88]  # 0.62 of 0.9 face widths
    patches = torch.nn.functional.interpolate(
        torch.from_numpy(drawn.patch[middle]).permute(0, 3, 1, 2).float(), size=64, mode="bilinear", antialias=True
    )
    seen = eyes_and_irises(patches.permute(0, 2, 3, 1).byte().numpy())[:, 0] > 0.5
    wanted = (
        torch.nn.functional.interpolate(torch.from_numpy(drawn.opening[middle])[:, None].float(), size=64)[:, 0] > 127
    )
    wanted = wanted.numpy()
    large = wanted.sum((1, 2)) > 60
    both, either = (seen & wanted).sum((1, 2)), (seen | wanted).sum((1, 2))
    assert np.median(both[large] / either[large]) > 0.8


@pytest.mark.slow
def test_some_steps_teach_a_network_something():
    real = real_eyes([sample("astronaut.jpg"), sample("painting.png")])
    net = train(drawn_eyes(64, real), real, steps=40)
    assert not net.training and sum(p.numel() for p in net.parameters()) < 250_000
    with torch.inference_mode():
        bright = net(torch.zeros(1, 3, 64, 64))
    assert bright.shape == (1, 2, 64, 64) and torch.isfinite(bright).all()
