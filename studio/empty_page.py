"""What a page shows while there is nothing to show: what one will see here, and an example one click away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from studio.run_choice import follow_jobs
from studio.session import components, get_queue, get_store, session_id
from studio.settings import Part, Settings
from visiongen.samples import sample

EXAMPLE_SECONDS = 2.0
_ANIMATE = "app_pages/animate.py"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Renders of the sample media that make a page work."""

    label: str
    """Of the button that starts them."""
    generators: tuple[str, ...] = ("vae-gan",)
    """One render of the same input for each."""
    jobs: str = "example"
    """Key in the session's state: ids of the jobs that were started."""

    def start(self) -> None:
        """Queues the renders; `empty_page` then shows how far they are."""
        base = Settings(portrait=str(sample("astronaut.jpg")), driving=str(sample("driving.mp4")), end=EXAMPLE_SECONDS)
        offered = components("generator")  # some may be switched off on the page Plugins
        st.session_state[self.jobs] = [
            get_queue().submit(base.replace(generator=Part(name=name)), session_id(), "Example")
            for name in self.generators
            if name in offered
        ]

    def running(self) -> list[str]:
        """Ids of its jobs that are not done yet."""
        return [one for one in self._known() if get_queue().job(one).is_active]

    def finished(self) -> list[str]:
        """Ids of its jobs that went well."""
        return [one for one in self._known() if get_queue().job(one).state == "done"]

    def problems(self) -> list[str]:
        """Why it did not work out."""
        return [job.message for one in self._known() if (job := get_queue().job(one)).state == "failed"]

    def _known(self) -> list[str]:
        """Its jobs whose runs were not deleted since."""
        return [one for one in st.session_state.get(self.jobs) or [] if get_store().find(one)]


def empty_page(
    icon: str, title: str, text: str, *, example: Example | None = None, more: Callable[[], None] | None = None
) -> None:
    """One block in the middle of the page.

    Args:
        icon: Name of a Material symbol.
        title: What is missing, in a few words.
        text: What one will see here, and what it takes.
        example: Offered as the first button; while it is rendered, its progress is shown in the buttons' place.
        more: Draws other ways to go on beside the link to the page Animate.
    """
    with st.container(key="empty_page", horizontal_alignment="center", gap="small"):
        with st.container(key="empty_page_icon", width="content"):
            st.markdown(f":material/{icon}:", width="content")
        st.subheader(title, anchor=False, text_alignment="center")
        st.markdown(text, text_alignment="center")
        if example is None:
            return
        if running := example.running():
            follow_jobs(running)
            return
        for problem in example.problems():
            st.error(f"The example could not be rendered: {problem}")
        with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center", gap="small"):
            st.button(example.label, type="primary", icon=":material/play_arrow:", on_click=example.start,
                      key="start_example", help="Renders two seconds of the sample media, in a few seconds.")  # fmt: skip
            if more is not None:
                more()
            st.page_link(_ANIMATE, label="or render your own on Animate", icon=":material/movie:")
