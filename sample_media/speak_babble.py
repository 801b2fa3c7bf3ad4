"""The voice of the sample driving clip: babble from formants, in time with the mouth. No recording of anybody is used.

A pulse train with a falling and rising melody stands for the vocal folds; resonators stand for the mouth
(Klatt, "Software for a cascade/parallel formant synthesizer", 1980, with three formants in cascade).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

RATE = 48000
# First three formants, Hz, and loudness. For "m" and "n" the resonance of the nose.
FORMANTS = {
    "a": (850, 1400, 2800, 1.00),
    "e": (550, 2100, 2900, 0.85),
    "i": (340, 2600, 3200, 0.75),
    "o": (520, 950, 2700, 0.90),
    "u": (370, 850, 2600, 0.75),
    "n": (280, 1500, 2500, 0.35),
    "m": (260, 1100, 2300, 0.35),
}
BANDWIDTHS = (90, 110, 170)
LOUDNESS = 0.16


def babble(score: tuple[tuple[str, float], ...], seconds: float) -> np.ndarray:
    """(S,) float32 in [-1, 1] of `RATE`: the sounds of `score`, pairs of sound and seconds, one after another."""
    times = np.arange(round(seconds * RATE)) / RATE
    begins = np.cumsum([0.0] + [length for _, length in score])
    index = np.clip(np.searchsorted(begins, times, side="right") - 1, 0, len(score) - 1)
    now = np.array([sound for sound, _ in score])[index]
    source = _vocal_folds(times)
    voice = np.zeros_like(times)
    for sound, (*formants, loudness) in FORMANTS.items():
        # Every sound is made for the whole length and faded in and out: no filter changes while it rings.
        fade = gaussian_filter1d((now == sound).astype(float), 0.018 * RATE)
        if fade.any():
            voice += loudness * fade * _mouth(source, formants)
    loudness = np.sqrt(np.mean(voice[now != "."] ** 2))
    return (LOUDNESS / loudness * voice).clip(-1, 1).astype(np.float32)


def _vocal_folds(times: np.ndarray) -> np.ndarray:
    melody = 195 + 18 * np.sin(2 * np.pi * times / 1.9) - 12 * np.sin(2 * np.pi * times / 0.7)
    melody *= 1 + 0.01 * np.sin(2 * np.pi * 5.2 * times)  # vibrato
    phase = np.cumsum(melody) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    breath = 0.004 * np.random.default_rng(0).standard_normal(len(times))
    return lfilter([1.0], [1.0, -1.86, 0.867], pulses + breath)  # the folds' own slope, -12 dB an octave


def _mouth(source: np.ndarray, formants: list[int]) -> np.ndarray:
    for frequency, width in zip(formants, BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        a1, a2 = -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2
        source = lfilter([1 + a1 + a2], [1.0, a1, a2], source)
    return np.diff(source, prepend=0.0)  # the lips radiate what changes
