"""What pages share: the store and the queue of this server, who is asking, and which run is looked at."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from pathlib import Path
from typing import Any

import streamlit as st

from studio.early import load_early
from studio.jobs import JobQueue
from studio.retention import sweep
from studio.store import Run, Store, data_root
from visiongen import plugins
from visiongen.errors import VisionGenError
from visiongen.hookspecs import Component

DISABLED_PLUGINS = "disabled_plugins"
"""Key in the session's state: a set of `Component.plugin` texts whose components are not offered in this session."""
NEEDED = ("generator", "exporter")
"""Kinds that a render cannot do without."""


@st.cache_resource(show_spinner=False)
def _store_at(root: str) -> Store:
    return Store(Path(root))


@st.cache_resource(show_spinner=False)
def _queue_at(root: str) -> JobQueue:
    store = _store_at(root)
    with contextlib.suppress(OSError):
        sweep(store)
    queue = JobQueue(store)
    queue.warm_up()
    load_early(lambda: queue.is_warm)
    return queue


def get_store() -> Store:
    """The runs of this server: one for all sessions, made when first asked for."""
    return _store_at(str(data_root()))


def get_queue() -> JobQueue:
    """The jobs of this server: one for all sessions."""
    return _queue_at(str(data_root()))


def session_id() -> str:
    """Who is asking: the same after a page switch and, where the browser keeps cookies, after a reload."""
    if "session" not in st.session_state:
        cookie = st.context.cookies.get("_streamlit_xsrf", "")
        if not (isinstance(cookie, str) and cookie):  # no cookies, or no browser at all
            cookie = uuid.uuid4().hex
        st.session_state["session"] = hashlib.sha256(unmasked(cookie)).hexdigest()[:16]
    return st.session_state["session"]


def unmasked(cookie: str) -> bytes:
    """The secret in Streamlit's cookie: ``2|mask|secret xor mask|time``, in hex. The mask is another one in every answer, so
    that the cookie never looks the same; a cookie of another form stands for itself."""
    try:
        version, mask, masked, _ = cookie.split("|")
        key, secret = bytes.fromhex(mask), bytes.fromhex(masked)
        if version != "2" or not key or not secret:
            raise ValueError(version)
    except ValueError:
        return cookie.encode()
    return bytes(byte ^ key[at % len(key)] for at, byte in enumerate(secret))


def current_run() -> Run | None:
    """The run that pages look at: the one opened last, else the one named by ``?run=``, else the newest finished one."""
    store = get_store()
    for run_id in (st.session_state.get("run"), st.query_params.get("run")):
        run = store.find(str(run_id)) if run_id else None
        if run is not None:
            remember_run(run.id)
            return run
    finished = store.runs(states=("done",))
    return finished[0] if finished else None


def remember_run(run_id: str | None) -> None:
    """Makes `run_id` the run that pages look at, also after a reload."""
    if run_id is None:
        st.session_state.pop("run", None)
        st.query_params.pop("run", None)
        return
    st.session_state["run"] = run_id
    if st.query_params.get("run") != run_id:
        st.query_params["run"] = run_id


def open_page(file: str, *, run: str | None = None, frame: int | None = None) -> None:
    """Goes to a page, such as ``app_pages/inspect_frames.py``, with a run and a frame to look at."""
    if run is not None:
        st.session_state["run"] = run
    if frame is not None:
        st.session_state["frame"] = frame
    st.switch_page(file)


def components(kind: str) -> dict[str, Component]:
    """Name -> component of a kind ("generator", "enhancer" ...), without plugins switched off in this session; of what a
    render cannot do without, all, where nothing else would be left."""
    found = getattr(plugins, f"{kind}s")()
    disabled: Any = st.session_state.get(DISABLED_PLUGINS, set())
    left = {name: component for name, component in found.items() if component.plugin not in disabled}
    return left or (found if kind in NEEDED else left)


def explain(error: BaseException) -> str:
    """One sentence on an error for a page."""
    if isinstance(error, VisionGenError):
        return str(error)
    return f"{type(error).__name__}: {error}"
