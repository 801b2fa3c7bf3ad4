"""Arrays in, from ``.npz`` files of a user's: what they claim is looked at before anything is read. Never a pickle."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

MOST_BYTES = 1 << 30
"""Of all arrays of a file together, unpacked; an hour of motion has 260 MB."""
_MOST_MEMBERS = 1000
_KINDS = "biufUS"
"""NumPy's letters of the types that are read: numbers, true or false, text."""
_DAMAGED = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError,
    RuntimeError, MemoryError, OverflowError, SyntaxError, UnicodeError, tokenize.TokenError,
)  # fmt: skip
"""What NumPy's and Python's readers raise for files that are not their own, or were cut off or altered."""


Shapes = Mapping[str, tuple[int, ...] | None]


def read_arrays(path: Path, shapes: Shapes | None = None) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file.

    A few kilobytes may unpack to terabytes: types and sizes are read first, and nothing else where they are not as asked.

    Args:
        path: A local file.
        shapes: Names of the arrays wanted, all of numbers, each with the shape of one frame; their first axis is time, and
            of one length in all. Name -> None: an array of any shape and of text too. None: all arrays of the file.
    Raises:
        ValueError: It is no such file, damaged, or too large; the message says why, in a few words.
        OSError: It cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            if len(members) > _MOST_MEMBERS:
                raise ValueError(f"it holds {len(members)} arrays")
            wanted = list(members if shapes is None else shapes)
            if missing := [name for name in wanted if name not in members]:
                raise ValueError(f"it holds no {missing[0]}")
            claims = {}
            for name in wanted:
                with archive.open(members[name]) as file:
                    claims[name] = _claim(file, name)
            _check_claims(claims, shapes or {})
            found = {}
            for name in wanted:
                with archive.open(members[name]) as file:
                    found[name] = np.lib.format.read_array(file, allow_pickle=False)
            return found
    except OSError:
        raise
    except _DAMAGED as error:
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from error


def _claim(file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that the header of a NumPy file states."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} has NumPy's format {version}")
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise ValueError(f"{name} is of type {dtype}")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"{name} has the shape {shape}")
    return shape, dtype


def _check_claims(claims: Mapping[str, tuple[tuple[int, ...], np.dtype]], shapes: Shapes) -> None:
    # math.prod counts in Python's integers, which do not overflow.
    size = sum(math.prod(shape) * dtype.itemsize for shape, dtype in claims.values())
    if size > MOST_BYTES:
        raise ValueError(f"it claims {size >> 20} MB, but at most {MOST_BYTES >> 20} MB are read")
    lengths = {}
    for name, one in shapes.items():
        if one is not None:
            shape, dtype = claims[name]
            if len(shape) != 1 + len(one) or shape[1:] != one or dtype.kind in "US":
                raise ValueError(f"{name} has the shape {shape} and the type {dtype}")
            lengths[name] = shape[0]
    if len(set(lengths.values())) > 1:
        raise ValueError(f"its arrays have different lengths: {', '.join(f'{n} {v}' for n, v in lengths.items())}")
