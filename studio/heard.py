"""What VisionGen warns of while something is made: on the command line it is printed, in the studio it is shown."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType

_LOGGER = logging.getLogger("visiongen")
_UNSIGNED = "without Content Credentials"


def is_unsigned(warnings: Iterable[str]) -> bool:
    """One of them says that a result could not be signed."""
    return any(_UNSIGNED in text for text in warnings)


class HeardWarnings(logging.Handler):
    """Keeps the warnings of all threads; use in ``with``. The same text is kept once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        text = " ".join(record.getMessage().split())
        if text not in self.texts:
            self.texts.append(text)

    def __enter__(self) -> HeardWarnings:
        _LOGGER.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _LOGGER.removeHandler(self)
