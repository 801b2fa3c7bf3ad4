"""The network, its losses and its checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import astronaut, face, moving_head, placed, rotation
from skimage.metrics import structural_similarity

from visiongen import flow, warping
from visiongen.errors import WeightsError
from visiongen.models import losses, vae_gan, weights
from visiongen.models.vae_gan import SIZE, DiscriminatorConfig, PatchDiscriminator, Upsampling, VaeGan, VaeGanConfig

SMALL = VaeGanConfig(latent=8, encoder=(4, 6, 8), skips=(4, 4), motion=(4, 4, 6, 6), decoder=(8, 6, 4))
G, K = flow.GRID, len(flow.CANDIDATES)


def picture(image: np.ndarray) -> torch.Tensor:
    """(1, 3, S, S) in [-1, 1]."""
    return torch.from_numpy(image.transpose(2, 0, 1)[None].copy()).float() / 127.5 - 1


@pytest.fixture(scope="module")
def inputs() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The photograph as portrait, and three poses to move it to."""
    own = placed(face(), centre=(128, 120)) / 256
    poses = [(0, 0, 0), (12, 0, 0), (0, 10, 5)]
    targets = np.stack([placed(face(jaw=0.03 * i), turn=rotation(*p), centre=(128, 120)) for i, p in enumerate(poses)])
    dense = flow.MotionField(own).towards(targets / 256)
    one = {
        "picture": picture(astronaut()),
        "background": picture(np.full((SIZE, SIZE, 3), 128, np.uint8)),
        "source_maps": torch.from_numpy(flow.drawn_maps(own))[None],
        "matte": torch.ones(1, 1, G, G),
    }
    portrait = {name: x.expand(3, -1, -1, -1) for name, x in one.items()}
    frame = {
        name: torch.from_numpy(np.stack([getattr(d, name) for d in dense])) for name in ("candidates", "prior", "maps")
    }
    return portrait, frame


@pytest.fixture(scope="module")
def network() -> VaeGan:
    torch.manual_seed(0)
    return VaeGan(VaeGanConfig()).eval()


@pytest.fixture(scope="module")
def result(network, inputs):
    with torch.no_grad():
        return network(*inputs, sample=False)


# --- network ----------------------------------------------------------------------------------------------------------


def test_shapes_are_those_of_the_comments(result, network):
    generated, moved, code, motion, painting = result
    config = network.config
    assert generated.shape == moved.shape == (3, 3, SIZE, SIZE)
    assert painting.colour.shape == painting.shading.shape == painting.blend.shape == (3, 3, G, G)
    assert code.mean.shape == code.log_variance.shape == (3, config.latent, 32, 32)
    assert code.near.shape == (3, 3 + config.skips[0], 128, 128) and code.middle.shape == (3, config.skips[1], 64, 64)
    assert code.small.shape == (3, 4, 64, 64)
    assert motion.flow.shape == (3, G, G, 2) and motion.weights.shape == (3, K, G, G)
    assert motion.residual.shape == (3, 2, 64, 64) and motion.occlusion.shape == (3, 1, 64, 64)
    assert motion.coarse.shape == (3, config.motion[0], 64, 64) and motion.deep.shape == (3, config.motion[1], 32, 32)


def test_weights_sum_to_one(result):
    *_, motion, painting = result
    for parts in (motion.weights, painting.blend):
        torch.testing.assert_close(parts.sum(1), torch.ones_like(parts[:, 0]), atol=1e-5, rtol=0)
        assert parts.min() >= 0


def test_at_the_beginning_it_is_the_geometric_prior(result, inputs):
    generated, moved, _, motion, painting = result
    portrait, frame = inputs
    floor = vae_gan.PREFERENCE_FLOOR
    prior = (frame["prior"] + floor) / (1 + K * floor)
    torch.testing.assert_close(motion.weights, prior, atol=1e-5, rtol=0)
    assert motion.residual.abs().max() == 0 and painting.shading.abs().max() == 0
    assert painting.blend[:, 0].min() > 0.8  # the moved portrait shows
    prior_flow = (frame["prior"][..., None] * frame["candidates"]).sum(1)
    warped = vae_gan.warp(portrait["picture"], vae_gan.enlarge_flow(prior_flow), mode="bicubic")
    assert (moved - warped).abs().mean() < 0.01
    assert (generated - warped).abs().mean() < 0.08


