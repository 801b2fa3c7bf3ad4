"""The controls between the inputs and the button: how to move, with what, into which format."""

from __future__ import annotations

from typing import Any

import streamlit as st

from studio.forms import component_form, motion_form, set_form
from studio.presets import PRESETS, preset, preset_of
from studio.session import components
from studio.settings import DEVICES, Part, Settings, part_of
from visiongen import MotionSettings
from visiongen.marking.settings import CORNERS
from visiongen.options import option_fields

MOTION = "motion"
"""Key of the form of the motion settings."""
SIZES = (None, 256, 384, 512, 768, 1024, 1536, 2048)
_KEPT = {"persist_state": "session"}


def movement_controls() -> MotionSettings:
    """Presets first, sliders after."""
    state = st.session_state
    st.subheader("Movement", anchor=False, help="How the driver's movement is fitted to the portrait.")
    for option in option_fields(MotionSettings):
        state.setdefault(f"{MOTION}.{option.name}", option.default)
    now = MotionSettings(**{one.name: state[f"{MOTION}.{one.name}"] for one in option_fields(MotionSettings)})
    state["preset"] = preset_of(now)
    st.segmented_control(
        "Preset", [one.name for one in PRESETS], key="preset", on_change=_take_preset, label_visibility="collapsed",
        width="stretch", help="\n".join(f"- **{one.name}**: {one.summary}" for one in PRESETS),
    )  # fmt: skip
    st.caption(preset(state["preset"]).summary if state["preset"] else "own settings")
    # Under another label it would be another one, and closed.
    fine_tune = st.expander("Fine-tune", key="fine_tune", on_change="rerun")
    if not fine_tune.open:  # a dozen sliders with their help take a browser longer than the rest of the page
        return now
    with fine_tune:
        motion = motion_form(MOTION)
        st.button("Reset to Natural", on_click=set_form, args=(MotionSettings, MOTION), icon=":material/undo:")
    return motion


def _take_preset() -> None:
    if chosen := st.session_state["preset"]:
        set_form(MotionSettings, MOTION, preset(chosen).settings)


def making_controls(*, template: bool) -> dict[str, Any]:
    """Generator, enhancers, exporter and the size of the result, as fields of `Settings`."""
    st.subheader("Making", anchor=False, help="What moves the picture, what improves the frames, and what is written.")
    generators = components("generator")
    generator = _component("Generator", "generator", generators, default="vae-gan")
    if template and generators[generator.name].needs == "pixels":
        st.warning(f"{generator.name} needs the driving pixels, which a template does not have.")
    enhancers = _enhancers()
    exporter = _component("Format", "exporter", components("exporter"), default="mp4")
    return {"generator": generator, "exporter": exporter, "enhancers": enhancers, **_output()}


def _component(label: str, kind: str, found: dict, *, default: str) -> Part:
    state = st.session_state
    if state.get(kind) not in found:
        state[kind] = default if default in found else next(iter(found))
    summaries = "\n".join(f"- **{name}**: {component.summary}" for name, component in found.items())
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    name = left.selectbox(label, list(found), key=kind, help=summaries, **_KEPT)
    with right:
        return _options(kind, name, found[name], "Options")


def _options(kind: str, name: str, component: Any, label: str) -> Part:
    """A component with what its form says; without a form where it has no options."""
    if not option_fields(component.options):
        return Part(name=name)
    with st.popover(label, width="stretch", key=f"{kind}.{name}.popover", help=f"Options of {name}"):
        st.caption(f"**{name}**: {component.summary}")
        return part_of(name, component_form(component, f"{kind}.{name}"))


def _enhancers() -> tuple[Part, ...]:
    found = components("enhancer")
    st.session_state["enhancers"] = [one for one in st.session_state.get("enhancers", []) if one in found]
    summaries = "\n".join(f"- **{name}**: {component.summary}" for name, component in found.items())
    names = st.multiselect(
        "Enhancers, applied in this order", list(found), key="enhancers", placeholder="none",
        help=f"Choose them in the order in which they shall work.\n{summaries}", **_KEPT,
    )  # fmt: skip
    if not names:
        return ()
    with st.container(horizontal=True):
        return tuple(_options("enhancer", name, found[name], name) for name in names)


def _output() -> dict[str, Any]:
    state = st.session_state
    state.setdefault("framing", "Whole picture")
    state.setdefault("device", "auto")
    state.setdefault("seed", 0)
    state.setdefault("mark", Settings.mark)
    state.setdefault("size", None)
    more = st.expander("Result size, mark, device, seed", key="more_settings", on_change="rerun")
    if more.open:
        with more:
            _output_widgets()
    return {"full": state["framing"] == "Whole picture", "size": state["size"], "device": state["device"],
            "seed": int(state["seed"]), "mark": state["mark"]}  # fmt: skip


def _output_widgets() -> None:
    st.segmented_control(
        "Framing", ["Whole picture", "Face crop"], key="framing", required=True, **_KEPT,
        help="The whole picture with the moved face in its place, or the square round the face alone.",
    )  # fmt: skip
    st.selectbox(
        "Longer side of the result, px", _sizes(), key="size", format_func=_size_text, placeholder=_size_text(None), **_KEPT,
        help="Smaller is faster. By default the result is as large as the picture.",
    )  # fmt: skip
    st.selectbox(
        "Visible mark", CORNERS, key="mark", format_func=_mark_text, **_KEPT,
        help="A small translucent AI in a corner says at first sight that a machine made the film. Every result also "
             "carries an invisible mark and signed Content Credentials.",
    )  # fmt: skip
    st.segmented_control(
        "Device", DEVICES, key="device", required=True, **_KEPT, help="auto takes a GPU where there is one."
    )
    st.number_input("Seed", 0, 2**31 - 1, key="seed", help="For components that draw random numbers.", **_KEPT)


def _sizes() -> list[int | None]:
    now = st.session_state.get("size")
    return [*SIZES, now] if now not in SIZES else list(SIZES)


def _mark_text(corner: str) -> str:
    return corner.replace("-", " ")


def _size_text(size: int | None) -> str:
    return "as the picture" if size is None else str(size)


def restore_controls(settings: Settings) -> None:
    """Puts the settings of a run into the controls; call it before they are drawn."""
    state = st.session_state
    set_form(MotionSettings, MOTION, settings.motion)
    for kind, part in (("generator", settings.generator), ("exporter", settings.exporter),
                       *(("enhancer", one) for one in settings.enhancers)):  # fmt: skip
        found = components(kind)
        if part.name in found:
            set_form(found[part.name].options, f"{kind}.{part.name}", part.options)
    state["generator"], state["exporter"] = settings.generator.name, settings.exporter.name
    state["enhancers"] = [one.name for one in settings.enhancers]
    state["framing"] = "Whole picture" if settings.full else "Face crop"
    state["size"] = settings.size
    state["device"], state["seed"], state["mark"] = settings.device, settings.seed, settings.mark
