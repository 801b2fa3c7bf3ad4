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
.st-key-sample_portrait button, .st-key-live-portrait button { padding: 0.1rem 0.5rem; min-height: 1.8rem; }
.st-key-sample_portrait button p, .st-key-live-portrait button p { font-size: 0.82rem; }
.st-key-portrait_picture img { max-height: 15.5rem; object-fit: contain; }
.st-key-preview_slot img, .st-key-job_picture img { max-height: 66vh; object-fit: contain; }
[data-testid="stBaseButton-primary"], [data-testid="stBaseButton-primary"]:hover {
  background: #4456dd; border-color: #4456dd; color: #fff; }
[data-testid="stBaseButton-primary"]:hover { background: #3547c6; }
[data-testid="stBaseButton-primary"]:disabled { background: transparent; border-color: var(--st-border-color);
  color: inherit; opacity: 0.5; }
[data-testid="stMultiSelect"] [data-baseweb="tag"] { background: #4456dd; color: #fff; }
/* Where the keyboard is: Streamlit draws nothing round these. */
:is([data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"], [data-testid="stPageLink-NavLink"],
  [data-testid="stElementToolbar"] button):focus-visible {
  outline: 2px solid #6675f0; outline-offset: 2px; border-radius: 0.4rem; }
[data-testid="stElementToolbar"]:focus-within { opacity: 1; }
/* Which files may be given, to the last one. */
[data-testid="stFileUploaderDropzoneInstructions"] span { white-space: normal; text-overflow: clip; }
/* What stands beside expanders, in their size. */
.stVerticalBlock[class*="st-key-without_options"] p { font-size: 0.875rem; }
[data-testid="stMetricValue"] { font-size: 1.4rem; }
[data-testid="stCaptionContainer"] { text-wrap: pretty; }
.st-key-empty_page { max-width: 44rem; margin: 4vh auto 1rem; padding: 2.2rem 2.4rem 2rem; text-wrap: pretty;
  border: 1px dashed color-mix(in srgb, currentColor 24%, transparent); border-radius: 1rem;
  background: color-mix(in srgb, currentColor 3%, transparent); }
.st-key-empty_page_icon { padding: 0.9rem; border-radius: 50%; background: rgb(102 117 240 / 0.18); margin-bottom: 0.4rem; }
.st-key-empty_page_icon p span { font-size: 2.4rem !important; line-height: 1; color: #6675f0; }
.st-key-early { display: none; }
.st-key-failure_examples img { aspect-ratio: 1; object-fit: cover; }
/* Where nothing hovers, the tools of a chart are always there: on a small screen over its legend. */
@media (max-width: 640px) and (hover: none) { .js-plotly-plot .modebar { display: none !important; } }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 4rem 1rem 1.5rem; }
  /* What is made, and the button that makes it, before the inputs. */
  .st-key-workbench > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
    > [data-testid="stColumn"]:last-child { order: -1; }
  .st-key-preset button { padding: 0.2rem 0.25rem; min-width: 0; }
  .st-key-preset button p, .st-key-live-portrait button p { font-size: 0.78rem; }
  .st-key-live-portrait button { padding: 0.1rem 0.4rem; }
  button kbd { display: none; }  /* who has a small screen seldom has keys */
  .st-key-empty_page { margin-top: 0; padding: 1.4rem 1rem; }
  /* Two in a row, whatever rows they were put in. */
  .st-key-failure_examples { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; }
  .st-key-failure_examples > *, .st-key-failure_examples > * > [data-testid="stHorizontalBlock"] { display: contents; }
  .st-key-failure_examples [data-testid="stColumn"] { min-width: 0; width: auto; }
  .st-key-job_numbers [data-testid="stHorizontalBlock"] { gap: 0.6rem; }
  .st-key-job_numbers [data-testid="stColumn"] { min-width: calc(50% - 0.6rem); flex: 1 1 calc(50% - 0.6rem); }
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
