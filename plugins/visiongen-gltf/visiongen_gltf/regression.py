"""Landmarks -> blendshapes: a small network, run with numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from visiongen import MotionTrack
from visiongen.landmarks import (
    FACE_OVAL,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from visiongen_gltf.names import BLENDSHAPES, UNSEEN

_NOSE = (1, 2, 4, 5, 6, 19, 48, 64, 94, 98, 129, 168, 195, 197, 219, 278, 294, 327, 358, 439)
_CHEEKS = (36, 50, 101, 117, 118, 187, 205, 206, 207, 216, 266, 280, 330, 346, 347, 411, 425, 426, 427, 436)
_AROUND_EYES = (22, 23, 24, 27, 28, 29, 30, 56, 110, 190, 252, 253, 254, 257, 258, 259, 260, 286, 339, 414)
_CHIN = (18, 83, 182, 200, 201, 313, 406, 421)
LANDMARKS = tuple(
    sorted(
        {*FACE_OVAL, *RIGHT_EYE, *LEFT_EYE, *RIGHT_IRIS, *LEFT_IRIS, *RIGHT_BROW, *LEFT_BROW, *INNER_LIPS, *OUTER_LIPS}
        | {*_NOSE, *_CHEEKS, *_AROUND_EYES, *_CHIN}
    )
)
"""Landmarks that the network sees; the others lie between them."""

SEEN = tuple(name not in UNSEEN for name in BLENDSHAPES)


@dataclass(frozen=True, eq=False)
class Regression:
    """The weights; every layer is ``x @ weight + bias``, with a leaky ReLU between layers and a logistic at the end."""

    mean: np.ndarray
    """(I,) of the inputs, face widths."""
    scale: np.ndarray
    """(I,) by which they are multiplied."""
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    """(weight (in, out), bias (out,)) of every layer."""

    def __call__(self, offsets: np.ndarray) -> np.ndarray:
        """Blendshapes of landmarks in the head frame.

        Args:
            offsets: (T, 478, 3), displacement from VisionGen's rest face, face widths (`MotionTrack.offsets`).
        Returns:
            (T, 52) float32 in [0, 1], in the order of `BLENDSHAPES`; unseen ones are 0.
        """
        values = (inputs_of(offsets) - self.mean) * self.scale
        for number, (weight, bias) in enumerate(self.layers):
            if number:
                values = np.maximum(values, 0.1 * values)
            values = values @ weight + bias
        result = np.zeros((len(offsets), len(BLENDSHAPES)), np.float32)
        result[:, np.flatnonzero(SEEN)] = 1 / (1 + np.exp(-np.clip(values, -30, 30)))
        return result


def inputs_of(offsets: np.ndarray) -> np.ndarray:
    """(T, I) float32, what the network sees of offsets (T, 478, 3)."""
    return np.asarray(offsets[:, LANDMARKS], np.float32).reshape(len(offsets), -1)


@cache
def shipped_regression() -> Regression:
    """The weights that come with the package."""
    path = resources.files("visiongen_gltf") / "weights" / "blendshapes.npz"
    with resources.as_file(path) as file, np.load(file, allow_pickle=False) as data:
        count = sum(name.startswith("weight") for name in data.files)
        layers = tuple(
            (data[f"weight{i}"].astype(np.float32), data[f"bias{i}"].astype(np.float32)) for i in range(count)
        )
        return Regression(data["mean"].astype(np.float32), data["scale"].astype(np.float32), layers)


def blendshapes(motion: MotionTrack) -> np.ndarray:
    """(T, 52) float32 in [0, 1]: the ARKit blendshape curves of a motion."""
    return shipped_regression()(motion.offsets)
