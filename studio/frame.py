"""What is round every page: styles, what is being rendered, and one clear message where a page fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from studio.session import get_queue, session_id
from visiongen.errors import VisionGenError

logger = logging.getLogger(__name__)
# Themes are in config.toml; here is only what it has no words for.
_STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding: 4.4rem 2.2rem 2rem; max-width: 110rem; }
[data-testid="stMain"] h2, [data-testid="stMain"] h3 { padding: 0.15rem 0; }
.st-key-portrait_source button, .st-key-driving_source button { padding: 0.2rem 0.3rem; min-height: 2rem; }
.st-key-portrait_source button p, .st-key-driving_source button p { font-size: 0.82rem; }
.st-key-sample_portrait button { padding: 0.1rem 0.5rem; min-height: 1.8rem; }
.st-key-sample_portrait button p { font-size: 0.82rem; }
.st-key-portrait_picture img { max-height: 15.5rem; object-fit: contain; }
.st-key-preview_slot img, .st-key-job_picture img { max-height: 66vh; object-fit: contain; }
[data-testid="stBaseButton-primary"], [data-testid="stBaseButton-primary"]:hover {
  background: #4456dd; border-color: #4456dd; color: #fff; }
[data-testid="stBaseButton-primary"]:hover { background: #3547c6; }
[data-testid="stBaseButton-primary"]:disabled { background: transparent; border-color: var(--st-border-color);
  color: inherit; opacity: 0.5; }
[data-testid="stMultiSelect"] [data-baseweb="tag"] { background: #4456dd; color: #fff; }
[data-testid="stMetricValue"] { font-size: 1.4rem; }
[data-testid="stCaptionContainer"] { text-wrap: pretty; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 1.5rem; }
  /* What is made, and the button that makes it, before the inputs. */
  .st-key-workbench > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
    > [data-testid="stColumn"]:last-child { order: -1; }
}
</style>
"""


def draw_header() -> None:
    """Styles, and what is being rendered for this session while another page is open."""
    st.html(_STYLE)
    session_id()


def running_note(page: str) -> None:
    """A line on the renders of this session, on every page but Animate, which shows more."""
    jobs = get_queue().active(session_id())
    if not jobs or page == "Animate":
        return

    @st.fragment(run_every=2)
    def note() -> None:
        now = get_queue().active(session_id())
        if not now:
            st.toast("Rendering has ended: see Animate or the Gallery.", icon=":material/check:")
            st.rerun()
        job = now[0]
        share = f" {job.done} of {job.total}" if job.total else ""
        more = f", {len(now) - 1} more in the queue" if len(now) > 1 else ""
        st.caption(f":material/hourglass_top: Rendering goes on: {job.stage}{share}{more}.")

    note()


@contextmanager
def guarded() -> Iterator[None]:
    """Shows what a page could not do, in one sentence, instead of a traceback; the studio lives on."""
    try:
        yield
    except VisionGenError as error:
        st.error(str(error))
    except Exception as error:  # Streamlit stops and reruns scripts with a BaseException, which passes
        logger.exception("a page failed")
        st.error(f"This page failed ({type(error).__name__}: {error}). Reload it, or go on with another one.")
