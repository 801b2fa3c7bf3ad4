"""What a batch has done, written down as it goes: one JSON line an event, so that a killed batch can be taken up again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from visiongen import media
from visiongen.claims import Claim, claim, lock_file
from visiongen.errors import MediaError

_WHERE = ("portrait", "driving", "out", "save_motion", "overwrite")
"""Options that do not change what is made; of the files what is in them counts."""


def job_key(values: Mapping[str, Any]) -> str:
    """Checksum of all that a result depends on: options, contents of the inputs, version.

    Raises:
        MediaError: An input cannot be read.
    """
    inputs = [_content(values[name], *_stamp(Path(values[name]))) for name in ("portrait", "driving")]
    options = {name: value for name, value in sorted(values.items()) if name not in _WHERE}
    text = json.dumps([metadata.version("visiongen"), inputs, options, Path(values["out"]).suffix])
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check its name") from error
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)
def _content(path: str, size: int, changed: int) -> str:
    """A clip that drives a thousand portraits is read once."""
    return media.sha256(path)


class Journal:
    """Open while a batch runs; another batch with the same journal is refused. Use in ``with``."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: Of the file; made where it is missing.
        Raises:
            MediaError: It cannot be read or written, or another batch writes it.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            mine = claim(lock_file(path))
            if mine is None:
                raise MediaError(f"{path} is being written by another batch; wait for it, or choose another --report")
            self._claim: Claim = mine
            self._entries = _read(path)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":  # a line that was cut off stays alone
                os.write(self._file, b"\n")
        except OSError as error:
            raise MediaError(f"the journal {path} cannot be written ({error.strerror}); see --report") from error

    def is_done(self, out: Path, key: str) -> dict[str, Any] | None:
        """What was written down of a result that lies there as this key made it; None where it is to be made."""
        entry = self._entries.get(str(out), {})
        if entry.get("state") == "done" and entry.get("key") == key and entry.get("stamp") == _result_stamp(out):
            return entry
        return None

    def is_ours(self, out: Path) -> bool:
        """Whether what lies at `out` was made by this batch, and so may be replaced by it."""
        entry = self._entries.get(str(out), {})
        if entry.get("state") == "done":
            return entry.get("stamp") == _result_stamp(out)
        return bool(entry.get("was_free"))

    def begin(self, out: Path, key: str) -> None:
        """A job begins; what will lie at `out` is its own if nothing lay there before, or only what was its own."""
        free = not os.path.lexists(out) or self.is_ours(out)
        self._append({"state": "begun", "out": str(out), "key": key, "was_free": free})

    def end(self, out: Path, key: str, state: str, **found: Any) -> None:
        """A job has ended."""
        kept = self._entries.get(str(out), {}).get("was_free", False)
        entry = {"state": state, "out": str(out), "key": key, "was_free": kept, **found}
        self._append(entry | ({"stamp": _result_stamp(out)} if state == "done" else {}))

    def _append(self, entry: dict[str, Any]) -> None:
        self._entries[entry["out"]] = entry
        try:
            os.write(self._file, (json.dumps(entry) + "\n").encode())  # one write to the end: whole, or cut off
        except OSError as error:
            raise MediaError(f"the journal {self._path} cannot be written ({error.strerror}); make room") from error

    def close(self) -> None:
        """Lets another batch have it."""
        os.close(self._file)
        self._claim.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The last entry of every result."""
    entries: dict[str, dict[str, Any]] = {}
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                    entries[entry["out"]] = entry
                except (ValueError, KeyError, TypeError):  # cut off by a kill
                    continue
    return entries


def _result_stamp(out: Path) -> list[int] | None:
    """Size and time of a result; of a folder, of its newest file."""
    try:
        files = sorted(out.iterdir()) if out.is_dir() else [out]
        found = [file.stat() for file in files]
        return [sum(one.st_size for one in found), max(one.st_mtime_ns for one in found)]
    except (OSError, ValueError):
        return None
