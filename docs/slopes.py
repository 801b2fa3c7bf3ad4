"""Slopes of noisy samples, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slope:
    """Change per 100 jobs, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def slope(jobs: np.ndarray, values: np.ndarray, *, block: int = 8, rounds: int = 400) -> Slope:
    """Theil-Sen slope per 100 jobs; the interval by a moving-block bootstrap of what a straight line leaves.

    Blocks keep what neighbours have in common, which makes the interval wider than that of independent samples.
    """
    fitted = _theil_sen(jobs, values)
    line = fitted * jobs
    rest = values - line - np.median(values - line)
    rng, count = np.random.default_rng(0), len(values)
    block = min(block, max(1, count // 4))
    found = []
    for _ in range(rounds):
        starts = rng.integers(0, count - block + 1, -(-count // block))
        drawn = np.concatenate([rest[start : start + block] for start in starts])[:count]
        found.append(_theil_sen(jobs, line + drawn))
    low, high = np.quantile(found, (0.025, 0.975))
    return Slope(*(100 * float(one) for one in (fitted, low, high)))


def _theil_sen(x: np.ndarray, y: np.ndarray) -> float:
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
