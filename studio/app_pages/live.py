"""Live: the camera drives a portrait in real time."""

from __future__ import annotations

from pathlib import Path

import cv2
import streamlit as st

from studio.components.live import live_camera
from studio.forms import component_form, motion_form, set_form
from studio.live_route import PATH, is_unfinished, issue_ticket, ticket, update_ticket
from studio.result_view import show_warnings
from studio.session import components, get_queue, get_store, open_page, session_id
from studio.settings import Settings, part_of
from studio.store import Run
from studio.taken import take
from studio.uploads import MAX_PICTURE_BYTES, PICTURES, SAMPLE_PORTRAITS, add_portrait, sample_portrait
from visiongen import MotionSettings
from visiongen.media import read_picture

_SIZES = (192, 256, 384, 512)
_OTHER = "Upload"
_ANIMATE = "From Animate"
_PRESETS = {
    "Natural": {},
    "Calm": {"pose": 0.6, "mouth": 0.8, "brows": 0.8, "smoothing": 0.7},
    "Lively": {"pose": 1.2, "mouth": 1.3, "eyes": 1.1, "brows": 1.5, "smoothing": 0.3},
}
_SHOWN = 512


def _portrait() -> tuple[str, str, int] | None:
    """Path, name and face of the chosen picture."""
    state = st.session_state
    kept = state.get("portrait")
    choices = [*SAMPLE_PORTRAITS, _OTHER, *([_ANIMATE] if kept is not None and kept.source != "sample" else [])]
    state.setdefault("live.portrait", next(iter(SAMPLE_PORTRAITS)))
    chosen = st.pills("Portrait", choices, key="live.portrait", required=True, persist_state="session",
                      help="What your camera moves: a sample, a picture of your own, or the one chosen on the page "
                           "Animate.")  # fmt: skip
    if chosen in SAMPLE_PORTRAITS:
        picture = sample_portrait(chosen)
        return picture.path, picture.name, 0
    if chosen == _ANIMATE and kept is not None:
        return kept.path, kept.name, int(state.get("face") or 0)
    given = st.file_uploader("Picture of a face", type=[one[1:] for one in PICTURES], key="live.upload",
                             max_upload_size=MAX_PICTURE_BYTES >> 20)  # fmt: skip
    if given is not None:
        store, session, ask = get_store(), session_id(), get_queue().ask
        taken = take("live", given.file_id, lambda: add_portrait(
            given.getvalue(), given.name, store=store, session=session, ask=ask
        ))  # fmt: skip
        if taken.problem:
            st.error(taken.problem)
        elif not taken.is_used:
            state["live.uploaded"] = taken.kept
            taken.is_used = True
    uploaded = state.get("live.uploaded")
    return (uploaded.path, uploaded.name, 0) if uploaded is not None else None


@st.cache_data(max_entries=20, show_spinner=False)
def _still(path: str) -> bytes:
    """The picture as a small JPEG."""
    pixels = read_picture(Path(path))
    scale = min(1.0, _SHOWN / max(pixels.shape[:2]))
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def _use_preset() -> None:
    if chosen := st.session_state.get("live.preset"):
        set_form(MotionSettings, "live.motion", _PRESETS[chosen])


def _settings(path: str, name: str, face: int) -> tuple[Settings, int]:
    """What the widgets say, and the size of what is moved."""
    st.session_state.setdefault("live.preset", next(iter(_PRESETS)))
    st.segmented_control("Preset", list(_PRESETS), key="live.preset", on_change=_use_preset, persist_state="session",
                         width="stretch", help="A starting point for the sliders below.")  # fmt: skip
    with st.expander("Movement"):
        motion = motion_form("live.motion", only=("mode", "pose", "mouth", "eyes", "brows", "smoothing", "scale"))
    offers = {name: one for name, one in components("generator").items() if one.needs == "motion"}
    with st.expander("Generator and size"):
        names = list(offers)
        chosen = st.selectbox("Generator", names, index=names.index("vae-gan") if "vae-gan" in names else 0,
                              key="live.generator", persist_state="session",
                              help="Generators that need only the motion. `warp` is the fastest.")  # fmt: skip
        st.caption(offers[chosen].summary)
        options = component_form(offers[chosen], f"live.{chosen}")
        st.session_state.setdefault("live.size", 256)
        size = st.select_slider("Size, pixels", _SIZES, key="live.size", persist_state="session",
                                help="Side of the moved crop. Smaller is faster.")  # fmt: skip
    settings = Settings(portrait=path, portrait_name=name, driving="camera.mp4", driving_name="camera", face=face,
                        generator=part_of(chosen, options), motion=motion, full=False)  # fmt: skip
    return settings, int(size)


