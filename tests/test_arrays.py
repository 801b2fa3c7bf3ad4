"""Arrays of a user's: what is not one is refused in a few words."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from visiongen.arrays import read_arrays


def stored(path, header: bytes):
    """An ``.npz`` whose one array has this header."""
    length = len(header).to_bytes(2, "little")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + length + header)
    return path


def test_what_was_written_is_read(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "t": np.array("text")}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert all(np.array_equal(found[name], value) for name, value in arrays.items())


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,",  # an open bracket: Python's own scanner complains
        b"{'descr': '<f8', 'fortran_order': False, 'shape': [2}\n",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}\n",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}\n",
        b"\xff\xfe",
        b"",
    ],
)
def test_headers_that_are_none_are_refused(tmp_path, header):
    with pytest.raises(ValueError, match=r"\S"):
        read_arrays(stored(tmp_path / "a.npz", header))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="zip"):
        read_arrays(tmp_path / "a.npz")
