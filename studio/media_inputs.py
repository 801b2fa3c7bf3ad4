"""The cards for what goes in: a portrait with its face, a clip with the piece that is used."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st

from studio.components.piece import piece_player
from studio.components.recorder import recorder
from studio.session import get_queue, get_store, session_id
from studio.settings import with_name
from studio.taken import take
from studio.uploads import (
    MAX_PICTURE_BYTES,
    MAX_VIDEO_BYTES,
    PICTURES,
    SAMPLE_PORTRAITS,
    TEMPLATES,
    VIDEOS,
    DrivingFile,
    PortraitFile,
    add_driving,
    add_portrait,
    sample_driving,
    sample_portrait,
    upload_folder,
)
from visiongen.errors import VisionGenError
from visiongen.media import read_picture

PORTRAIT_SOURCES = ("Sample", "Upload", "Camera", "Clip")
DRIVING_SOURCES = ("Sample", "Upload", "Record", "Template")
_LINE = {"persist_state": "session", "required": True, "width": "stretch"}


# -- portrait ----------------------------------------------------------------------------------------------------------


def portrait_card() -> tuple[PortraitFile | None, int | None]:
    """Chooses a picture and one of its faces: (the picture, number of the face); None for the face where there is
    none."""
    state = st.session_state
    st.subheader("Portrait", anchor=False, help="A photo, painting, drawing or statue in which a face can be seen.")
    st.segmented_control(
        "Portrait from", PORTRAIT_SOURCES, key="portrait_source", label_visibility="collapsed", **_LINE,
        on_change=_forget_problem, args=("portrait",),
    )  # fmt: skip
    {"Sample": _sample_portrait, "Upload": _uploaded_portrait, "Camera": _photographed, "Clip": _frame_of_clip}[
        state["portrait_source"]
    ]()
    _show_problem("portrait")
    portrait: PortraitFile | None = state.get("portrait")
    if portrait is None:
        return None, None
    with st.container(key="portrait_picture"):
        return portrait, _crop_preview(portrait)


def _sample_portrait() -> None:
    st.pills("Sample portrait", list(SAMPLE_PORTRAITS), key="sample_portrait", required=True,
             label_visibility="collapsed", persist_state="session")  # fmt: skip
    chosen = SAMPLE_PORTRAITS[st.session_state["sample_portrait"]]
    if _differs("portrait", "sample", chosen):
        _set_portrait(sample_portrait(st.session_state["sample_portrait"]))


def _differs(slot: str, source: str, name: str) -> bool:
    now = st.session_state.get(slot)
    return now is None or now.source != source or now.name != name


def _set_portrait(portrait: PortraitFile) -> None:
    st.session_state["face"] = 0
    st.session_state["portrait_problem"] = ""
    st.session_state["portrait"] = portrait  # last: until then this is done again


def _uploaded_portrait() -> None:
    given = st.file_uploader(
        "Portrait file", type=[one[1:] for one in PICTURES], key="portrait_upload", label_visibility="collapsed",
        max_upload_size=MAX_PICTURE_BYTES >> 20,
    )  # fmt: skip
    _take("portrait", given, "upload", add_portrait)


def _photographed() -> None:
    # Without a resolution, Streamlit's picture is as small as the column on the screen.
    given = st.camera_input("Take a picture", key="portrait_camera", label_visibility="collapsed", resolution="720p")
    _take("portrait", given, "camera", add_portrait, name="camera.jpg")


def _take(slot: str, given: Any, source: str, add: Callable[..., Any], name: str = "") -> None:
    """Keeps what a widget gives, once, under its own name or another one."""
    if given is not None:
        _keep(slot, given.file_id, given.getvalue, name or given.name, source, add)


def _keep(slot: str, file_id: str, data: Callable[[], bytes], name: str, source: str, add: Callable[..., Any]) -> None:
    store, session, ask = get_store(), session_id(), get_queue().ask

    def added() -> Any:
        with st.spinner("Looking at the file …"):
            return add(data(), name, store=store, session=session, ask=ask, source=source)

    taken = take(slot, f"{source} {file_id}", added)
    if taken.is_used:
        return
    if taken.problem:
        st.session_state[f"{slot}_problem"] = taken.problem
    else:
        (_set_portrait if slot == "portrait" else set_driving)(taken.kept)
    taken.is_used = True


def _frame_of_clip() -> None:
    """Self-reenactment: what comes out can be compared with the clip, frame by frame."""
    driving: DrivingFile | None = st.session_state.get("driving")
    if driving is None or driving.is_template:
        st.info("Choose a video as the driving clip first; one of its frames is the portrait then.")
        return
    last = max(driving.seconds - 1 / driving.fps, 0.01)
    time = st.slider(
        "Frame of the clip at, s", 0.0, last, step=1 / driving.fps, format="%.2f", key="portrait_time",
        persist_state="session", help="The clip drives a picture of itself: the result is then compared with the clip.",
    )  # fmt: skip
    name = f"{Path(driving.name).stem} at {time:.2f} s"
    if _differs("portrait", "clip", name):
        out = upload_folder(get_store(), session_id()) / f"{uuid.uuid4().hex}.png"
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            answer = get_queue().ask({"do": "frame", "path": driving.path, "time": time, "out": str(out)}, seconds=30)
        except VisionGenError as error:
            st.session_state["portrait_problem"] = str(error)
            return
        _set_portrait(PortraitFile(path=str(out), name=name, size=tuple(answer["size"]), source="clip",
                                   of_clip=driving.path))  # fmt: skip


def _crop_preview(portrait: PortraitFile) -> int | None:
    """Shows what is cropped, and lets the user choose among several faces."""
    task = {"do": "faces", "picture": portrait.path, "name": portrait.name}
    answer = get_queue().desk.ask(task, slot=f"{session_id()} faces")
    if answer.is_open:
        caption = "Looking for the face …" + ("" if get_queue().is_warm else " (models are starting)")
        st.image(_drawn(portrait.path, "[]", 0), width="stretch", caption=caption)
        wait_for(task, "faces")
        return int(st.session_state.get("face") or 0)
    if answer.problem:
        st.image(_drawn(portrait.path, "[]", 0), width="stretch")
        st.error(with_name(answer.problem, Path(portrait.path), portrait.name))
        return None
    faces = answer.values["faces"]
    st.session_state["face"] = min(st.session_state.get("face") or 0, len(faces) - 1)
    slot = st.empty()
    if len(faces) > 1:
        st.segmented_control(
            "Face to move", range(len(faces)), format_func=lambda one: f"{one + 1}", key="face", **_LINE,
            help=f"{len(faces)} faces were found; 1 is the largest.",
        )  # fmt: skip
    face = int(st.session_state["face"])
    corners = str([one["corners"] for one in faces])
    note = f" ({portrait.note})" if portrait.note else ""
    caption = f"{portrait.name}, {portrait.size[1]}\u00a0×\u00a0{portrait.size[0]}{note}; the frame shows the crop"
    slot.image(_drawn(portrait.path, corners, face), width="stretch", caption=caption)
    return face


@st.cache_data(max_entries=40, show_spinner=False)
def _drawn(path: str, corners: str, chosen: int) -> np.ndarray:
    """The picture, small, with the crops of its faces; the chosen one bright and the rest dimmed."""
    import ast

    image = read_picture(path)
    scale = min(1.0, 560 / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    squares = [np.round(np.array(one) * scale).astype(np.int32) for one in ast.literal_eval(corners)]
    if squares:
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [squares[chosen]], 255)
        image = np.where(mask[..., None] > 0, image, (image * 0.45).astype(np.uint8))
    for number, square in enumerate(squares):
        colour = (255, 178, 64) if number == chosen else (200, 200, 200)
        cv2.polylines(image, [square], True, colour, 2, cv2.LINE_AA)
        if len(squares) > 1:
            place = tuple(int(v) for v in np.clip(square[0] + [6, 24], [6, 24], [size[0] - 20, size[1] - 6]))
            for ink, width in (((0, 0, 0), 6), (colour, 2)):  # a dark rim: readable on any picture
                cv2.putText(image, str(number + 1), place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, width, cv2.LINE_AA)
    return image


# -- driving clip ------------------------------------------------------------------------------------------------------


def driving_card() -> tuple[DrivingFile | None, float, float | None]:
    """Chooses a clip or a template and a piece of it: (the clip, start, end), s; None for the end: to its end."""
    state = st.session_state
    st.subheader(
        "Driving clip", anchor=False, help="Who moves: a video of one face, or a motion template saved from one."
    )
    st.segmented_control("Clip from", DRIVING_SOURCES, key="driving_source", label_visibility="collapsed", **_LINE,
                         on_change=_forget_problem, args=("driving",))  # fmt: skip
    {"Sample": _sample_clip, "Upload": _uploaded_clip, "Record": _recorded, "Template": _template}[
        state["driving_source"]
    ]()
    _show_problem("driving")
    driving: DrivingFile | None = state.get("driving")
    if driving is None:
        return None, 0.0, None
    return driving, *_piece(driving)


def set_driving(driving: DrivingFile, start: float = 0.0, end: float | None = None) -> None:
    """Makes a clip the one that drives; `start` and `end` of its piece, s."""
    st.session_state["driving_problem"] = ""
    st.session_state["piece"] = (start, driving.seconds if end is None else min(end, driving.seconds))
    st.session_state["preview_frame"] = 0
    st.session_state["portrait_time"] = 0.0
    st.session_state["driving"] = driving  # last: until then this is done again


def _sample_clip() -> None:
    if _differs("driving", "sample", "driving.mp4"):
        set_driving(sample_driving())


def _uploaded_clip() -> None:
    given = st.file_uploader(
        "Driving clip file", type=sorted({one[1:] for one in VIDEOS}), key="driving_upload",
        label_visibility="collapsed", max_upload_size=MAX_VIDEO_BYTES >> 20,
    )  # fmt: skip
    _take("driving", given, "upload", add_driving)


def _template() -> None:
    given = st.file_uploader(
        "Motion template", type=[one[1:] for one in TEMPLATES], key="template_upload", label_visibility="collapsed",
        help="What `visiongen animate --save-motion` or the button Motion below a result wrote: movement without a picture.",
    )  # fmt: skip
    _take("driving", given, "template", add_driving)


def _recorded() -> None:
    try:
        given = recorder(key="driving_recorder")
    except VisionGenError as error:
        st.session_state["driving_problem"] = str(error)
        return
    if given is not None:
        _keep("driving", given.number, lambda: given.data, f"recording{given.ending}", "record", add_driving)


def _piece(driving: DrivingFile) -> tuple[float, float | None]:
    step = 1 / driving.fps
    start, end = st.session_state.get("piece") or (0.0, driving.seconds)
    slot = st.container(key="driving_picture")
    if driving.seconds > 3 * step:
        start, end = st.slider(
            "Piece to use, s", 0.0, driving.seconds, step=step, format="%.2f", key="piece", persist_state="session",
            help="Only this piece of the clip drives the portrait. The player above plays it.",
        )  # fmt: skip
        end = max(end, start + 2 * step)
    if driving.is_template:
        slot.info(f"Motion template **{driving.name}**: {driving.seconds:.1f} s of movement, without pictures.")
    else:
        with slot:
            piece_player(Path(driving.playable), start=start, end=end, key="piece_player")
    frames = max(1, round((end - start) / step))
    sound = ", sound" if driving.has_audio else ""
    st.caption(f"{driving.name}: {frames} of {driving.frames} frames, {driving.fps:.4g} fps, "
               f"{driving.size[1]}\u00a0×\u00a0{driving.size[0]}{sound}")  # fmt: skip
    if driving.note:
        st.warning(f"{driving.note}. What can be read is used; save or download the clip again to have all of it.")
    whole = end >= driving.seconds - step / 2
    return round(start, 4), None if whole else round(end, 4)


# -- shared ------------------------------------------------------------------------------------------------------------


def _show_problem(slot: str) -> None:
    if problem := st.session_state.get(f"{slot}_problem"):
        st.error(problem)


def _forget_problem(slot: str) -> None:
    """What was wrong with a file is of no interest where another source is chosen."""
    st.session_state[f"{slot}_problem"] = ""


def wait_for(task: dict[str, Any], slot: str) -> None:
    """Tells how far a question is, and draws the page again when the desk has the answer."""

    @st.fragment(run_every=0.3)
    def waiting() -> None:
        answer = get_queue().desk.ask(task, slot=f"{session_id()} {slot}")
        if not answer.is_open:
            st.rerun()
        if answer.progress:
            st.caption(answer.progress)

    waiting()


def picture_of(answer: dict[str, Any]) -> bytes:
    """The PNG of an answer of the worker."""
    return base64.b64decode(answer["png"])
