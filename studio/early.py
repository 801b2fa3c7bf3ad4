"""What the first visits of pages would wait for, loaded into the server as soon as nobody waits for anything else."""

from __future__ import annotations

import gc
import importlib
import threading
import time
from collections.abc import Callable

import numpy as np

_MODULES = (
    "studio.compare_data", "studio.failure_cards", "studio.inspect_views", "studio.installation", "studio.opinions",
    "studio.result_view", "studio.verifying",
)  # fmt: skip
_LONGEST_WAIT, _STEP = 120.0, 0.2
"""s"""


def load_early(is_free: Callable[[], bool]) -> threading.Thread:
    """Starts a thread that waits until `is_free` and loads then what pages need."""
    thread = threading.Thread(target=_wait_and_load, args=(is_free,), name="studio-early", daemon=True)
    thread.start()
    return thread


def _wait_and_load(is_free: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not is_free() and time.monotonic() - begun < _LONGEST_WAIT:
        time.sleep(_STEP)
    load_pages()
    # Streamlit collects garbage after every run of a page, while the browser waits for the last messages. Modules hold
    # 140 000 objects that never become garbage; without them it takes a few milliseconds instead of a hundred.
    gc.collect()
    gc.freeze()


def load_pages() -> None:
    """Imports what pages import, and has libraries do once what is slow only the first time."""
    for name in _MODULES:
        importlib.import_module(name)
        time.sleep(0)  # a page that is drawn meanwhile comes first
    import pandas as pd
    from PIL import Image
    from plotly.io import to_json
    from streamlit.dataframe_util import convert_pandas_df_to_arrow_bytes

    from studio.figures_face import vectors_figure
    from studio.figures_metrics import frames_figure
    from studio.installation import versions
    from studio.measurements import Measurement
    from studio.regions import NUM_POINTS, mesh_edges
    from visiongen import plugins

    mesh_edges()
    plugins.components()
    versions()
    Image.preinit()
    convert_pandas_df_to_arrow_bytes(pd.DataFrame({"one": ["text"]}))
    face = np.random.default_rng(0).random((NUM_POINTS, 3))
    for figure in (
        frames_figure([Measurement(name="one", scores={}, series={"ssim": np.ones(2)})], ["ssim"]),
        vectors_figure(face, 2 * face, size=(2, 2)),
    ):
        to_json(figure, validate=False)
