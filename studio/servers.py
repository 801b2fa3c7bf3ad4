"""Which studios are alive on one data folder: what a dead one left running is not mistaken for work in progress."""

from __future__ import annotations

import contextlib
import re
import uuid
from pathlib import Path

from visiongen.claims import claim, is_claimed

FOLDER = "servers"
_ID = re.compile(r"[0-9a-f]{12}")


class ServerMark:
    """The presence of this server; it ends with the process, however that ends."""

    def __init__(self, root: Path) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._folder = root / FOLDER
        self._claim = None
        with contextlib.suppress(OSError):  # a disk without room: the studio works, as if it were alone
            self._folder.mkdir(parents=True, exist_ok=True)
            self._claim = claim(self._file(self.id))
        self._remove_dead()

    def _file(self, server: str) -> Path:
        return self._folder / f"{server}.lock"

    def _remove_dead(self) -> None:
        for path in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError):
                is_claimed(path)  # whoever could take it removes it

    def is_alive(self, server: str) -> bool:
        """Whether the server of this id, which a run names, is this one or another one that runs."""
        return server == self.id or (bool(_ID.fullmatch(server)) and is_claimed(self._file(server)))

    def close(self) -> None:
        """This server is no more."""
        if self._claim is not None:
            self._claim.release()
