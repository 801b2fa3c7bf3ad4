"""Training: pairs are what they say, losses vanish where they must, a run learns, stops and goes on."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from visiongen_fomm import checkpoints, losses, train
from visiongen_fomm.blocks import coordinates
from visiongen_fomm.deform import RandomDeformation
from visiongen_fomm.network import Keypoints
from visiongen_fomm.pairs import GUIDES, PairDataset, attention, to_keypoints

from visiongen import MediaError, WeightsError
from visiongen.samples import DRIVING, sample
from visiongen.training.data import prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A clip and a still, prepared as for the VAE-GAN."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("media", "prepared"))
    shutil.copy(sample(DRIVING), source / "clip.mp4")
    shutil.copy(sample("painting.png"), source / "still.png")
    assert prepare(source, target, every=50) == 2
    return target


@pytest.fixture
def small(prepared, tmp_path):
    """Settings that take seconds."""
    return train.TrainConfig(
        data=prepared, out=tmp_path / "run", images=12, size=64, batch=2, workers=0, block_expansion=4, motion_blocks=3,
        motion_expansion=4, motion_features=16, num_bottleneck_blocks=1, num_kp=12, threads=1, learning_rate=2e-3,
    )  # fmt: skip


@pytest.mark.parametrize("still_share", [0.0, 1.0])
def test_guides_lie_on_the_face(prepared, still_share):
    dataset = PairDataset(prepared, size=128, still_share=still_share)
    sample_ = dataset.sample(np.random.default_rng(0))
    assert sample_["source"].shape == sample_["driving"].shape == (3, 128, 128)
    assert sample_["source"].dtype == torch.uint8
    for name in ("source_guides", "driving_guides"):
        points = sample_[name]
        assert points.shape == (len(GUIDES), 2)
        nose, forehead, chin, left, right = points[:5]
        assert forehead[1] < nose[1] < chin[1]
        assert left[0] < right[0] and left[0] < nose[0] < right[0]
    assert float((sample_["source"].float() - sample_["driving"].float()).abs().mean()) > 1  # they are two pictures


def test_keypoints_of_pixel_centres():
    corners = (np.array([[0, 0], [63, 63]]) + 0.5) / 64
    np.testing.assert_allclose(to_keypoints(corners, 64), [[-1, -1], [1, 1]], atol=1e-6)


def test_attention_is_highest_at_eyes_and_mouth(prepared):
    points = np.load(next(prepared.rglob("landmarks.npy")))[0] / 256
    weight = attention(points, 64)
    at = lambda i: weight[tuple((points[i, 1::-1] * 64).astype(int))]  # noqa: E731
    assert min(at(159), at(386), at(13)) > 2 * weight[0, 0]
    assert 0.6 < weight.mean() < 1.6


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(MediaError, match="visiongen prepare"):
        PairDataset(tmp_path, size=64, still_share=0.3)


def test_deformation_and_its_jacobian_agree():
    torch.manual_seed(0)
    deformation = RandomDeformation(2, torch.zeros(1), affine=0.1, spline=0.02)
    places = torch.rand(2, 5, 2) * 1.6 - 0.8
    jacobian = deformation.jacobian(places)
    step = 1e-3
    for axis in range(2):
        move = torch.zeros(2)
        move[axis] = step
        numeric = (deformation(places + move) - deformation(places - move)) / (2 * step)
        assert float((jacobian[..., axis] - numeric).abs().max()) < 5e-3


def test_no_deformation_leaves_pictures_alone():
    picture = torch.rand(1, 3, 16, 16)
    still = RandomDeformation(1, picture, affine=0, spline=0)
    assert float((still.picture(picture) - picture).abs().max()) < 1e-4
    grid = coordinates(4, 4, picture).view(1, -1, 2)
    assert float((still.jacobian(grid) - torch.eye(2)).abs().max()) < 1e-5


def test_keypoints_that_follow_cost_nothing():
    torch.manual_seed(1)
    deformation = RandomDeformation(1, torch.zeros(1))
    value, jacobian = torch.rand(1, 4, 2) - 0.5, torch.eye(2).expand(1, 4, 2, 2) + 0.1 * torch.randn(1, 4, 2, 2)
    seen = Keypoints(value, jacobian)
    found = Keypoints(deformation(value), deformation.jacobian(value) @ jacobian)
    assert all(float(x) < 1e-5 for x in losses.equivariance(found, seen, deformation))
    away = losses.equivariance(Keypoints(found.value + 0.1, 2 * found.jacobian), seen, deformation)
    assert float(away[0]) == pytest.approx(0.1, abs=1e-4) and float(away[1]) > 0.2


def test_the_pyramid_prefers_sharp_to_blurred():
    torch.manual_seed(2)
    real, weight = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 16, 16)
    blurred = torch.nn.functional.avg_pool2d(real, 3, 1, 1)
    assert float(losses.pyramid(real, real, weight)) == 0
    assert float(losses.pyramid(blurred, real, weight)) > float(losses.pyramid(0.95 * real, real, weight)) > 0


def test_a_run_learns_goes_on_and_its_weights_load(small):
    path = train.train(small)
    first = checkpoints.read_card(path)
    assert first["run"]["images"] == 12
    assert first["config"]["num_kp"] == 12
    begun = train.new_network(small).state_dict()
    ended = checkpoints.load(path).state_dict()
    moved = [name for name in begun if "conv" in name and not torch.allclose(begun[name], ended[name], atol=1e-4)]
    assert any("kp_detector" in name for name in moved) and any("generator.first" in name for name in moved)
    again = train.train(dataclasses.replace(small, images=16))
    assert checkpoints.read_card(again)["run"]["step"] == first["run"]["step"] + 2
    with pytest.raises(WeightsError, match="cannot be resumed"):
        train.train(dataclasses.replace(small, block_expansion=8, images=20))


def test_a_longer_run_fits_better(small):
    """Reconstruction of the training clip itself."""
    config = dataclasses.replace(small, images=104, still_share=0.0)
    dataset = PairDataset(config.data, size=64, still_share=0.0)
    samples = torch.utils.data.default_collate([dataset.sample(np.random.default_rng(i)) for i in range(6)])

    def error(network):
        source, driving = (samples[name].float() / 255 for name in ("source", "driving"))
        with torch.inference_mode():
            result = network.generator(network.encode(source), network.kp_detector(driving)).prediction
        return float((result - driving).abs().mean())

    torch.manual_seed(config.seed)
    assert error(checkpoints.load(train.train(config))) < 0.8 * error(train.new_network(config).eval())
    entries = [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]
    assert {"images", "pyramid", "guidance", "equivariance_value"} <= entries[-1].keys()


def test_growing_keeps_what_finds_the_motion(small):
    initial = train.train(dataclasses.replace(small, images=2))
    config = dataclasses.replace(
        small, initial=initial, size=128, motion_rate=0.0, images=2, adversarial=0.1, out=small.out / "grown"
    )
    grown, trained = checkpoints.load(train.train(config)), checkpoints.load(initial)
    assert grown.config.size == 128
    assert grown.config.dense_motion.scale_factor == trained.config.dense_motion.scale_factor / 2
    for name, value in trained.kp_detector.state_dict().items():
        if not name.endswith(("down.weight", "num_batches_tracked")):
            assert torch.equal(grown.kp_detector.state_dict()[name], value), name
    picture = torch.rand(1, 3, 8, 8).repeat_interleave(16, 2).repeat_interleave(16, 3)
    half = torch.nn.functional.avg_pool2d(picture, 2)
    assert float((grown.kp_detector(picture).value - trained.kp_detector(half).value).abs().max()) < 0.15


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert train.main([str(tmp_path), str(tmp_path / "run")]) == 1
    assert "no prepared clips" in capsys.readouterr().err
