"""VGG19 as a perceptual loss, with weights of our own: those of torchvision do not ship."""

from __future__ import annotations

import pytest
import torch

from visiongen.errors import WeightsError
from visiongen.models.vgg_features import VggFeatures

# Where torchvision's vgg19 has its convolutions, and how wide they are (its documentation, configuration E).
CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
                16: (256, 256), 19: (256, 512), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512)}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    state = {"classifier.0.bias": torch.zeros(2)}
    for number, (inputs, outputs) in CONVOLUTIONS.items():
        state[f"features.{number}.weight"] = torch.randn(outputs, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
        state[f"features.{number}.bias"] = torch.zeros(outputs)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(state, path)
    return path


@pytest.mark.slow  # the widths are those of the literature: hundreds of MB
def test_depths_are_those_of_the_literature_and_distances_tell(weights):
    vgg = VggFeatures(weights)
    real = torch.rand(1, 3, 64, 64) * 2 - 1
    assert [tuple(x.shape[1:]) for x in vgg(real)] == [
        (64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4)
    ]  # fmt: skip
    near, far = (real + size * torch.randn_like(real) for size in (0.02, 0.3))
    assert vgg.distance(real, real) == 0 < vgg.distance(near, real) < vgg.distance(far, real)
    guess = far.clone().requires_grad_()
    vgg.distance(guess, real).backward()
    assert guess.grad.abs().max() > 0 and not any(p.requires_grad for p in vgg.parameters())


def test_files_that_are_something_else_are_named(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    del state["features.28.weight"]
    torch.save(state, tmp_path / "part.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name in ("part.pth", "text.pth", "none.pth"):
        with pytest.raises(WeightsError, match=rf"{name}: no weights of torchvision's VGG19 .*; give vgg19"):
            VggFeatures(tmp_path / name)
