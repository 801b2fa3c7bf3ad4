"""Weights rise from 0 to 1, smoothly, and only between their ends."""

import numpy as np

from visiongen.ramps import rising


def test_it_rises_smoothly_between_its_ends_and_nowhere_else():
    values = np.linspace(0, 20, 201)
    weight = rising(values, (5.0, 15.0))
    assert (weight[values <= 5] == 0).all() and (weight[values >= 15] == 1).all()
    steps = np.diff(weight)
    assert (steps >= 0).all() and np.abs(np.diff(steps)).max() < 0.001
    np.testing.assert_allclose(weight + weight[::-1], 1, atol=1e-12)
    assert float(rising(10.0, (5.0, 15.0))) == 0.5
