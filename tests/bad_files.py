"""Broken, hostile and odd files, made anew from a seed: what users, accidents and attackers may bring.

``python tests/bad_files.py FOLDER`` writes all of them below a folder. `corpus` is what tests and
``docs/measure_bad_input.py`` read; families are in `bad_pictures`, `bad_videos`, `bad_documents` and `bad_packages`.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Trap:
    """What no reader may touch: a folder with secrets, and a server on this machine."""

    folder: str
    """Holds secret.mp4, secret.png, secret.txt."""
    url: str
    """Without a slash at the end."""


@dataclass(frozen=True, kw_only=True)
class BadFile:
    """One bad file."""

    kind: str
    """Class of badness: a row of the table in docs/robustness.md."""
    name: bytes
    """As it lies on disk: any bytes but the slash and zero."""
    made: bytes | Callable[[], bytes]
    """What is in it, or what makes that when it is needed."""
    readers: tuple[str, ...]
    """Who reads it; names of `bad_file_readers.READERS`."""
    refuse: bool = False
    """Must be refused; others may be read where they can be."""
    beside: Mapping[str, bytes] = field(default_factory=dict)
    """Files in the same folder, by name."""
    sample: bool = False
    """One of the most dangerous, tried in every run of the tests."""

    def content(self) -> bytes:
        """What is in it."""
        return self.made() if callable(self.made) else self.made


def bad(kind: str, name: str | bytes, made: bytes | Callable[[], bytes], *readers: str, **more: object) -> BadFile:
    """A `BadFile`."""
    return BadFile(kind=kind, name=os.fsencode(name), made=made, readers=readers, **more)


# --- ways to break a good file ----------------------------------------------------------------------------------------


def broken(name: str, good: Callable[[], bytes], rng: np.random.Generator, *readers: str, cuts: int = 3, flips: int = 4,
           heads: int = 3, **more: object) -> Iterator[BadFile]:  # fmt: skip
    """A good file cut off, with bits turned anywhere, and with bytes replaced in its first hundred.

    Args:
        name: Of the good file; its suffix is kept.
        good: Makes its bytes.
        rng: Decides where.
        cuts, flips, heads: How many of each.
    """
    stem, suffix = os.path.splitext(name)
    for number, share in enumerate(np.linspace(0.02, 0.97, cuts)):
        made = partial(_cut, good, float(share))
        yield bad("truncated", f"{stem}-cut{number}{suffix}", made, *readers, **more)
    for number in range(flips):
        made = partial(_flipped, good, int(rng.integers(2**31)), number + 1)
        yield bad("bits turned", f"{stem}-flip{number}{suffix}", made, *readers, **more)
    for number in range(heads):
        made = partial(_overwritten, good, int(rng.integers(2**31)), number + 2)
        yield bad("header damaged", f"{stem}-head{number}{suffix}", made, *readers, **more)


def _cut(good: Callable[[], bytes], share: float) -> bytes:
    data = good()
    return data[: max(1, int(len(data) * share))]


def _flipped(good: Callable[[], bytes], seed: int, strength: int) -> bytes:
    data, rng = bytearray(good()), np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 1 + len(data) // 2000 * strength):
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _overwritten(good: Callable[[], bytes], seed: int, count: int) -> bytes:
    data, rng = bytearray(good()), np.random.default_rng(seed)
    for place in rng.integers(0, min(100, len(data)), count):
        data[place] = int(rng.integers(256))
    return bytes(data)


@cache
def zeros(megabytes: int, *, raw: bool = False) -> bytes:
    """Zeros by the megabyte, deflated; made by repetition, in a moment.

    Args:
        megabytes: How many.
        raw: As in zip files, not as in PNG.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = block * megabytes + b"\x03\x00"
    # Adler-32 of n zeros: 1 in its lower half, n modulo 65521 in its upper one.
    return stream if raw else b"\x78\xda" + stream + (((megabytes << 20) % 65521) << 16 | 1).to_bytes(4, "big")


HOSTILE_NAMES: tuple[bytes, ...] = (
    b"with space", b" leading", b"-i", b"--help", b"-rf *", b"it's", b'say "hi"', b"two\nlines", b"tab\there", b"$(touch made)",
    b";touch made;", b"`touch made`", b"|touch made", b"&& touch made", b"%d", b"a%03d", b"%s%n", b"{x}", b"[a-z]*?",
    b"concat:secret.mp4|secret", b"file:secret", b"pipe:0", b"data:,x", b"subfile,,start,0,end,0,,:secret", b"http:x",
    b"async:secret", b"~", b"..x", b"...", b"\\..\\..\\x", b"C:\\x", b"\xff\xfe latin", b"caf\xe9", b"\x1b[31mred\x1b[0m",
    b"\x07bell", "日本語".encode(), "\u202efdp.exe".encode(), "e\u0301".encode(), b"x" * 200, b"NUL", b"#hash?query=1",
)  # fmt: skip
"""Stems of file names that end up in messages, command lines, URLs and patterns of other programs."""


def oddly_named(good: Mapping[str, tuple[Callable[[], bytes], str]]) -> Iterator[BadFile]:
    """Good files under `HOSTILE_NAMES`; suffix -> (what makes it, reader)."""
    turns = list(good.items())
    for number, stem in enumerate(HOSTILE_NAMES):
        suffix, (data, reader) = turns[number % len(turns)]
        dangerous = stem[:1] in (b"-", b";", b"$") or b":" in stem or b"\n" in stem or b"%" in stem
        yield bad("hostile name", stem + suffix.encode(), data, reader, sample=dangerous and number % 2 == 0)
        if b":" in stem or b"%" in stem or b"\n" in stem or b"\xff" in stem:  # for every reader
            for other, (content, its_reader) in turns:
                if other != suffix:
                    yield bad("hostile name", stem + other.encode(), content, its_reader)


# --- all of them ------------------------------------------------------------------------------------------------------


def corpus(trap: Trap, *, seed: int = 0, sample: bool = False) -> list[BadFile]:
    """All bad files, each with a name of its own in its kind.

    Args:
        trap: Where references lead.
        seed: The same seed gives the same files.
        sample: Only the most dangerous ones.
    """
    import bad_documents
    import bad_packages
    import bad_pictures
    import bad_videos

    families: tuple[Callable[..., Iterator[BadFile]], ...] = (
        bad_pictures.pictures,
        bad_videos.videos,
        bad_videos.references,
        bad_documents.templates,
        bad_documents.manifests,
        bad_documents.reports,
        bad_packages.projects,
        bad_packages.checkpoints,
        bad_packages.pickles,
    )
    found = [
        one for number, family in enumerate(families) for one in family(np.random.default_rng([seed, number]), trap)
    ]
    good = {
        ".png": (partial(bad_pictures.picture, "PNG"), "picture"),
        ".mp4": (partial(bad_videos.video, "mp4"), "video"),
        ".npz": (bad_documents.template, "template"),
    }
    found += oddly_named(good)
    return [one for one in found if one.sample] if sample else found


def write(one: BadFile, folder: Path) -> Path:
    """Writes a bad file, and what lies beside it, into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in one.beside.items():
        (folder / name).write_bytes(data)
    path = os.path.join(os.fsencode(folder), one.name)
    with open(path, "wb") as file:
        file.write(one.content())
    return Path(os.fsdecode(path))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for index, made in enumerate(corpus(Trap(folder=str(target / "trap"), url="http://127.0.0.1:9"))):
        write(made, target / f"{index:04d}")
    print(f"{index + 1} files below {target}")
