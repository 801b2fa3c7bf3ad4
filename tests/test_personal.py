"""Personalisation: what is prepared from pictures and clips, and weights that come out of a short run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import moving_head, write_clip
from PIL import Image

from visiongen.errors import NoFaceError, VisionGenError
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE
from visiongen.personal import PersonalConfig, personalise, prepare_person
from visiongen.samples import sample
from visiongen.training.data import PairDataset


def test_a_clip_is_cropped_alike_in_all_frames_and_landmarks_stay_on_the_face(tmp_path):
    clip = write_clip(tmp_path / "head.mp4", moving_head(6))
    assert prepare_person([clip], tmp_path / "out")
    frames, landmarks = (np.load(tmp_path / "out" / "clip0" / f"{name}.npy") for name in ("frames", "landmarks"))
    assert frames.shape == (6, SIZE, SIZE, 3) and landmarks.shape == (6, 478, 3)
    assert (landmarks[..., :2] > 0).all() and (landmarks[..., :2] < SIZE).all()
    # The head of this clip moves: in one fixed crop its landmarks do, too.
    assert np.ptp(landmarks[:, 1, 0]) > 1
    assert len(PairDataset(tmp_path / "out").clips) == 1


@pytest.mark.slow
def test_a_single_picture_is_learnt_from_with_the_sample_clips_motion(tmp_path):
    out = tmp_path / "anna.safetensors"
    assert personalise(PersonalConfig(sources=(sample("painting.png"),), out=out, images=8)) == out
    network, shipped = weights.load(out), weights.load(weights.shipped())
    changes = [(a - b).abs().max() for a, b in zip(network.parameters(), shipped.parameters(), strict=True)]
    assert 1e-5 < float(max(changes)) < 0.1, "a little learnt, nothing lost"
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["personal"]["sources"] == 1 and card["images_seen"] == 8
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]
    with pytest.raises(VisionGenError, match="--overwrite"):
        personalise(PersonalConfig(sources=(sample("painting.png"),), out=out))


def test_several_pictures_can_be_paired(tmp_path):
    pictures = [sample("statue.png"), sample("statue_turned.png")]
    assert prepare_person(pictures, tmp_path / "out")
    assert not prepare_person(pictures[:1], tmp_path / "one")


def test_wrong_input_is_told(tmp_path):
    wall = tmp_path / "wall.png"
    Image.new("RGB", (200, 200), "grey").save(wall)
    with pytest.raises(VisionGenError, match="safetensors"):
        personalise(PersonalConfig(sources=(sample("painting.png"),), out=tmp_path / "anna.pth"))
    with pytest.raises(VisionGenError, match="at least one"):
        personalise(PersonalConfig(sources=(), out=tmp_path / "a.safetensors"))
    with pytest.raises(NoFaceError):
        personalise(PersonalConfig(sources=(wall,), out=tmp_path / "a.safetensors"))
    assert not list(tmp_path.glob("*.safetensors"))
