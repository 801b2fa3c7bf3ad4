"""Fits the blendshape regression to what `collect` gathered, and measures it on people it never saw.

    python -m visiongen_gltf.training.fit TRAIN.npz VAL.npz --out WEIGHTS.npz --report REPORT.json

Besides the network (landmarks -> blendshapes) a linear basis of the opposite direction is fitted: how far every landmark
moves per unit of a blendshape, for motion that is read from curves. Needs PyTorch, which VisionGen 3D brings.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visiongen.pose import face_model
from visiongen_gltf.names import BLENDSHAPES, MIRRORED
from visiongen_gltf.regression import SEEN, Regression, inputs_of

_HIDDEN = (128, 96)
_MIDDLE = 0.05
"""Face widths on either side of the middle line over which left and right fade into each other."""
_CHEEK = -0.08
"""Height, face widths, at which the region of an eye ends (y is down)."""
_NOISE = 0.0012
"""Face widths added to every coordinate: about the detector's own noise."""


@dataclass(frozen=True, eq=False)
class Teacher:
    """What `collect` wrote."""

    offsets: np.ndarray
    """(N, 478, 3) face widths."""
    targets: np.ndarray
    """(N, 52)."""
    files: np.ndarray
    """(N,) of which file a frame is."""
    people: np.ndarray
    """(N,) whom it shows."""


def read(path: Path) -> Teacher:
    """The file of `collect`."""
    with np.load(path, allow_pickle=False) as data:
        return Teacher(data["offsets"].astype(np.float32), data["targets"], data["files"], data["people"])


def mirrored(data: Teacher) -> Teacher:
    """The same faces in a mirror."""
    other = face_model().mirror
    points = (face_model().points + data.offsets)[:, other] * np.float32([-1, 1, 1])
    offsets = points - face_model().points
    return Teacher(offsets, data.targets[:, MIRRORED], data.files, data.people)


def winking(data: Teacher, *, seed: int = 0) -> Teacher:
    """Faces whose left eye and brow are from another frame of the same file: winks hardly occur in the data."""
    rng = np.random.default_rng(seed)
    other = np.arange(len(data.files))
    for file in np.unique(data.files):
        here = np.flatnonzero(data.files == file)
        other[here] = rng.permutation(here)
    x, y, _ = face_model().points.T
    left = np.clip(x / (2 * _MIDDLE) + 0.5, 0, 1) * np.clip((_CHEEK - y) / 0.1 + 0.5, 0, 1)
    offsets = data.offsets + left[:, None] * (data.offsets[other] - data.offsets)
    taken = [name.endswith("Left") and name.startswith(("eye", "brow")) for name in BLENDSHAPES]
    targets = np.where(taken, data.targets[other], data.targets)
    return Teacher(offsets.astype(np.float32), targets.astype(np.float32), data.files, data.people)


