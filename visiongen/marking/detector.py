"""Finds the invisible mark in frames: in a copy, a smaller or larger one, a piece of it, after another encoder.

For every scale in question the whitened film is folded into one tile and compared with the patterns at all places at
once (by FFT). How sure a find is, is told as the number of finds as good as this one that chance would give among all
that were tried: below `LIMIT` it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import cv2
import numpy as np
from scipy import fft

from visiongen.marking.patterns import BITS, SIDE, STEP, SYMBOLS, Payload, band, pattern, pattern_names, payload_of
from visiongen.marking.whitening import brightness, evened, whitened

LIMIT = 1e-6
"""A find counts when chance alone would give fewer than so many in one film."""
SCALES = tuple(0.9965**i for i in range(-5, 113))
"""Shorter side of the frames over that of the film when it was marked: less than 1 after a crop."""
_ROUND = np.arange(2 * SIDE) % SIDE
"""Rows or columns of a tile and of the one after it."""
_BEYOND_DOUBT, _PAST = 80.0, 0.99
"""A surprise that ends the search, as soon as scales are so much smaller that a better one cannot be among them."""
_CANDIDATES = 4
"""Best places that are looked at for a scale."""


@dataclass(frozen=True, kw_only=True)
class WatermarkFinding:
    """What was found of the invisible mark."""

    found: bool
    payload: Payload | None = None
    """What it says; None also where the mark is there but cannot be read."""
    chance: float = 1.0
    """Expected number of such finds by chance in a film without a mark."""
    strengths: tuple[float, ...] = ()
    """Of the patterns, in deviations of chance: the place, then the symbols."""
    scale: float = 1.0
    """See `SCALES`."""
    mirrored: bool = False
    num_frames: int = 0
    """Frames that were looked at."""


class Evidence:
    """Sums up whitened frames of one film, which all must be of one size."""

    def __init__(self) -> None:
        self.num_frames = 0
        self._sum: np.ndarray | None = None

    def add(self, frame: np.ndarray) -> None:
        """Takes a frame (H, W, 3) uint8 RGB."""
        residual = whitened(brightness(frame))
        self._sum = residual if self._sum is None else self._sum + residual
        self.num_frames += 1

    @property
    def mean(self) -> np.ndarray:
        """(h, w) float32, see `visiongen.marking.whitening.evened`."""
        if self._sum is None:
            raise ValueError("no frame was added")
        return evened(self._sum / self.num_frames)


def detect(frames: Iterable[np.ndarray], *, key: str = "") -> WatermarkFinding:
    """Looks for the invisible mark in frames (H, W, 3) uint8 RGB of one film.

    Args:
        frames: Of one size. More of them help where the picture moves; some tens are enough.
        key: Looks for patterns that are in no film, to learn what chance gives.
    """
    evidence = Evidence()
    for frame in frames:
        evidence.add(frame)
    if not evidence.num_frames:
        return WatermarkFinding(found=False)
    return search(evidence.mean, key=key, num_frames=evidence.num_frames)


def search(
    residual: np.ndarray, *, key: str = "", num_frames: int = 1, scales: Sequence[float] = SCALES
) -> WatermarkFinding:
    """The best find in a whitened film (h, w), whose shorter side is that of a tile, at some scales."""
    return searches(residual, (key,), num_frames=num_frames, scales=scales)[0]


def searches(
    residual: np.ndarray, keys: Sequence[str], *, num_frames: int = 1, scales: Sequence[float] = SCALES
) -> list[WatermarkFinding]:
    """`search` for every one of some keys, in less time than one after the other."""
    best: dict[str, tuple[float, WatermarkFinding]] = {}
    for mirrored in (False, True):
        seen = np.ascontiguousarray(residual[:, ::-1]) if mirrored else residual
        for scale in scales:
            left = [key for key in keys if key not in best or not _is_settled(*best[key], scale)]
            if not left:
                break
            spectrum = whitened_spectrum(folded(seen, scale))
            for key in left:
                for surprise, strengths, symbols in _candidates(spectrum, key):
                    if key not in best or surprise > best[key][0]:
                        how = {"strengths": strengths, "scale": scale, "mirrored": mirrored}
                        best[key] = surprise, WatermarkFinding(found=False, payload=payload_of(symbols), **how)
    return [_judged(best.get(key), len(scales), num_frames) for key in keys]


def _is_settled(surprise: float, finding: WatermarkFinding, scale: float) -> bool:
    return surprise > _BEYOND_DOUBT and scale < finding.scale * _PAST


def _judged(best: tuple[float, WatermarkFinding] | None, num_scales: int, num_frames: int) -> WatermarkFinding:
    """The best find with its chance, and without what it says where that is too large."""
    if best is None:  # nothing is like the pattern, not even a little: a picture without any detail
        return WatermarkFinding(found=False, num_frames=num_frames)
    from scipy.special import gammaincc

    surprise, finding = best
    tried = SIDE * SIDE * num_scales * 2
    chance = float(min(1.0, tried * gammaincc(1 + SYMBOLS, surprise)))  # of a chi-squared distribution
    found = chance < LIMIT
    return WatermarkFinding(
        found=found,
        payload=finding.payload if found else None,
        chance=chance,
        strengths=tuple(round(float(one), 2) for one in finding.strengths),
        scale=round(finding.scale, 4),
        mirrored=finding.mirrored,
        num_frames=num_frames,
    )


def folded(residual: np.ndarray, scale: float) -> np.ndarray:
    """(SIDE, SIDE): all tiles of a whitened film laid on each other, if it shows `scale` of what was marked."""
    height, width = (int(np.ceil(side * scale)) for side in residual.shape)
    into = np.array([[1 / scale, 0, 0.5 / scale - 0.5], [0, 1 / scale, 0.5 / scale - 0.5]])
    fitted = cv2.warpAffine(residual, into, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    padded = np.pad(fitted, ((0, -height % SIDE), (0, -width % SIDE)))
    return padded.reshape(padded.shape[0] // SIDE, SIDE, -1, SIDE).sum((0, 2))


def whitened_spectrum(tile: np.ndarray) -> np.ndarray:
    """Spectrum of a tile without what whole rows of frequencies have in common, weighted like the patterns."""
    spectrum = fft.rfft2(tile)
    size = np.abs(np.fft.fftshift(spectrum, 0)).astype(np.float32)
    size = np.fft.ifftshift(cv2.GaussianBlur(size, (0, 0), 3), 0)
    return spectrum / (size + 1e-9) * band()


@lru_cache(maxsize=64)
def _conjugate(name: str) -> np.ndarray:
    return np.conj(fft.rfft2(pattern(name))).astype(np.complex64)


def agreement(spectrum: np.ndarray, name: str) -> np.ndarray:
    """(SIDE, SIDE): how well a pattern fits at every place, in deviations of all places."""
    found = fft.irfft2(spectrum * _conjugate(name), s=(SIDE, SIDE))
    return found / max(float(found.std()), 1e-12)


def _candidates(spectrum: np.ndarray, key: str) -> list[tuple[float, tuple[float, ...], tuple[int, ...]]]:
    """(surprise, strengths, symbols) of the best places of one scale.

    The surprise is Fisher's sum of -log(p): of the place, of the best of all shifts of every symbol.
    """
    from scipy.special import log_ndtr

    names = pattern_names(key)
    places = agreement(spectrum, names[0])
    fits = None
    found = []
    for index in np.argpartition(places, -_CANDIDATES, axis=None)[-_CANDIDATES:]:
        strength = float(places.flat[index])
        if strength < 3.0:
            continue
        if fits is None:
            fits = [agreement(spectrum, name) for name in names[1:]]
        row, column = divmod(int(index), SIDE)
        strengths, symbols = [strength], []
        surprise = -float(log_ndtr(-strength))
        for fit in fits:
            grid = fit[_ROUND[row : row + SIDE : STEP, None], _ROUND[column : column + SIDE : STEP]]
            symbol = int(grid.argmax())
            strengths.append(float(grid.flat[symbol]))
            symbols.append(symbol)
            surprise += max(0.0, -float(log_ndtr(-strengths[-1])) - log(1 << BITS))
        found.append((surprise, tuple(strengths), tuple(symbols)))
    return found
