"""What every test gets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """The command line, run inside a test or a fixture, sets up the package's logger for a whole process: start anew."""
    logger = logging.getLogger("visiongen")
    logger.propagate, logger.handlers[:] = True, []
    logger.setLevel(logging.NOTSET)
    yield
