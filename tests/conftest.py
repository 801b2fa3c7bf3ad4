"""What every test gets."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

# Two workers of xdist with two threads each wait for one another: one thread each is a sixth faster. Before torch loads.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """The command line, run inside a test or a fixture, sets up the package's logger for a whole process: start anew."""
    logger = logging.getLogger("visiongen")
    logger.propagate, logger.handlers[:] = True, []
    logger.setLevel(logging.NOTSET)
    yield


@pytest.fixture(scope="session", autouse=True)
def own_settings_folder(tmp_path_factory) -> Iterator[None]:
    """Certificates that tests make do not go into the settings of whoever runs them."""
    patch = pytest.MonkeyPatch()
    if "VISIONGEN_CREDENTIALS" not in os.environ:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
    yield
    patch.undo()
