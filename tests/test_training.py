"""Preparation, samples, the loop and its checkpoints, on a tiny data set made here."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import astronaut, face, moving_head, placed, random_faces, rotation, write_clip
from PIL import Image
from torch.nn import functional as F

from visiongen import flow, warping
from visiongen.errors import MediaError, WeightsError
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE, PatchDiscriminator, VaeGan, VaeGanConfig, enlarge
from visiongen.neck import AXIS
from visiongen.pose import euler_angles, face_model, fit_head, fit_similarity
from visiongen.training import rest_face
from visiongen.training.data import PairDataset, PreparedClip, augmented, prepare, transfer, turned
from visiongen.training.vae_gan import TrainConfig, attention, train


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A clip in a folder of its own, a still that is not square, and two files that are neither."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "clips").mkdir()
    write_clip(folder / "clips" / "head.mp4", moving_head(12))
    Image.fromarray(astronaut()[:, 20:236]).save(folder / "still.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("nothing")
    return folder


@pytest.fixture(scope="module")
def prepared(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    assert prepare(source, folder, every=2) == 2
    return folder


@pytest.fixture(scope="module")
def dataset(prepared) -> PairDataset:
    return PairDataset(prepared, still_share=0.5, augment=False)


@pytest.fixture(autouse=True)
def all_threads():
    """The data set takes OpenCV's threads for itself."""
    yield
    cv2.setNumThreads(-1)


# --- preparation ------------------------------------------------------------------------------------------------------


def test_every_clip_and_still_becomes_three_arrays(prepared):
    for name, count in (("clips/head", 6), ("still", 1)):
        frames, landmarks, matte = (np.load(prepared / name / f"{n}.npy") for n in ("frames", "landmarks", "matte"))
        assert frames.shape == (count, SIZE, SIZE, 3) and frames.dtype == np.uint8
        assert landmarks.shape == (count, 478, 3) and np.isfinite(landmarks).all()
        assert matte.shape == (count, flow.GRID, flow.GRID) and matte.dtype == np.uint8
        x, y = (landmarks[0, 1, :2] / 2).astype(int)
        assert matte[0, y, x] > 200 and matte[0, 4, 4] < 60
    assert sorted(p.name for p in prepared.iterdir()) == ["clips", "still"]


def test_every_other_frame_was_taken(prepared):
    frames = np.load(prepared / "clips" / "head" / "frames.npy")
    assert np.abs(frames.astype(int) - moving_head(12)[::2]).mean() < 4


def test_landmarks_lie_on_the_prepared_picture(prepared):
    from visiongen.landmarks import FaceMesh

    landmarks = np.load(prepared / "still" / "landmarks.npy")
    with FaceMesh() as mesh:
        (found,) = mesh(np.load(prepared / "still" / "frames.npy")[0])
    assert np.linalg.norm((found - landmarks[0])[:, :2], axis=1).mean() < 1.5


def test_what_is_prepared_is_left_alone(source, prepared):
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*.npy")}
    assert prepare(source, prepared) == 2
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*.npy")} == before


def test_broken_files_are_left_out_with_a_warning(source, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("visiongen"), "propagate", True)  # the command line turns it off
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.jpg").write_bytes((source / "broken.jpg").read_bytes())
    assert prepare(tmp_path / "in", tmp_path / "out") == 0
    assert "broken.jpg" in caplog.text and not list((tmp_path / "out").rglob("*.npy"))


def test_frames_without_a_face_are_marked_and_not_used(tmp_path):
    frames = moving_head(6).copy()
    frames[2] = 128
    (tmp_path / "in").mkdir()
    write_clip(tmp_path / "in" / "gap.mp4", frames)
    prepare(tmp_path / "in", tmp_path / "out", every=1)
    assert PreparedClip.load(tmp_path / "out" / "gap").usable.tolist() == [0, 1, 3, 4, 5]


# --- samples ----------------------------------------------------------------------------------------------------------


def test_a_folder_without_clips_is_an_error(tmp_path):
    with pytest.raises(MediaError, match="no prepared clips; run `visiongen prepare"):
        PairDataset(tmp_path)


def test_samples_are_what_the_network_takes(dataset):
    rng = np.random.default_rng(0)
    shapes = {
        **dict.fromkeys(("picture", "background", "target"), (3, SIZE, SIZE)),
        "source_maps": (4, flow.GRID, flow.GRID),
        "matte": (1, flow.GRID, flow.GRID),
        "candidates": (3, flow.GRID, flow.GRID, 2),
        "prior": (3, flow.GRID, flow.GRID),
        "maps": (len(flow.MAPS), flow.GRID, flow.GRID),
        "landmarks": (478, 3),
        "follows": (),
    }
    for _ in range(6):  # of both kinds
        sample = dataset.sample(rng)
        assert {name: tuple(x.shape) for name, x in sample.items()} == shapes
        assert all(torch.isfinite(x.float()).all() for x in sample.values())
        assert sample["picture"].dtype == torch.uint8 and sample["matte"].max() <= 1


