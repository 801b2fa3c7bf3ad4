"""Weights that come and go smoothly."""

from __future__ import annotations

import numpy as np


def rising(value: np.ndarray | float, ends: tuple[float, float]) -> np.ndarray:
    """0 below the first end, 1 above the second, smooth between them; the shape of `value`."""
    share = np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return share * share * (3 - 2 * share)