def test_composition_is_the_blend_of_its_parts(result, inputs):
    generated, moved, _, _, painting = result
    own, new, still = painting.blend.split(1, 1)
    light = vae_gan.enlarge(own * painting.shading + new * painting.colour)
    expected = vae_gan.enlarge(own) * moved + light + vae_gan.enlarge(still) * inputs[0]["background"]
    torch.testing.assert_close(generated, expected)


def test_a_share_of_the_painting_leaves_the_rest_to_the_moved_portrait(result):
    *_, painting = result
    own, new, still = painting.blend.split(1, 1)
    for share in (0.0, 0.3, 1.0):
        light, shown, behind = vae_gan.layers(painting, share).split([3, 1, 1], 1)
        torch.testing.assert_close(shown, own + (1 - share) * new)
        torch.testing.assert_close(behind, still)
        torch.testing.assert_close(light, share * (shown * painting.shading + new * painting.colour))


def test_frames_of_a_batch_do_not_mix(network, inputs, result):
    portrait, frame = ({name: x[1:2] for name, x in part.items()} for part in inputs)
    with torch.no_grad():
        alone = network(portrait, frame, sample=False)[0]
    torch.testing.assert_close(alone, result[0][1:2], atol=1e-4, rtol=0)


def test_only_training_draws_the_latent(network, inputs):
    portrait, frame = ({name: x[:1] for name, x in part.items()} for part in inputs)
    with torch.no_grad():
        means = [network(portrait, frame, sample=False)[0] for _ in range(2)]
        samples = [network(portrait, frame, sample=True)[0] for _ in range(2)]
    assert torch.equal(*means) and not torch.equal(*samples)


