"""The invisible mark as numbers: its patterns, and how a payload is written with them.

The mark is spread-spectrum noise in the middle frequencies of brightness (Cox et al. 1997, "Secure spread spectrum
watermarking for multimedia"), laid out on a grid that belongs to the film, not to its pixels: its tile is as high and
wide as the shorter side of the frame. So a smaller or larger copy carries the same tile, and a detector that brings a
copy to one size finds it again; a crop has the tile at another place and scale, which are searched for.

A tile is a sum of a pattern that is always the same (it tells where the tile begins) and of `SYMBOLS` patterns whose
shifts against the first one, on a grid of 64 x 64 places, are 12 bits each of the payload. Patterns are public: anybody can
find the mark, and whoever wants to remove it can. It marks; it does not lock.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SIDE = 256
"""Rows and columns of a tile; it covers the shorter side of a frame."""
STEP = 4
"""Distance of the places a pattern can be shifted to, in pixels of the tile."""
PLACES = SIDE // STEP
SYMBOLS = 3
BITS = 12
"""Of one symbol."""
VERSION = 1
_LONGEST, _SHORTEST = 24.0, 6.0
"""Wavelengths of the patterns, in pixels of the tile: longer ones show and drown in the picture, shorter ones are the
first that an encoder drops and that a smaller copy cannot hold."""
_VERSION_BITS, _NUMBER_BITS, _CHECK_BITS = 2, 24, 10
_POLYNOMIAL = 0b11000110011  # CRC-10 of ITU-T I.610


@dataclass(frozen=True, kw_only=True)
class Payload:
    """What the invisible mark says."""

    number: int
    """24 bits: the beginning of the checksum of the settings, see `run_number`."""
    version: int = VERSION
    """Of this way of marking, 0 to 3."""

    def __post_init__(self) -> None:
        if not 0 <= self.number < 1 << _NUMBER_BITS or not 0 <= self.version < 1 << _VERSION_BITS:
            raise ValueError(f"number {self.number} and version {self.version} do not fit into the mark")

    def __str__(self) -> str:
        return f"{self.number:06x}"


def symbols_of(payload: Payload) -> tuple[int, ...]:
    """The numbers, below 4096, that `SYMBOLS` patterns say."""
    word = payload.version << _NUMBER_BITS | payload.number
    word = word << _CHECK_BITS | _checksum(word)
    return tuple(word >> BITS * i & (1 << BITS) - 1 for i in reversed(range(SYMBOLS)))


def payload_of(symbols: tuple[int, ...]) -> Payload | None:
    """The inverse of `symbols_of`; None where the checksum or the version is wrong."""
    word = 0
    for symbol in symbols:
        word = word << BITS | symbol
    word, check = word >> _CHECK_BITS, word & (1 << _CHECK_BITS) - 1
    version, number = word >> _NUMBER_BITS, word & (1 << _NUMBER_BITS) - 1
    return Payload(number=number, version=version) if check == _checksum(word) and version == VERSION else None


def _checksum(word: int) -> int:
    rest = (word << _CHECK_BITS) ^ 0x2A5  # not zero for zero
    for bit in reversed(range(_CHECK_BITS, _CHECK_BITS + _VERSION_BITS + _NUMBER_BITS)):
        if rest >> bit & 1:
            rest ^= _POLYNOMIAL << (bit - _CHECK_BITS)
    return rest


def shift_of(symbol: int) -> tuple[int, int]:
    """Rows and columns by which a symbol's pattern is shifted."""
    return symbol // PLACES * STEP, symbol % PLACES * STEP


@lru_cache(maxsize=4)
def band() -> np.ndarray:
    """(SIDE, SIDE // 2 + 1) weight of every frequency, as `numpy.fft.rfft2` lays them out."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    low = 1 / (1 + (1 / _LONGEST / np.maximum(frequency, 1e-9)) ** 8)
    return low / (1 + (frequency * _SHORTEST) ** 8)


@lru_cache(maxsize=64)
def pattern(name: str) -> np.ndarray:
    """(SIDE, SIDE) float32 of mean 0 and deviation 1, the same on every machine; cyclic."""
    data = np.frombuffer(hashlib.shake_256(f"visiongen mark {name}".encode()).digest(SIDE * SIDE // 8), np.uint8)
    noise = np.unpackbits(data).reshape(SIDE, SIDE) * 2.0 - 1.0
    filtered = np.fft.irfft2(np.fft.rfft2(noise) * band(), s=(SIDE, SIDE))
    result = (filtered / filtered.std()).astype(np.float32)
    result.flags.writeable = False
    return result


def pattern_names(key: str = "") -> tuple[str, ...]:
    """The pattern that tells the place, then those of the symbols. Other keys than "" are for measuring chance."""
    return tuple(f"{VERSION} {key}{name}" for name in ("place", *map(str, range(SYMBOLS))))


def shifted_patterns(payload: Payload) -> np.ndarray:
    """(1 + SYMBOLS, SIDE, SIDE) float32: the patterns whose sum says `payload`."""
    shifts = [(0, 0), *map(shift_of, symbols_of(payload))]
    return np.stack([np.roll(pattern(n), by, (0, 1)) for n, by in zip(pattern_names(), shifts)])
