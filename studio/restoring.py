"""The state of the page Animate: its first values, and those of a run that is opened again."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from studio.media_inputs import DRIVING_SOURCES, PORTRAIT_SOURCES, set_driving
from studio.render_form import restore_controls
from studio.session import get_queue, get_store
from studio.settings import Settings
from studio.uploads import (
    SAMPLE_CLIP,
    SAMPLE_PORTRAITS,
    PortraitFile,
    is_sample,
    look_at_driving,
    sample_driving,
    sample_portrait,
)
from visiongen.errors import VisionGenError
from visiongen.samples import PORTRAIT

RESTORE = "restore"
"""Key in the session's state: `Settings.to_dict()` that Animate shall show next."""


def begin_page() -> None:
    """Fills the controls: with settings to be restored, with those of the run in the address, or with the samples."""
    state = st.session_state
    state.setdefault("portrait_source", "Sample")
    state.setdefault("driving_source", "Sample")
    state.setdefault("sample_portrait", _title(PORTRAIT))
    wanted = state.pop(RESTORE, None)
    if wanted is None and "portrait" not in state and "run" not in state and (run_id := st.query_params.get("run")):
        run = get_store().find(run_id)  # a reload: back to what was there
        if run is not None:
            state["run"], state["view"] = run.id, "Result"
            wanted = run.settings.to_dict()
    if wanted is not None:
        restore(Settings.from_dict(wanted))


def _title(name: str) -> str:
    return next((title for title, file in SAMPLE_PORTRAITS.items() if file == name), next(iter(SAMPLE_PORTRAITS)))


def restore(settings: Settings) -> None:
    """Puts the settings of a run into the page; what is gone is said."""
    state = st.session_state
    restore_controls(settings)
    state["fills"] = ((settings.driving, settings.start, settings.end), settings.fills)
    try:
        if is_sample(settings.driving) and Path(settings.driving).name == SAMPLE_CLIP:
            set_driving(sample_driving(), settings.start, settings.end)
            state["driving_source"] = "Sample"
        else:
            driving = look_at_driving(
                Path(settings.driving), settings.driving_name, ask=get_queue().ask, source="upload"
            )
            set_driving(driving, settings.start, settings.end)
            state["driving_source"] = DRIVING_SOURCES[3 if settings.is_template else 1]
    except VisionGenError as error:
        state["driving_problem"] = f"the clip of these settings cannot be used any more: {error}"
    _restore_portrait(settings)


def _restore_portrait(settings: Settings) -> None:
    state = st.session_state
    if is_sample(settings.portrait) and Path(settings.portrait).name in SAMPLE_PORTRAITS.values():
        state["sample_portrait"] = _title(Path(settings.portrait).name)
        state["portrait"], state["portrait_source"] = sample_portrait(state["sample_portrait"]), "Sample"
    elif Path(settings.portrait).is_file():
        from PIL import Image

        from visiongen.media import PICTURE_FORMATS

        with Image.open(settings.portrait, formats=PICTURE_FORMATS) as image:
            size = (image.height, image.width)
        of_clip = settings.driving if settings.self_reenactment else ""
        state["portrait"] = PortraitFile(
            path=settings.portrait, name=settings.portrait_name, size=size, of_clip=of_clip
        )
        state["portrait_source"] = PORTRAIT_SOURCES[1]
    else:
        state["portrait_problem"] = f"the picture {settings.portrait_name} is gone; choose it again"
    state["face"] = settings.face