def test_every_weight_can_learn(inputs):
    """After a step, so that no layer that begins with zeros hides the ones before it."""
    torch.manual_seed(0)
    small = VaeGan(SMALL)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    portrait, frame = ({name: x[1:] for name, x in part.items()} for part in inputs)
    generated, moved, code, motion, painting = small(portrait, frame)
    target = portrait["picture"].flip(3)
    loss = (generated - target).abs().mean() + (moved - target).abs().mean() + losses.kl(code)
    (loss + losses.smoothness(motion) + (vae_gan.enlarge(painting.colour) - target).abs().mean()).backward()
    without = [name for name, p in small.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert not without


@pytest.mark.parametrize("switch", ["residual_motion", "geometric_prior"])
def test_the_ablations_switch_their_part_off(inputs, switch):
    torch.manual_seed(0)
    small = VaeGan(dataclasses.replace(SMALL, **{switch: False}))
    with torch.no_grad():
        small.motion_out.weight.normal_()
        motion = small(*inputs)[3]
    if switch == "residual_motion":
        assert motion.residual.abs().max() == 0
    else:
        small.motion_out.weight.data.zero_()
        torch.testing.assert_close(small(*inputs)[3].weights, torch.full((3, K, G, G), 1 / K))


# --- flow in the network ----------------------------------------------------------------------------------------------


def centres(size: int) -> torch.Tensor:
    return torch.from_numpy(flow.pixel_centres(size).copy())[None]


def test_positions_survive_shrinking_and_enlarging():
    torch.testing.assert_close(vae_gan.shrink_flow(centres(128)), centres(64))
    torch.testing.assert_close(vae_gan.enlarge_flow(centres(128)), centres(256))
    torch.testing.assert_close(vae_gan.centres(16, torch.zeros(1)), centres(16)[0])


def test_where_nothing_changes_upsampling_draws_no_grid():
    """Whatever its weights; beside the border, where there is nothing."""
    torch.manual_seed(0)
    with torch.no_grad():
        larger = Upsampling(6, 4)(torch.randn(2, 6, 1, 1).expand(-1, -1, 8, 8))
    assert larger.shape == (2, 4, 16, 16)
    inside = larger[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside, inside[..., :1, :1].expand_as(inside))
    assert larger.std(1).min() > 0.01


def test_no_motion_is_no_change():
    x = torch.rand(1, 5, 64, 64)
    torch.testing.assert_close(vae_gan.warp(x, centres(64)), x, atol=1e-5, rtol=0)


def test_both_warps_agree(inputs):
    """What the network learns with is what the generator draws with, but for what lies beyond the border."""
    import cv2

    motion = inputs[1]["candidates"][1, 0]
    ours = warping.warp(astronaut().astype(np.float32), motion.numpy(), interpolation=cv2.INTER_LINEAR)
    theirs = vae_gan.warp(picture(astronaut()), vae_gan.enlarge_flow(motion[None]))[0].permute(1, 2, 0)
    full = vae_gan.enlarge_flow(motion[None])[0].numpy()
    inside = ((full > 0.01) & (full < 0.99)).all(-1)
    assert inside.mean() > 0.5
    difference = np.abs(ours - (theirs.numpy() + 1) * 127.5)[inside]
    assert difference.mean() < 0.5 and np.quantile(difference, 0.99) < 4  # remap counts in 1/32 px


# --- discriminator and losses -----------------------------------------------------------------------------------------


def test_the_discriminator_judges_patches_at_two_scales():
    torch.manual_seed(0)
    results = PatchDiscriminator()(torch.rand(2, 3, 128, 128))
    assert len(results) == 2
    for scale, features in enumerate(results):
        assert [x.shape[1] for x in features] == [32, 64, 128, 1]
        assert features[-1].shape == (2, 1, 16 >> scale, 16 >> scale)


def test_structure_is_wangs_ssim_of_the_luminance():
    a, b = moving_head(12)[[0, 6]]
    luma = [image @ np.array([0.299, 0.587, 0.114]) / 255 for image in (a, b)]
    expected = structural_similarity(*luma, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert 0.3 < expected < 0.98
    assert 1 - float(losses.structure(picture(a), picture(b))) == pytest.approx(expected, abs=1e-4)


def test_equal_pictures_cost_nothing():
    x, weight = picture(astronaut()), torch.ones(1, 1, SIZE, SIZE)
    assert losses.reconstruction(x, x, weight) == 0 and losses.detail(x, x, weight) == 0
    assert float(losses.structure(x, x)) == pytest.approx(0, abs=1e-5)
    features = PatchDiscriminator()(x)
    assert losses.feature_matching(features, features) == 0


def test_losses_do_not_depend_on_the_size_of_the_batch():
    a, b = picture(astronaut()), picture(np.ascontiguousarray(astronaut()[:, ::-1]))
    weight = torch.rand(1, 1, SIZE, SIZE)
    for loss in (losses.reconstruction, losses.detail):
        torch.testing.assert_close(loss(a, b, weight), loss(*(x.repeat(3, 1, 1, 1) for x in (a, b, weight))))
    torch.testing.assert_close(losses.structure(a, b), losses.structure(a.repeat(3, 1, 1, 1), b.repeat(3, 1, 1, 1)))


def test_what_counts_more_costs_more():
    a, b = picture(astronaut()), picture(np.zeros((SIZE, SIZE, 3), np.uint8))
    weight = torch.ones(1, 1, SIZE, SIZE)
    for loss in (losses.reconstruction, losses.detail):
        torch.testing.assert_close(loss(a, b, 2 * weight), 2 * loss(a, b, weight))


def test_blur_costs_detail_and_a_brighter_picture_does_not():
    import cv2

    sharp, weight = picture(astronaut()), torch.ones(1, 1, SIZE, SIZE)
    blurred = picture(cv2.GaussianBlur(astronaut(), (0, 0), 3))
    assert losses.detail(blurred, sharp, weight) > 0.02
    assert losses.detail(sharp + 0.2, sharp, weight) < 1e-6


def test_only_errors_that_change_from_frame_to_frame_flicker():
    torch.manual_seed(0)
    real, weight = torch.rand(4, 3, 16, 16), torch.ones(4, 1, 16, 16)
    follows = torch.tensor([0.0, 1.0, 0.0, 1.0])
    steady = real + torch.rand(1, 3, 16, 16)
    assert losses.temporal(steady, real, weight, follows) < 1e-6
    other = real.clone()
    other[2:] += 0.5  # another clip, with another steady error
    assert losses.temporal(other, real, weight, follows) < 1e-6
    other[3] += 0.2
    assert losses.temporal(other, real, weight, follows) == pytest.approx(0.1)  # in one of two pairs
    assert losses.temporal(other, real, weight, torch.zeros(4)) == 0


def test_kl_is_zero_for_a_standard_normal_and_positive_elsewhere():
    zero = torch.zeros(1, 2, 4, 4)

    def code(mean: torch.Tensor, log_variance: torch.Tensor) -> vae_gan.PortraitCode:
        return vae_gan.PortraitCode(mean, log_variance, zero, zero, zero)

    assert losses.kl(code(zero, zero)) == 0
    assert float(losses.kl(code(zero + 2, zero))) == pytest.approx(2)
    assert losses.kl(code(zero, zero - 3)) > 0 and losses.kl(code(zero, zero + 3)) > 0


def test_smoothness_is_zero_for_the_prior_alone(inputs, network):
    portrait, frame = inputs
    with torch.no_grad():
        motion = network.move(network.encode(**{k: portrait[k] for k in ("picture", "source_maps", "matte")}), **frame)
    assert 0 < losses.smoothness(motion) < 0.02
    rough = motion._replace(residual=torch.rand_like(motion.residual))
    assert losses.smoothness(rough) > 1


def test_the_penalty_is_the_squared_slope_of_the_judgement():
    class Linear(torch.nn.Module):
        def forward(self, picture):
            return [[3 * picture.mean(1, keepdim=True)]]

    real = torch.rand(2, 3, 8, 8)
    # 3 / (3 * 64) a pixel and channel, squared, over 3 * 64 of them
    assert losses.r1(Linear(), real) == pytest.approx(192 * (3 / 192) ** 2)
    discriminator = PatchDiscriminator(DiscriminatorConfig(widths=(4, 8, 8), scales=1))
    losses.r1(discriminator, torch.rand(1, 3, 32, 32)).backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in discriminator.parameters())


def test_the_adversarial_losses_pull_in_opposite_directions():
    good, bad = [[torch.full((1, 1, 4, 4), 2.0)]], [[torch.full((1, 1, 4, 4), -2.0)]]
    assert losses.discriminator_hinge(good, bad) == 0 and losses.discriminator_hinge(bad, good) == 6
    assert losses.adversarial(good) < losses.adversarial(bad)


# --- checkpoints ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    weights.save(VaeGan(SMALL), path, {"images_seen": 7})
    return path


@pytest.fixture
def copied(checkpoint, tmp_path) -> Path:
    """A pair to damage."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(checkpoint.with_suffix(suffix), tmp_path / f"a{suffix}")
    return tmp_path / "a.safetensors"


def with_card(path: Path, **values) -> Path:
    card = path.with_suffix(".json")
    card.write_text(json.dumps(json.loads(card.read_text()) | values))
    return path


def test_a_checkpoint_rebuilds_its_network(checkpoint):
    torch.manual_seed(3)
    original, loaded = VaeGan(SMALL), weights.load(checkpoint)
    assert loaded.config == SMALL and not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for (name, a), (other, b) in zip(original.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other and b.dtype == torch.float32
        torch.testing.assert_close(b, a.half().float(), atol=0, rtol=0)


def test_a_discriminator_is_kept_in_the_same_way_and_not_taken_for_a_network(tmp_path, checkpoint):
    path = tmp_path / "critic.safetensors"
    original = PatchDiscriminator(DiscriminatorConfig(widths=(4, 8, 8), scales=1)).eval()
    weights.save(original, path, {})
    loaded = weights.load(path, PatchDiscriminator)
    assert loaded.config == original.config and not loaded.training
    picture = torch.rand(1, 3, 64, 64) * 2 - 1
    for a, b in zip(original(picture)[0], loaded(picture)[0], strict=True):
        torch.testing.assert_close(b, a, atol=5e-3, rtol=0)
    with pytest.raises(
        WeightsError, match="visiongen-discriminator format 2, but this version reads visiongen-vae-gan"
    ):
        weights.load(path)
    with pytest.raises(WeightsError, match="reads visiongen-discriminator"):
        weights.load(checkpoint, PatchDiscriminator)


def test_rounding_to_float16_is_not_seen(tmp_path, network, inputs, result):
    weights.save(network, tmp_path / "a.safetensors", {})
    with torch.no_grad():
        again = weights.load(tmp_path / "a.safetensors")(*inputs, sample=False)[0]
    assert (again - result[0]).abs().max() < 4 / 255


def test_the_card_tells_what_it_is(checkpoint):
    card = weights.read_card(checkpoint)
    assert card["images_seen"] == 7 and card["architecture"] == "visiongen-vae-gan" and card["format"] == 2
    assert card["config"]["latent"] == 8
    assert card["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["small.json", "small.safetensors"]


def test_everybody_may_read_a_checkpoint(checkpoint):
    assert stat.S_IMODE(checkpoint.stat().st_mode) == stat.S_IMODE(checkpoint.with_suffix(".json").stat().st_mode)


def test_the_shipped_weights_load():
    card = weights.read_card(weights.shipped())
    assert card["images_seen"] > 0
    assert isinstance(weights.load(weights.shipped()), VaeGan)


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_cut_off_weights_are_refused(copied, length):
    copied.write_bytes(copied.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"a\.safetensors: damaged .* get it again"):
        weights.load(copied)


def test_one_changed_byte_is_noticed(copied):
    content = bytearray(copied.read_bytes())
    content[len(content) // 2] ^= 1
    copied.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        weights.load(copied)


@pytest.mark.parametrize("missing", [".safetensors", ".json"])
def test_half_a_checkpoint_is_refused(copied, missing):
    copied.with_suffix(missing).unlink()
    with pytest.raises(WeightsError, match=rf"a\{missing}: not found; weights are a pair"):
        weights.load(copied)


@pytest.mark.parametrize("values", [{"format": 3}, {"architecture": "other"}, {"format": None}])
def test_other_formats_are_named(copied, values):
    with pytest.raises(WeightsError, match="this version reads visiongen-vae-gan format 2"):
        weights.load(with_card(copied, **values))


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b"null", b"\xff\xfe\x00"])
def test_damaged_cards_are_refused(copied, content):
    copied.with_suffix(".json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.json: not a model card"):
        weights.load(copied)


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        {},
        {"latent": 9},
        {"latent": -1},
        {"latent": "many"},
        {"unknown": 1},
        {"encoder": [4]},
        {"encoder": [[], 4, 8]},
        {"skips": 8},
        {"motion": [4, 4, 6, 6, 6]},
    ],
    ids=str,
)
def test_cards_of_another_network_are_refused(copied, config):
    known = json.loads(copied.with_suffix(".json").read_text())["config"]
    with_card(copied, config=known | config if config else config)
    with pytest.raises(WeightsError, match="does not fit the architecture"):
        weights.load(copied)


def test_weights_that_are_none_are_refused(copied):
    copied.write_bytes(b"PK no safetensors at all")
    with_card(copied, sha256=hashlib.sha256(copied.read_bytes()).hexdigest())
    with pytest.raises(WeightsError, match="does not fit"):
        weights.load(copied)
