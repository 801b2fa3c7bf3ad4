"""Messages between the server and the process that moves a portrait live: length, kind, content, over a pipe.

Kinds: ``J`` plain JSON, ``F`` a camera's picture (to the process) or a moved portrait (from it). A picture is a header
and a JPEG; the same bytes travel over the WebSocket, so that the server copies them through without looking inside. Instead
of a JPEG, a mirrored picture, the camera's may be "YU", its width and height (2 bytes each) and its three I420 planes as the
camera gave them, not mirrored: browsers have these at hand, and encoding would cost them more than all the rest.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

LARGEST = 4 << 20
"""Bytes of one message; a larger one is refused."""
_HEAD = struct.Struct(">IB")
_PICTURE = struct.Struct(">Id")  # number, time
_MOVED = struct.Struct(">IBxxxfff")  # number, flags, milliseconds of landmarks, motion, generate
VISIBLE, CALIBRATED, DROPPED, RECORDING = 1, 2, 4, 8


def write_message(pipe: BinaryIO, kind: str, content: bytes | dict[str, Any]) -> None:
    """Sends a message; the caller sees to it that two threads do not write at once."""
    data = json.dumps(content).encode() if isinstance(content, dict) else content
    pipe.write(_HEAD.pack(len(data), ord(kind)) + data)
    pipe.flush()


def read_message(pipe: BinaryIO) -> tuple[str, bytes] | None:
    """The next message, None at the end.

    Raises:
        ValueError: The bytes are no message.
    """
    head = _exactly(pipe, _HEAD.size)
    if head is None:
        return None
    length, kind = _HEAD.unpack(head)
    if length > LARGEST or chr(kind) not in "JF":
        raise ValueError(f"no message: kind {kind}, {length} bytes")
    content = _exactly(pipe, length)
    return None if content is None else (chr(kind), content)


def _exactly(pipe: BinaryIO, count: int) -> bytes | None:
    parts, missing = [], count
    while missing:
        part = pipe.read(missing)
        if not part:
            return None
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


@dataclass(frozen=True)
class CameraPicture:
    """A picture on its way to the process."""

    number: int
    time: float
    """When it was taken, s, by the browser's clock."""
    data: bytes
    """JPEG or planes."""

    def pack(self) -> bytes:
        """As bytes."""
        return _PICTURE.pack(self.number, self.time) + self.data

    @classmethod
    def unpack(cls, data: bytes) -> CameraPicture:
        """From bytes.

        Raises:
            ValueError: They are too few.
        """
        if len(data) <= _PICTURE.size:
            raise ValueError(f"a camera's picture has more than {_PICTURE.size} bytes, but got {len(data)}")
        return cls(*_PICTURE.unpack_from(data), data[_PICTURE.size :])


@dataclass(frozen=True, kw_only=True)
class MovedPicture:
    """A moved portrait on its way back, or (without a JPEG) word that a picture was left out for a newer one."""

    number: int
    visible: bool = False
    calibrated: bool = False
    dropped: bool = False
    recording: bool = False
    milliseconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Landmarks, motion, generate."""
    jpeg: bytes = b""

    def pack(self) -> bytes:
        """As bytes."""
        flags = (VISIBLE * self.visible + CALIBRATED * self.calibrated + DROPPED * self.dropped
                 + RECORDING * self.recording)  # fmt: skip
        return _MOVED.pack(self.number, flags, *self.milliseconds) + self.jpeg

    @classmethod
    def unpack(cls, data: bytes) -> MovedPicture:
        """From bytes.

        Raises:
            ValueError: They are too few.
        """
        if len(data) < _MOVED.size:
            raise ValueError(f"a moved portrait has at least {_MOVED.size} bytes, but got {len(data)}")
        number, flags, *milliseconds = _MOVED.unpack_from(data)
        return cls(
            number=number,
            visible=bool(flags & VISIBLE),
            calibrated=bool(flags & CALIBRATED),
            dropped=bool(flags & DROPPED),
            recording=bool(flags & RECORDING),
            milliseconds=(milliseconds[0], milliseconds[1], milliseconds[2]),
            jpeg=data[_MOVED.size :],
        )