def test_consecutive_samples_share_portrait_and_light(prepared):
    dataset, rng = (
        PairDataset(prepared, still_share=0.3, registered_share=1.0, consecutive=True),
        np.random.default_rng(3),
    )
    drawn = [dataset.samples(rng) for _ in range(12)]
    assert {len(one) for one in drawn} == {1, 2}
    for first, second in (one for one in drawn if len(one) == 2):
        assert not first["follows"] and second["follows"]
        for shared in ("picture", "background", "source_maps", "matte"):
            assert torch.equal(first[shared], second[shared])
        step = (first["landmarks"] - second["landmarks"]).norm(dim=-1).mean()
        away = (first["target"].float() - second["target"].float()).abs().mean()
        assert 0 < step < 0.05 and 0 < away < 20  # a frame's step in a small clip, not another moment


def moved(sample: dict[str, torch.Tensor]) -> np.ndarray:
    """The portrait of a sample, moved by the prior."""
    motion = torch.einsum("kyx,kyxc->yxc", sample["prior"], sample["candidates"]).numpy()
    return warping.warp(sample["picture"].permute(1, 2, 0).numpy(), motion)


@pytest.mark.parametrize("still_share", [0.0, 1.0])
@pytest.mark.parametrize("augment", [False, True])
def test_the_prior_moves_the_portrait_toward_the_target(prepared, still_share, augment):
    """Mirror, zoom, turn, and a still's self-made motion: pictures and landmarks must go the same way."""
    dataset, rng = PairDataset(prepared, still_share=still_share, augment=augment), np.random.default_rng(1)
    before, after = [], []
    for _ in range(8):
        sample = dataset.sample(rng)
        target = sample["target"].permute(1, 2, 0).numpy().astype(int)
        face_ = cv2.resize(sample["maps"][0].numpy(), (SIZE, SIZE)) > 0.5
        before.append(np.abs(sample["picture"].permute(1, 2, 0).numpy() - target)[face_].mean())
        after.append(np.abs(moved(sample) - target)[face_].mean())
    assert np.mean(after) < 0.85 * np.mean(before)


def test_the_same_seed_gives_the_same_samples(prepared):
    first, second = (iter(PairDataset(prepared, seed=5)) for _ in range(2))
    other = iter(PairDataset(prepared, seed=6))
    a, b, c = next(first), next(second), next(other)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_transfer_moves_one_face_as_another_moved():
    before, after = placed(face()) / 256, placed(face(jaw=0.05), turn=rotation(yaw=10), centre=(140, 120)) / 256
    own = placed(face(), unit=60, centre=(100, 100)) / 256
    np.testing.assert_allclose(transfer(own, before, before), own, atol=1e-5)
    expected = placed(face(jaw=0.05), turn=rotation(yaw=10), unit=60, centre=(100 + 12 * 60 / 110, 100 - 8 * 60 / 110))
    np.testing.assert_allclose(transfer(own, before, after), expected / 256, atol=1e-3)


@pytest.mark.parametrize("yaw, pitch", [(20, 0), (-15, 8), (0, -6), (0, 0)])
def test_a_still_turns_about_its_neck_by_what_it_is_asked_to(yaw, pitch):
    own = placed(face(), turn=rotation(roll=5), centre=(120, 130)) / 256
    before, after = fit_head(np.stack([own, turned(own, yaw, pitch)]).astype(np.float64))[0]
    looks_before, looks_after = np.rad2deg(euler_angles(np.stack([before, after])))[:, :2]
    np.testing.assert_allclose(looks_after - looks_before, [yaw, pitch], atol=1.5)
    necks = [
        AXIS @ r.T * s + t for r, t, s in zip(*fit_head(np.stack([own, turned(own, yaw, pitch)]).astype(np.float64)))
    ]
    np.testing.assert_allclose(*necks, atol=1e-5)


def test_pairs_are_two_frames_with_a_face_and_often_the_ones_turned_farthest(prepared):
    clip = PairDataset(prepared).clips[0]
    rng = np.random.default_rng(0)
    pairs = np.array([clip.pair(rng) for _ in range(300)])
    assert set(pairs.ravel()) <= set(clip.usable.tolist()) and (pairs[:, 0] != pairs[:, 1]).all()
    where = {frame: i for i, frame in enumerate(clip.usable.tolist())}
    looking = [[clip.looking[where[frame]] for frame in pair] for pair in pairs.tolist()]
    apart = np.mean([a @ b for a, b in looking])
    usual = np.mean([a @ b for i, a in enumerate(clip.looking) for j, b in enumerate(clip.looking) if i != j])
    assert apart < usual


