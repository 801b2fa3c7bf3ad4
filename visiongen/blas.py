"""Linear algebra on one thread.

OpenBLAS, which NumPy and SciPy bring, starts a thread for every core, and between calls these wait by spinning. Landmarks
are small: nothing here is large enough for a second thread, but the spinning took a quarter of two cores from the network
and the encoder.
"""

from __future__ import annotations

import os

LIMIT = {"OPENBLAS_NUM_THREADS": "1"}
"""For the environment of a process that starts."""


def one_thread() -> None:
    """For this process, which has not loaded NumPy yet; who has set the variable is obeyed."""
    for name, value in LIMIT.items():
        os.environ.setdefault(name, value)
