"""Progress on the terminal: stage, rate and time left, on standard error."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

_QUIET_SECONDS = 5.0


class ProgressBar:
    """To be passed as `progress`: a bar where somebody watches, elsewhere a line every few seconds. Use in ``with``."""

    def __init__(self, *, stream: Any = None) -> None:
        self._stream = stream or sys.stderr
        self._watched = self._stream.isatty()
        self._bar: Any = None
        self._stage = ""
        self._begun = self._told = time.monotonic()
        self.rates: dict[str, float] = {}
        """Stage -> frames per second, over the whole stage with the work before its first frame."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """See `visiongen.pipeline.Progress`."""
        now = time.monotonic()
        if stage != self._stage:
            if self._stage:
                self._begun = self._told
            self._next_bar(stage, total)
        self.rates[stage] = done / max(now - self._begun, 1e-9)
        if self._bar is not None:
            if total is not None and done > total:  # containers may promise less than they hold
                self._bar.total = done
            self._bar.update(done - self._bar.n)
        elif now - self._line_at >= _QUIET_SECONDS:
            self._line_at = now
            left = f", {max(total - done, 0) / self.rates[stage]:.0f} s left" if total else ""
            of = f"/{total}" if total else ""
            print(f"{stage}: {done}{of} frames, {self.rates[stage]:.1f}/s{left}", file=self._stream, flush=True)
        self._told = now

    def _next_bar(self, stage: str, total: int | None) -> None:
        self._close_bar()
        self._stage, self._line_at = stage, time.monotonic()
        if self._watched:
            from tqdm import tqdm

            known = os.get_terminal_size(self._stream.fileno()).columns > 0  # some terminals in containers have no size
            width = {"dynamic_ncols": True} if known else {"ncols": 80, "nrows": 24}
            self._bar = tqdm(total=total, desc=stage, unit="frame", file=self._stream, leave=False, **width)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_bar()