def test_a_mirror_keeps_right_right():
    points = random_faces(1)[0] / 512
    dot = np.zeros((SIZE, SIZE, 3), np.uint8)
    x, y = (points[33, :2] * SIZE).astype(int)
    dot[y - 2 : y + 3, x - 2 : x + 3] = 255
    for seed in range(8):
        pictures, matte, (moved_points,) = augmented(
            [dot], dot[::2, ::2, 0].copy(), [points], np.random.default_rng(seed)
        )
        spot = np.argwhere(pictures[0][..., 0] > 30)[:, ::-1].mean(0) + 0.5
        # A mirrored face has its right eye where the left one was; both are eye corners of this point's pair.
        candidates = moved_points[[33, face_model().mirror[33]], :2] * SIZE
        assert np.linalg.norm(candidates - spot, axis=1).min() < 2.5
        assert matte.shape == (128, 128)


def test_eyes_and_mouth_count_most(dataset):
    sample = dataset.sample(np.random.default_rng(0))
    weight = attention(sample["maps"][None])[0, 0]
    assert weight.shape == (SIZE, SIZE) and 0.5 < weight.mean() < 2
    mouth = F.interpolate(sample["maps"][None, [flow.MAPS.index("mouth")]], scale_factor=2.0)[0, 0] > 0.9
    assert weight[mouth].min() > 3 * weight[0, 0]


# --- the loop ---------------------------------------------------------------------------------------------------------

STEPS = 10


def config(data: Path, out: Path, **values) -> TrainConfig:
    settings = {
        "images": STEPS,
        "batch": 1,
        "workers": 0,
        "learning_rate": 1e-3,
        "adversarial_from": 0.75,
        "averaging": 0.5,
    }
    return TrainConfig(data=data, out=out, **(settings | values))


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "a"
    assert train(config(prepared, out)) == out / "vae-gan.safetensors"
    return out


def state_of(run: Path) -> dict:
    return torch.load(run / "state.pt", weights_only=True)


def loss_on(network: VaeGan, dataset: PairDataset, count: int = 8) -> float:
    rng, total = np.random.default_rng(11), 0.0
    for _ in range(count):
        sample = {name: x[None].float() for name, x in dataset.sample(rng).items()}
        pictures = {name: sample[name] / 127.5 - 1 for name in ("picture", "background", "target")}
        portrait = {n: pictures[n] for n in ("picture", "background")} | {
            n: sample[n] for n in ("source_maps", "matte")
        }
        frame = {name: sample[name] for name in ("candidates", "prior", "maps")}
        with torch.no_grad():
            generated, *_, painting = network.eval()(portrait, frame, sample=False)
        error = (generated - pictures["target"]).abs() + 0.5 * (enlarge(painting.colour) - pictures["target"]).abs()
        total += float((attention(frame["maps"]) * error).mean())
    return total / count


def test_a_few_steps_lower_the_loss(run, dataset):
    torch.manual_seed(0)
    before, after = VaeGan(VaeGanConfig()), VaeGan(VaeGanConfig())
    after.load_state_dict(state_of(run)["network"])
    assert loss_on(after, dataset) < 0.985 * loss_on(before, dataset)


def test_the_checkpoint_is_the_averaged_network(run):
    average, loaded = state_of(run)["average"], weights.load(run / "vae-gan.safetensors")
    assert set(average) == set(loaded.state_dict())
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, average[name].half().float(), atol=0, rtol=0)


def test_the_checkpoint_describes_itself(run, prepared):
    card = weights.read_card(run / "vae-gan.safetensors")
    assert card["images_seen"] == STEPS and card["training"]["batch"] == 1
    assert {"reconstruction", "kl", "adversarial", "critic"} <= set(card["losses"])
    assert all(np.isfinite(value) for value in card["losses"].values())
    assert str(prepared) not in json.dumps(card) and str(run) not in json.dumps(card)


def test_nothing_half_written_is_left(run):
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_a_finished_run_does_nothing_more(run, prepared):
    before = (run / "vae-gan.safetensors").read_bytes()
    train(config(prepared, run))
    assert (run / "vae-gan.safetensors").read_bytes() == before
    assert state_of(run)["step"] == STEPS


@pytest.fixture(scope="module")
def short_run(prepared, tmp_path_factory) -> dict:
    """The state after two steps."""
    out = tmp_path_factory.mktemp("short")
    train(config(prepared, out, images=2, adversarial=0, feature_matching=0))
    return state_of(out) | {"folder": out}


def test_the_same_run_gives_the_same_network(prepared, tmp_path, short_run):
    train(config(prepared, tmp_path, images=2, adversarial=0, feature_matching=0))
    again = state_of(tmp_path)["network"]
    assert all(torch.allclose(again[name], value, atol=1e-5) for name, value in short_run["network"].items())


