"""The network computes what the authors' does: names, shapes and numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from visiongen_fomm import checkpoints, transfer
from visiongen_fomm.config import FommConfig
from visiongen_fomm.network import Fomm, Keypoints

DATA = Path(__file__).parent / "data"
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def vectors():
    with np.load(DATA / "tiny_vectors.npz") as data:
        return {name: torch.from_numpy(data[name]) for name in data.files}


def keypoints(vectors, name):
    return Keypoints(vectors[f"{name}.value"], vectors[f"{name}.jacobian"])


def assert_same(found, wanted):
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) <= TOLERANCE


def test_every_entry_of_vox_256_has_its_name_and_shape():
    listed = json.loads((DATA / "vox-256.state_dict.json").read_text())
    with torch.device("meta"):
        network = Fomm(FommConfig())
    for name, module in (("generator", network.generator), ("kp_detector", network.kp_detector)):
        shapes = {key: list(value.shape) for key, value in module.state_dict().items()}
        assert shapes == listed["state_dict"][name]
        assert sum(p.numel() for p in module.parameters()) == listed["parameters"][name]


def test_configuration_is_read_from_names_and_shapes():
    listed = json.loads((DATA / "vox-256.state_dict.json").read_text())["state_dict"]
    states = [
        {key: torch.empty(shape, device="meta") for key, shape in listed[name].items()}
        for name in ("generator", "kp_detector")
    ]
    # 512 is never reached with two levels, so the widest layer is all that can be known.
    assert checkpoints.config_of(*states) == FommConfig(max_features=256)


def test_tiny_checkpoint_has_the_configuration_it_was_made_with():
    config = checkpoints.load(DATA / "tiny-cpk.pth.tar").config
    made = json.loads((DATA / "tiny.config.json").read_text())
    generator = dict(made["generator_params"])
    dense = generator.pop("dense_motion_params")
    assert config.to_dict()["dense_motion"] == dense
    assert {name: getattr(config, name) for name in generator} == generator
    assert {name: getattr(config, name) for name in made["common_params"]} == made["common_params"]


@pytest.mark.parametrize("name", ["source", "driving", "driving_initial"])
def test_keypoints(vectors, name):
    network = checkpoints.load(DATA / "tiny-cpk.pth.tar")
    found = network.kp_detector(vectors[name])
    assert_same(found.value, vectors[f"kp_{name}.value"])
    assert_same(found.jacobian, vectors[f"kp_{name}.jacobian"])


def test_relative_motion(vectors):
    source, driving, initial = (keypoints(vectors, f"kp_{n}") for n in ("source", "driving", "driving_initial"))
    moved = transfer.relative(source, driving, initial)
    assert_same(moved.value, vectors["kp_relative.value"])
    assert_same(moved.jacobian, vectors["kp_relative.jacobian"])


def test_relative_motion_with_adapted_scale(vectors):
    source, driving, initial = (
        Keypoints(*(x[:1] for x in keypoints(vectors, f"kp_{n}"))) for n in ("source", "driving", "driving_initial")
    )
    scale = transfer.movement_scale(source.value[0], initial.value[0])
    moved = transfer.relative(source, driving, initial, movement_scale=scale)
    assert abs(scale - 1) > 0.01  # otherwise this would show nothing
    assert_same(moved.value, vectors["kp_relative_adapted_first.value"])
    assert_same(moved.jacobian, vectors["kp_relative_adapted_first.jacobian"])


@pytest.mark.parametrize("align_corners", [False, True])
def test_generator(vectors, align_corners):
    network = checkpoints.load(DATA / "tiny-cpk.pth.tar", align_corners=align_corners)
    # With the listed keypoints: recomputed ones differ by up to 1e-6, which the noise of this picture makes larger.
    code = network.generator.encode(vectors["source"], keypoints(vectors, "kp_source"))
    absolute = network.generator(code, keypoints(vectors, "kp_driving"))
    prefix = f"absolute.align_corners_{align_corners}"
    for name in ("mask", "sparse_deformed", "occlusion_map"):
        assert_same(getattr(absolute.motion, name), vectors[f"{prefix}.{name}"])
    assert_same(network.generator.warp(vectors["source"], absolute.motion.deformation), vectors[f"{prefix}.deformed"])
    assert_same(absolute.prediction, vectors[f"{prefix}.prediction"])
    relative = network.generator(code, keypoints(vectors, "kp_relative"))
    assert_same(relative.prediction, vectors[f"relative.align_corners_{align_corners}.prediction"])


def test_one_encoded_source_serves_a_batch(vectors):
    network = checkpoints.load(DATA / "tiny-cpk.pth.tar")
    driving = network.kp_detector(vectors["driving"])
    code = network.encode(vectors["source"][:1])
    together = network.generator(code.expand(2), driving).prediction
    for i in range(2):
        alone = network.generator(code, Keypoints(*(x[i : i + 1] for x in driving))).prediction
        assert_same(together[i : i + 1], alone)


def test_a_singular_jacobian_does_not_stop_anything(vectors):
    network = checkpoints.load(DATA / "tiny-cpk.pth.tar")
    driving = keypoints(vectors, "kp_driving")
    driving.jacobian[0, 0] = 0
    driving.jacobian[1, 1] = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    frame = network.generator(network.encode(vectors["source"]), driving).prediction
    assert bool(torch.isfinite(frame).all())