def person_weights(people: np.ndarray) -> np.ndarray:
    """(N,) mean 1: a person counts with the square root of the frames there are, not with each of them."""
    _, which, counts = np.unique(people, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(counts[which])
    return (weights / weights.mean()).astype(np.float32)


def fit(data: Teacher, *, epochs: int, seed: int = 0) -> Regression:
    """Trains the network on `data`, on faces that wink, and on the mirror images of both."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    parts = [data, winking(data, seed=seed)]
    parts += [mirrored(part) for part in parts]
    inputs = np.concatenate([inputs_of(part.offsets) for part in parts])
    targets = torch.from_numpy(np.concatenate([part.targets[:, SEEN] for part in parts]))
    weights = torch.from_numpy(person_weights(np.concatenate([part.people for part in parts])))[:, None]
    mean, scale = inputs.mean(0), 1 / (inputs.std(0) + 1e-4)
    x = torch.from_numpy((inputs - mean) * scale)
    sizes = (x.shape[1], *_HIDDEN, targets.shape[1])
    net = nn.Sequential(
        nn.Dropout(0.05), nn.Linear(sizes[0], sizes[1]), nn.LeakyReLU(0.1), nn.Dropout(0.1),
        nn.Linear(sizes[1], sizes[2]), nn.LeakyReLU(0.1), nn.Dropout(0.05), nn.Linear(sizes[2], sizes[3]), nn.Sigmoid(),
    )  # fmt: skip
    noise = torch.from_numpy(_NOISE * scale)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    steps = epochs * (len(x) // 256)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(len(x), (256,))
        got = net(x[chosen] + noise * torch.randn(256, x.shape[1]))
        error = got - targets[chosen]
        loss = (weights[chosen] * (error**2 + 0.02 * error.abs())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 2000 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.5f}", flush=True)
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    layers = tuple((layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy()) for layer in linear)
    return Regression(mean, scale, layers)


def fit_basis(data: Teacher) -> np.ndarray:
    """(52, 478, 3) float32 face widths: how landmarks move per unit of a blendshape; ridge regression within files.

    Both eyes nearly always blink together, so a plain regression would share a blink between both sides. Each half of
    the face is therefore explained without the blendshapes of the other one; in the middle they fade into each other.
    """
    both = (data, mirrored(data))
    moves, scores = [], []
    for part in both:
        for file in np.unique(part.files[np.char.startswith(part.files, "clips/")]):
            here = part.files == file
            moves.append(part.offsets[here] - part.offsets[here].mean(0))
            scores.append(part.targets[here] - part.targets[here].mean(0))
    x, y = np.concatenate(scores).astype(np.float64), np.concatenate(moves).reshape(-1, 478 * 3).astype(np.float64)
    whole = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
    # The subject's left is on the picture's right, where x is positive.
    share = np.clip(face_model().points[:, 0] / (2 * _MIDDLE) + 0.5, 0, 1)[:, None]
    basis = np.zeros((len(BLENDSHAPES), 478, 3))
    for other, weight in (("Right", share), ("Left", 1 - share)):
        used = np.array([name in whole or not name.endswith(other) for name in BLENDSHAPES])
        gram = x[:, used].T @ x[:, used] + len(x) * 1e-4 * np.eye(used.sum())
        basis[used] += weight * np.linalg.solve(gram, x[:, used].T @ y).reshape(-1, 478, 3)
    return basis.astype(np.float32)


def measured(model: Regression, train: Teacher, test: Teacher) -> dict[str, dict[str, float]]:
    """Per blendshape: mean absolute error of the network and of always saying the training mean, spread of the teacher's
    values, correlation within clips (mean over clips in which it moves); every person counts the same."""
    got, weights = (
        model(test.offsets),
        1.0 / np.unique(test.people, return_counts=True)[1][np.unique(test.people, return_inverse=True)[1]],
    )
    weights /= weights.sum()
    guess = np.average(train.targets, axis=0, weights=person_weights(train.people))
    result = {}
    for number, name in enumerate(BLENDSHAPES):
        truth, said = test.targets[:, number], got[:, number]
        inside = []
        for file in np.unique(test.files[np.char.startswith(test.files, "clips/")]):
            here = test.files == file
            if truth[here].std() > 0.02 and said[here].std() > 0:
                inside.append(np.corrcoef(truth[here], said[here])[0, 1])
        result[name] = {
            "mae": float(weights @ np.abs(said - truth)),
            "mae_of_mean": float(weights @ np.abs(guess[number] - truth)),
            "spread": float(np.sqrt(weights @ (truth - weights @ truth) ** 2)),
            "correlation": float(np.mean(inside)) if inside else float("nan"),
            "clips": len(inside),
        }
    return result


def save(model: Regression, basis: np.ndarray, path: Path) -> None:
    """As `visiongen_gltf.regression` and `visiongen_gltf.curve_source` read it; half precision is enough."""
    arrays = {"mean": model.mean, "scale": model.scale, "basis": basis}
    for number, (weight, bias) in enumerate(model.layers):
        arrays |= {f"weight{number}": weight, f"bias{number}": bias}
    np.savez_compressed(path, **{name: array.astype(np.float16) for name, array in arrays.items()})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()
    train, val = read(arguments.train), read(arguments.val)
    model = fit(train, epochs=arguments.epochs)
    report = measured(model, train, val)
    save(model, fit_basis(train), arguments.out)
    arguments.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    errors = [one["mae"] for name, one in report.items() if name not in ("tongueOut",)]
    print(f"{len(train.offsets)} frames, {len(val.offsets)} to measure; mean error {np.mean(errors):.4f}")


if __name__ == "__main__":
    main()
