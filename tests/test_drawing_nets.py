"""Eyes and faces drawn by chance, and the training on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visiongen.models.drawing_nets import UNet, eyes_and_irises
from visiongen.samples import sample
from visiongen.training.chance_eyes import SIDE, DrawnEye
from visiongen.training.chance_faces import DrawnFace
from visiongen.training.eye_net import VIEW, drawn_eyes, real_eyes
from visiongen.training.face_net import CONFIG, drawn_faces, real_faces
from visiongen.training.face_net import VIEW as WHOLE
from visiongen.training.segments import batch, train


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
    opening, iris = np.moveaxis(real.layers, -1, 0)
    assert (opening > 127).sum((1, 2)).min() > 100 and (iris <= opening).all()
    assert (np.ptp(real.ring, axis=1)[:, 0] > np.ptp(real.ring, axis=1)[:, 1]).all()  # wider than high
    drawn = drawn_eyes(40, real, seed=1)
    seen = (drawn.layers[..., 0] > 127).sum((1, 2))
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
        torch.nn.functional.interpolate(torch.from_numpy(drawn.layers[middle][..., 0])[:, None].float(), size=64)[:, 0]
        > 127
    )
    wanted = wanted.numpy()
    large = wanted.sum((1, 2)) > 60
    both, either = (seen & wanted).sum((1, 2)), (seen | wanted).sum((1, 2))
    assert np.median(both[large] / either[large]) > 0.8


@pytest.mark.parametrize("seed", range(25))
def test_a_drawn_face_says_what_it_shows(seed):
    """A mouth is on a face, its opening within it, and hair before a face hides nothing of where that is."""
    picture, shares = DrawnFace(None, np.random.default_rng(seed)).draw()
    assert picture.dtype == np.uint8 and all(share.shape == picture.shape[:2] for share in shares)
    assert all(0 <= share.min() and share.max() <= 1 for share in shares)
    assert shares.face.mean() > 0.05 and (shares.opening <= shares.mouth + 1e-6).all()
    assert (shares.mouth * shares.face).sum() >= 0.8 * shares.mouth.sum()


def test_what_is_not_known_of_photographs_teaches_nothing():
    """Nobody told where hair is there."""
    real = real_faces([sample("astronaut.jpg"), sample("driving.mp4")])
    assert len(real.patch) == 1 and real.unknown == (3,)
    face, mouth, opening, _ = (real.layers[0] > 127).transpose(2, 0, 1)
    assert face.sum() > mouth.sum() > opening.sum() > 0 and face[mouth].all() and mouth[opening].mean() > 0.7
    pictures, wanted, known = batch(drawn_faces(4, real.patch), real, WHOLE, torch.Generator().manual_seed(0))
    assert pictures.shape[1:] == (3, WHOLE.side, WHOLE.side) and wanted.shape[1:] == (4, WHOLE.side, WHOLE.side)
    drawn = known.bool().all(1)
    assert drawn.any() and (known[~drawn] == torch.tensor([1.0, 1.0, 1.0, 0.0])).all()


@pytest.mark.slow
def test_some_steps_teach_a_network_something():
    real = real_eyes([sample("astronaut.jpg"), sample("painting.png")])
    net = train(UNet(), drawn_eyes(64, real), real, view=VIEW, steps=40)
    assert not net.training and sum(p.numel() for p in net.parameters()) < 250_000
    with torch.inference_mode():
        bright = net(torch.zeros(1, 3, 64, 64))
    assert bright.shape == (1, 2, 64, 64) and torch.isfinite(bright).all()


@pytest.mark.slow
def test_some_steps_teach_a_network_faces():
    real = real_faces([sample("astronaut.jpg"), sample("painting.png")])
    net = train(UNet(CONFIG), drawn_faces(64, real.patch), real, view=WHOLE, steps=6)
    with torch.inference_mode():
        assert torch.isfinite(net(torch.zeros(1, 3, WHOLE.side, WHOLE.side))).all()
