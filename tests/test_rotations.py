"""Our few rotations and filters against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from visiongen.rotations import gaussian_over_time, mean_rotation, rotation_matrices, rotation_vectors


@pytest.fixture
def turns() -> Rotation:
    """Of every size: none, tiny, usual, about each axis by nearly and by exactly half a turn."""
    vectors = np.random.default_rng(0).normal(size=(500, 3))
    half = np.concatenate([np.eye(3) * np.pi, np.eye(3) * (np.pi - 1e-9)])
    return Rotation.from_rotvec(np.concatenate([vectors, 1e-7 * vectors, np.zeros((1, 3)), half]))


def test_vectors_and_matrices_are_as_scipy_has_them(turns):
    vectors = rotation_vectors(turns.as_matrix())
    assert np.allclose(Rotation.from_rotvec(vectors).as_matrix(), turns.as_matrix(), atol=1e-12)
    usual = turns.magnitude() < 3
    assert np.allclose(vectors[usual], turns.as_rotvec()[usual], rtol=1e-9, atol=1e-14)
    assert (np.linalg.norm(vectors, axis=1) <= np.pi + 1e-12).all()
    assert np.allclose(rotation_matrices(vectors), turns.as_matrix(), atol=1e-12)


def test_the_mean_is_scipys(turns):
    assert np.allclose(mean_rotation(turns.as_matrix()), turns.mean().as_matrix(), atol=1e-9)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 3.0])
@pytest.mark.parametrize("circle, mode", [(False, "nearest"), (True, "wrap")])
@pytest.mark.parametrize("length", [36, 5])
def test_the_gaussian_is_scipys(sigma, circle, mode, length):
    values = np.random.default_rng(1).normal(size=length)
    assert np.allclose(gaussian_over_time(values, sigma, circle=circle), gaussian_filter1d(values, sigma, mode=mode))