def test_a_run_is_resumed_at_its_next_step(prepared, short_run):
    assert (short_run["images"], short_run["step"]) == (2, 2)
    train(config(prepared, short_run["folder"], images=3, adversarial=0, feature_matching=0))
    resumed = state_of(short_run["folder"])
    assert (resumed["images"], resumed["step"]) == (3, 3)
    changes = [(resumed["network"][n] - value).abs().max() for n, value in short_run["network"].items()]
    assert 0 < max(changes) < 0.01  # one step of Adam from where it was, not a new beginning
    assert max(int(entry["step"]) for entry in resumed["painter"]["state"].values()) == 3


def test_fine_tuning_begins_with_the_weights_that_are_given(run, prepared, tmp_path):
    settings = config(prepared, tmp_path / "b", images=1, learning_rate=1e-9, initial=run / "vae-gan.safetensors")
    train(settings)
    given, tuned = weights.load(run / "vae-gan.safetensors"), state_of(tmp_path / "b")["network"]
    for name, value in given.state_dict().items():
        torch.testing.assert_close(tuned[name], value, atol=1e-6, rtol=0)


def test_a_discriminator_that_is_given_has_a_say_at_once(run, prepared, tmp_path):
    how = {"images": 1, "learning_rate": 1e-9, "adversarial_from": 0.75}
    path = train(config(prepared, tmp_path / "d", **how, discriminator=run / "discriminator.safetensors"))
    assert weights.read_card(path)["losses"]["critic"] > 0
    given = weights.load(run / "discriminator.safetensors", PatchDiscriminator).state_dict()
    kept = weights.load(tmp_path / "d" / "discriminator.safetensors", PatchDiscriminator).state_dict()
    originals = [name for name in given if name.endswith("original")]
    assert originals
    for name in originals:
        torch.testing.assert_close(kept[name], given[name], atol=1e-3, rtol=0)


@pytest.mark.slow
def test_a_narrower_network_is_trained_with_the_detector_as_a_judge(run, prepared, tmp_path):
    pytest.importorskip("tflite", reason="pip install 'visiongen[training]'")
    widths = {"skips": (8, 24), "decoder": (64, 32, 16)}
    how = {"images": 4, "batch": 2, "learning_rate": 1e-6, "landmarks": 0.01, "perceptual": 0.1, "temporal": 0.5}
    path = train(config(prepared, tmp_path / "c", **how, **widths, initial=run / "vae-gan.safetensors"))
    card, network = weights.read_card(path), weights.load(path)
    assert (network.config.skips, network.config.decoder) == (widths["skips"], widths["decoder"])
    limits = {"temporal": 1, "landmarks": 20, "perceptual": 5}
    assert all(0 <= card["losses"][name] < most for name, most in limits.items())


@pytest.mark.parametrize("content", [b"", b"no state at all", None], ids=["empty", "text", "cut"])
def test_a_damaged_state_is_named(run, prepared, tmp_path, content):
    whole = (run / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(WeightsError, match=r"state\.pt: this run cannot be resumed .* choose another --out"):
        train(config(prepared, tmp_path))


def test_the_state_of_another_network_is_refused(run, prepared, tmp_path):
    state = state_of(run)
    state["network"].pop("encode_picture.weight")
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(WeightsError, match="cannot be resumed"):
        train(config(prepared, tmp_path))


def test_every_loss_has_its_weight_among_the_settings():
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    assert {"reconstruction", "structure", "detail", "adversarial", "feature_matching", "kl", "smoothness"} <= names
    assert {"landmarks", "perceptual", "temporal"} <= names


# --- the rest face ----------------------------------------------------------------------------------------------------


def test_the_mean_of_moved_faces_is_the_face():
    rng = np.random.default_rng(0)
    clips = [
        np.stack([placed(face(), turn=rotation(*rng.uniform(-10, 10, 3)), unit=u) for _ in range(6)]).astype(float)
        for u in (60, 140)
    ]
    rest, stability = rest_face.mean_face(clips, rounds=6)
    model = face_model()
    turn, shift, scale = (part[0] for part in fit_similarity(rest[None], model.points, np.ones(478)))
    assert scale == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose((rest - shift) @ turn / scale, model.points, atol=0.01)
    assert stability.shape == (478,) and stability.max() == 1 and (stability[468:] == 0).all()


def test_the_shipped_mirror_and_mesh_can_be_made_again():
    model = face_model()
    np.testing.assert_array_equal(rest_face.mirror_points(model.points), model.mirror)
    made = {tuple(sorted(triangle)) for triangle in rest_face.closed_mesh(model.points)}
    assert made == {tuple(sorted(triangle)) for triangle in model.triangles}