def _ticket_for(settings: Settings, size: int) -> tuple[str, int]:
    """A ticket that fits, and how often its motion settings have changed."""
    state = st.session_state
    held = state.get("live.held")
    fixed = (settings.replace(motion=MotionSettings()), size)
    if held is None or held["fixed"] != fixed or ticket(held["key"]) is None:
        key = issue_ticket(settings, session=session_id(), store=get_store(), size=size)
        held = state["live.held"] = {"key": key, "fixed": fixed, "motion": settings.motion, "version": 0}
    elif held["motion"] != settings.motion:
        update_ticket(held["key"], settings)
        held["motion"], held["version"] = settings.motion, held["version"] + 1
    return held["key"], held["version"]


def _last_recording() -> Run | None:
    """The newest recording of this session that was not given up."""
    found = get_store().runs(session_id(), states=("running", "done"))
    return next((run for run in found if run.settings.driving_name == "camera" and not run.settings.full), None)


def _recorded() -> None:
    """What was recorded last; while it is written and measured, it is looked at again and again."""
    run = _last_recording()
    if run is not None:
        waiting = is_unfinished(run.id)
        st.subheader("Last recording", anchor=False)
        st.fragment(_recording, run_every=1.0 if waiting else None)(run.id, waiting)


def _recording(run_id: str, waited: bool) -> None:
    run, waiting = get_store().find(run_id), is_unfinished(run_id)
    if run is None or (waited and not waiting):
        st.rerun()
    film = run.file("result.mp4") if run.state == "done" else None
    if film is None:
        st.caption("Writing the recording …" if waiting else "This recording was not written.")
        return
    player, side = st.columns([2, 1])
    player.video(str(film), loop=True)
    side.write(f"{run.frames / float(run.fps):.1f} s, {run.size[1]} x {run.size[0]} pixels. It is in the Gallery.")
    with side:
        show_warnings(run)
    side.download_button("Download MP4", film.read_bytes(), f"{run.title}.mp4", "video/mp4", width="stretch")
    for file, label in (("app_pages/inspect_frames.py", "Inspect"), ("app_pages/compare.py", "Compare")):
        if side.button(label, disabled=run.file("tracks.npz") is None, width="stretch"):
            open_page(file, run=run.id)
    if waiting:
        side.caption("Its landmarks are being looked for; a moment more for Inspect and Compare.")
    help_text = "Makes the film again from your camera's pictures, in the picture's own size and with full smoothing."
    if side.button("Render it in full quality", help=help_text, width="stretch"):
        again = run.settings.replace(full=True)
        job = get_queue().submit(again, session_id(), f"{run.title}, full quality")
        open_page("app_pages/animate.py", run=job)


st.title("Live", anchor=False)
with st.container(key="workbench"):  # on small screens the right column comes first, see `studio.frame`
    left, right = st.columns([1.15, 2.4], gap="large")
with left:
    portrait = _portrait()
    if portrait is not None:
        wanted, size = _settings(*portrait)
    st.caption(
        "Move only faces whose owners have agreed. What is shown and recorded is marked as made by a machine. "
        "Nothing leaves this machine."
    )
with right:
    if portrait is None:
        st.info("Choose a picture of a face, or one of the samples.")
    else:
        key, version = _ticket_for(wanted, size)
        live_camera(path=PATH, ticket=key, version=version, portrait=_still(portrait[0]), key="live.camera")
        with st.expander("How to get a good picture"):
            st.markdown(
                "- Light your face from the front and sit so that it fills a third of the picture's height.\n"
                "- Begin with a relaxed face, mouth closed, looking straight ahead: this is the neutral face to which all "
                "movement is relative. **Set neutral face** (key `n`) takes it anew.\n"
                "- Too slow? Choose a smaller size or the generator `warp`, and let no other render run."
            )
        _recorded()
