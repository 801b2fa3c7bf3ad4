"""Animate: one portrait, one clip, one button."""

from __future__ import annotations

import streamlit as st

from studio.empty_page import empty_page
from studio.job_view import follow_job
from studio.media_inputs import driving_card, picture_of, portrait_card, wait_for
from studio.render_form import making_controls, movement_controls
from studio.restoring import begin_page
from studio.result_view import show_result
from studio.session import get_queue, get_store, remember_run, session_id
from studio.settings import Settings
from studio.uploads import DrivingFile, is_sample
from visiongen.errors import VisionGenError

VIEWS = ("Preview", "Result")
CONSENT = "I may use this face and this clip"  # what is ticked, and then kept in the result


def chosen_settings() -> tuple[Settings | None, DrivingFile | None]:
    """All controls on the left, and what they say; None where something is missing."""
    portrait_column, driving_column = st.columns(2)
    with driving_column:
        driving, start, end = driving_card()
    with portrait_column:
        portrait, face = portrait_card()
    motion = movement_controls()
    making = making_controls(template=driving is not None and driving.is_template)
    if portrait is None or driving is None or face is None:
        return None, driving
    of_clip = portrait.of_clip == driving.path
    if of_clip and not making["full"]:
        st.caption(
            ":material/info: A face crop is not compared with the clip (SSIM): that takes the whole picture as framing."
        )
    settings = Settings(
        portrait=portrait.path, driving=driving.path, portrait_name=portrait.name, driving_name=driving.name,
        self_reenactment=of_clip and making["full"], motion=motion, face=face, start=start, end=end, **making,
    )  # fmt: skip
    return settings.replace(fills=_fills(settings)), driving


def _fills(settings: Settings) -> tuple[tuple[int, int], ...]:
    """Frames that a remedy has filled in, as long as clip and piece are those it was for."""
    key, fills = st.session_state.get("fills", (None, ()))
    return fills if key == (settings.driving, settings.start, settings.end) else ()


def has_consent() -> bool:
    """The tick that own media need; the samples are free."""
    inputs = [st.session_state.get(name) for name in ("portrait", "driving")]
    if all(one is None or is_sample(one.path) or is_sample(getattr(one, "of_clip", "")) for one in inputs):
        st.caption("Sample media: free to use.")
        return True
    return st.checkbox(
        CONSENT, key="consent", persist_state="session",
        help="Move only faces whose owners have agreed. What you confirm here is kept in the signed statement of the result.",
    )  # fmt: skip


def action_row(settings: Settings | None) -> None:
    """View, consent and the button, always in sight."""
    st.session_state.setdefault("view", VIEWS[0])
    view, consent, button = st.columns([2, 3, 2], vertical_alignment="center")
    with view:
        st.segmented_control("View", VIEWS, key="view", required=True, label_visibility="collapsed",
                             persist_state="session")  # fmt: skip
    with consent:
        allowed = has_consent()
    with button:
        why = "" if allowed else "Tick the box on the left first."
        pressed = st.button("Render", type="primary", shortcut="Ctrl+Enter", width="stretch", key="render",
                            icon=":material/play_arrow:", disabled=settings is None or not allowed, help=why or None,
                            on_click=st.session_state.update, args=({"view": "Result"},))  # fmt: skip
    # Not in the callback: it would get the settings as they were before what was typed last.
    if pressed and settings is not None and allowed:
        render(settings)


def render(settings: Settings) -> None:
    """Queues the render and makes it the run that is shown."""
    confirmed = CONSENT if st.session_state.get("consent") else ""
    try:
        remember_run(get_queue().submit(settings.replace(consent=confirmed), session_id()))
    except VisionGenError as error:
        st.error(str(error))


def preview(settings: Settings | None, driving: DrivingFile | None) -> None:
    """One frame of what would be rendered."""
    if settings is None or driving is None:
        empty_page("image_search", "Nothing to preview yet",
                   "It takes a portrait with a face and a driving clip; then one frame is shown here at once.")  # fmt: skip
        return
    step = 1 / driving.fps
    length = (driving.seconds if settings.end is None else settings.end) - settings.start
    frames = max(1, round(length / step))
    st.session_state["preview_frame"] = min(st.session_state.get("preview_frame", 0), frames - 1)
    slot = st.container(key="preview_slot")
    frame = 0
    if frames > 1:
        frame = st.slider("Frame of the preview", 0, frames - 1, key="preview_frame", persist_state="session",
                          help="Which frame of the piece is shown with the settings as they are now.")  # fmt: skip
    task = {"do": "preview", "settings": settings.to_dict(), "frame": frame}
    answer = get_queue().desk.ask(task, slot=f"{session_id()} preview")
    with slot:
        if answer.values:
            st.session_state["last_preview"] = picture_of(answer.values)
        elif answer.problem:
            st.error(answer.problem)
            return
        if "last_preview" in st.session_state:
            st.image(st.session_state["last_preview"], width="stretch")
        else:
            st.skeleton(height=480)
        if answer.is_open:
            st.caption("Making the preview …")
            wait_for(task, "preview")


def result() -> None:
    """The run that was rendered or opened last."""
    run_id = st.session_state.get("run")
    run = get_store().find(run_id) if run_id else None
    if run is None:
        empty_page("movie", "Nothing rendered yet", "Press **Render** (Ctrl+Enter) above: with the sample media it takes less "
                   "than a minute. While it works, its frames and scores grow here.")  # fmt: skip
        return
    if get_queue().job(run.id).is_active:
        follow_job(run.id)
    else:
        show_result(run)


begin_page()
with st.container(key="workbench"):  # on small screens the right column comes first, see `studio.frame`
    inputs, output = st.columns([5, 6], gap="large")
with inputs:
    wanted, clip = chosen_settings()
    st.session_state["wanted"] = wanted.to_dict() if wanted else None
with output:
    action_row(wanted)
    if st.session_state["view"] == "Preview":
        preview(wanted, clip)
    else:
        result()
