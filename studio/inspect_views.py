"""The views of the page Inspect: each draws one chart or map of a run for the frame that is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from studio.components.chart import chart as any_chart
from studio.expressions import ANGLES, CURVES, head_frame
from studio.figures import rows_figure, trajectories_figure
from studio.figures_face import SEEN_FROM, camera_of, mesh_figure, vectors_figure
from studio.figures_flow import flow_figure, mask_figure, picture_figure
from studio.inspect_data import TRACKS, RunData, inner_maps, region_text, scene
from studio.looking_inside import dense_motion, displacement
from studio.measurements import heading, ordered
from studio.regions import NUM_POINTS, regions
from visiongen.errors import VisionGenError
from visiongen.flow import MAPS
from visiongen.hookspecs import InnerMap
from visiongen.pose import face_model

LANDMARKS = "landmarks"
"""Key in the session's state: landmarks that are followed."""
MESH_CHART = "mesh_chart"
"""Key of the chart of one frame in space."""
_CAMERA = "mesh_camera"
_FIRST_LANDMARKS = (1, 13, 14, 159, 386)
_MOST_LANDMARKS = 8
_KEEP = {"persist_state": "session"}
chart = partial(any_chart, waits=True)
_GEOMETRY = {
    "seen": (
        "Seen by the portrait",
        "how much of the surface the portrait shows: dark is its far side, made up or stretched",
    ),
    "head": ("Head", "what the mesh and its shell cover"),
    "mouth": ("Inside of the mouth", "where the mouth is open"),
    "eyes": ("Eye openings", "where the lids are open"),
}


def _clickable(figure: go.Figure, label: str, key: str) -> None:
    """A chart over time; a click goes to the frame."""
    chart(figure, label=label, key=key, on_click=lambda frame: st.session_state.update(frame=frame))
    st.caption("Click on a curve to go to that frame.")


def _track(data: RunData, key: str, *, label: str = "Landmarks") -> str:
    _known_track(data, key)
    return st.segmented_control(label, list(data.names), format_func=data.names.get, key=key, required=True, **_KEEP)


def _known_track(data: RunData, key: str) -> str:
    """The track that is chosen, or the first one where that has none of this name."""
    if st.session_state.get(key) not in data.names:
        st.session_state[key] = next(iter(data.names))
    return st.session_state[key]


def _vectors_state(data: RunData) -> tuple[str, str]:
    """What is not chosen yet in the view of vectors is chosen; gives the track, and the key of its threshold."""
    track = _known_track(data, "vectors_track")
    least = f"vectors_least_{track}"
    first = {"vectors_by": "region", "vectors_regions": [region.name for region in regions()], least: 0.0,
             "vectors_magnify": 1.0, "vectors_picture": True}  # fmt: skip
    for key, value in first.items():
        st.session_state.setdefault(key, value)
    if st.session_state[least] > (most := _longest_step(data, track)):  # was chosen for another run
        st.session_state[least] = most
    return track, least


def _longest_step(data: RunData, track: str) -> float:
    """End of the scale of thresholds, px."""
    return max(round(float(np.nanmax(data.moved[track])), 1), 1.0)


@st.cache_data(max_entries=16, show_spinner=False)
def _vectors_json(
    run_id: str, track: str, frame: int, by: str, threshold: float, shown: Sequence[str], magnify: float, ground: bool,
    _data: RunData,
) -> str:  # fmt: skip
    figure = vectors_figure(
        _data.tracks[track][frame], _data.reference(track), size=_data.size(track),
        picture=_data.under(track, frame) if ground else None, colour_by=by, threshold=threshold, shown=shown,
        magnify=magnify, most=float(np.nanmax(_data.moved[track])),
    )  # fmt: skip
    return figure.to_json(validate=False)


def _vectors_figure(data: RunData, frame: int) -> str:
    track, least = _vectors_state(data)
    keys = ("vectors_by", least, "vectors_regions", "vectors_magnify", "vectors_picture")
    return _vectors_json(data.run.id, track, frame, *(st.session_state[key] for key in keys), data)


def vectors(data: RunData, frame: int) -> None:
    """An arrow per landmark."""
    track, least = _vectors_state(data)
    longest = float(np.nanmax(data.moved[track]))
    controls, view = st.columns([1, 2.6])
    with controls:
        _track(data, "vectors_track")
        st.segmented_control("Colour by", ["region", "magnitude"], key="vectors_by", required=True, **_KEEP)
        st.slider("Leave out arrows shorter than, px", 0.0, _longest_step(data, track), step=0.1, key=least,
                  help="Hides what moved less.", **_KEEP)  # fmt: skip
        _vectors_details()
        here = data.moved[track][frame]
        if np.isfinite(here).any():
            st.caption(
                f"Mean {np.nanmean(here):.1f} px, longest {np.nanmax(here):.1f} px; in the whole clip {longest:.1f} px."
            )
    with view:
        chart(_vectors_figure(data, frame), label="Motion vectors", key="vectors_chart", wheel=True)
        start = "the portrait" if track != "driving" else "the first frame with a face"
        st.caption(f"From where a landmark is in {start} to where it is in this frame.")


def _vectors_details() -> None:
    """What is changed less often, made when it is opened: the page is there sooner without it."""
    details = st.expander("Regions, length, picture", key="vectors_details", on_change="rerun")
    if not details.open:
        return
    labels = {region.name: region.label for region in regions()}
    with details:
        st.pills(
            "Regions", list(labels), format_func=labels.get, selection_mode="multi", key="vectors_regions", **_KEEP
        )
        st.slider("Draw arrows longer by", 1.0, 10.0, step=0.5, format="%.1f×", key="vectors_magnify",
                  help="Small movements become visible; the numbers stay true.", **_KEEP)  # fmt: skip
        st.toggle("Picture under the arrows", key="vectors_picture", **_KEEP)


def follow(landmark: int) -> None:
    """Adds a landmark to those that are followed, or takes it out."""
    now = list(st.session_state.get(LANDMARKS, _FIRST_LANDMARKS))
    now = [one for one in now if one != landmark] if landmark in now else [*now, landmark]
    st.session_state[LANDMARKS] = now[-_MOST_LANDMARKS:]


def trajectories(data: RunData, frame: int) -> None:
    """Places of chosen landmarks over time."""
    st.session_state.setdefault(LANDMARKS, list(_FIRST_LANDMARKS))
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    chosen = left.multiselect(
        "Landmarks", range(NUM_POINTS), format_func=region_text, key=LANDMARKS, max_selections=_MOST_LANDMARKS, **_KEEP,
        help="Click on landmarks in the pictures above to add or remove them.",
    )  # fmt: skip
    still = right.toggle("Without the head's own motion", key="trajectories_still", help="In the head's axes, in face widths: "
                         "what is left is expression.", **_KEEP)  # fmt: skip
    names = data.names
    tracks = {names[one]: data.tracks[one] for one in names if still or one != "driving" or len(names) == 1}
    if still:
        tracks = {name: head_frame(points) for name, points in tracks.items()}
    if not chosen:
        st.info("Choose a landmark, or click on one in the pictures above.")
        return
    unit = " face widths" if still else " px"
    _clickable(trajectories_figure(data.times, tracks, chosen, frame=frame, unit=unit), "Trajectories",
               "trajectories_chart")  # fmt: skip
    if len(tracks) > 1:
        st.caption(", ".join(f"{dash}: {name}" for dash, name in zip(("Solid", "dashed", "dotted"), tracks)) + ".")


def pose(data: RunData, frame: int) -> None:
    """Head angles over time."""
    values = [f"**{name}** " + ", ".join(f"{axis.lower()} {angle:+.0f}°" for axis, angle in zip(ANGLES, angles[frame]))
              for name, angles in data.angles.items() if not np.isnan(angles[frame]).any()]  # fmt: skip
    st.markdown(" · ".join(values))
    rows = {axis: {name: angles[:, i] for name, angles in data.angles.items()} for i, axis in enumerate(ANGLES)}
    _clickable(rows_figure(data.times, rows, frame=frame, unit="°"), "Head pose", "pose_chart")
    st.caption("Yaw: to the picture's right; pitch: down; roll: clockwise. Degrees.")


def expression(data: RunData, frame: int) -> None:
    """Openings of eyes and mouth and other movements with a name."""
    chosen = st.pills(
        "Curves", list(CURVES), selection_mode="multi", default=list(CURVES)[:4], key="expression_curves", **_KEEP
    )
    if not chosen:
        st.info("Choose a curve.")
        return
    rows = {one: {TRACKS[track]: curves[one] for track, curves in data.curves.items()} for one in chosen}
    _clickable(rows_figure(data.times, rows, frame=frame, row_height=130), "Expression", "expression_chart")
    st.caption("; ".join(f"**{one}**: {CURVES[one]}" for one in chosen) + ".")


@st.cache_data(max_entries=4, show_spinner="Building the animation …")
def _animated(run_id: str, track: str, by: str, centred: bool, seen_from: str, _data: RunData) -> go.Figure:
    return _mesh(_data, track, by, 0, centred=centred, seen_from=seen_from, animated=True)


def _mesh(
    data: RunData, track: str, by: str, frame: int, *, centred: bool, seen_from: str, animated: bool = False
) -> go.Figure:
    colour, title = None, ""
    if by == "movement":
        colour, title = data.moved[track], "px moved"
    elif by == "error":
        colour = np.linalg.norm((data.tracks["generated"] - data.tracks["target"])[..., :2], axis=-1)
        title = "px off"
    return mesh_figure(
        data.tracks[track], face_model().triangles, colour=colour, colour_title=title, frame=frame, times=data.times,
        animated=animated, centred=centred, seen_from=seen_from,
    )  # fmt: skip


def keep_camera(value: Any) -> None:
    """Lets the face in space be seen as it was turned by hand, also at the next frame."""
    if (camera := camera_of(value)) is not None:
        st.session_state[_CAMERA] = camera


def mesh(data: RunData, frame: int) -> None:
    """The face in space."""
    controls, view = st.columns([1, 2.6])
    with controls:
        track = _track(data, "mesh_track")
        kinds = {"plain": "nothing", "movement": "how far it moved"}
        if "generated" in data.names:
            kinds["error"] = "how far the result is off"
        if st.session_state.get("mesh_by") not in kinds:
            st.session_state["mesh_by"] = "movement"
        by = st.selectbox("Colour by", list(kinds), format_func=kinds.get, key="mesh_by", **_KEEP)
        seen_from = st.selectbox("Seen from", list(SEEN_FROM), key="mesh_seen_from",
                                 on_change=lambda: st.session_state.pop(_CAMERA, None), **_KEEP)  # fmt: skip
        centred = st.toggle("Hold the head in the middle", value=True, key="mesh_centred", **_KEEP)
        animated = st.toggle("Play in 3D", key="mesh_animated", help="Loads up to 150 frames into the chart.", **_KEEP)
        st.caption("Drag to turn, scroll to zoom; the view stays from frame to frame.")
    with view:
        figure = (
            _animated(data.run.id, track, by, centred, seen_from, data)
            if animated
            else _mesh(data, track, by, frame, centred=centred, seen_from=seen_from)
        )
        if not animated and _CAMERA in st.session_state:
            figure.update_layout(scene_camera=st.session_state[_CAMERA])
        key = f"{MESH_CHART}_animated" if animated else MESH_CHART
        chart(figure, label="The face in 3D", key=key)


def dense(data: RunData, frame: int) -> None:
    """The motion of every pixel, as the face mesh gives it."""
    with st.spinner("Working out the motion …"):
        found = dense_motion(scene(data.run.id, data.run), frame)
    left, right = st.columns(2)
    side = scene(data.run.id, data.run).portrait.crop.shape[0]
    with left:
        st.markdown("**Dense motion of the mesh**")
        chart(flow_figure(displacement(found), unit=side), label="Dense motion", key="dense_flow")
        st.caption("Hue: direction, strength: length, as the wheel shows; arrows point to where a pixel comes from. "
                   f"Over the square round the face, {side} px.")  # fmt: skip
    with right:
        name = st.selectbox("Map", list(_GEOMETRY), format_func=lambda one: _GEOMETRY[one][0], key="dense_map",
                            label_visibility="collapsed", **_KEEP)  # fmt: skip
        values = np.clip(found.maps[MAPS.index(name)], 0, 1)
        chart(mask_figure(values), label=_GEOMETRY[name][0], key="dense_mask")
        st.caption(f"{_GEOMETRY[name][0]}: {_GEOMETRY[name][1]}.")


def inside(data: RunData, frame: int) -> None:
    """What goes on inside the generator."""
    with st.spinner("Asking the generator …"):
        maps = inner_maps(data.run, frame)
    name = data.run.settings.generator.name
    if maps is None:
        st.info(
            f"The generator {name} does not show its insides; the view Dense motion shows what the geometry gives it."
        )
        return
    names = [one.name for one in maps]
    usual = [one for one in ("Motion, corrected", "Residual motion", "Occlusion") if one in names]
    usual += [one for one in names if one.startswith("Blend")]
    chosen = st.pills("Maps", names, selection_mode="multi", default=usual or names[:6], key=f"inside_{name}", **_KEEP)
    side = scene(data.run.id, data.run).portrait.crop.shape[0]
    shown = [one for one in maps if one.name in chosen]
    for first in range(0, len(shown), 3):
        for column, one in zip(st.columns(3), shown[first : first + 3]):
            with column:
                st.markdown(f"**{one.name}**")
                figure = _of_map(one, side)
                chart(figure, label=one.name, key=f"inside {one.name}")
                st.caption(f"{one.text[:1].upper()}{one.text[1:]}.")


def _of_map(one: InnerMap, side: int) -> go.Figure:
    if one.kind == "motion":
        return flow_figure(one.values, unit=side, height=330)
    if one.kind == "share":
        return mask_figure(one.values, height=330)
    return picture_figure(one.values, height=330)


def quality(data: RunData, frame: int) -> None:
    """Metrics per frame."""
    known = {name: values for name, values in data.series.items() if np.isfinite(values).any()}
    if not known:
        st.info("No metrics were measured for this run.")
        return
    names = ordered(known)
    chosen = st.pills(
        "Curves", names, format_func=heading, selection_mode="multi", default=names[:4], key="quality_curves"
    )
    rows = {heading(name): {name: _as_long(known[name], data.frames)} for name in chosen}
    if not rows:
        st.info("Choose a curve.")
        return
    figure = rows_figure(data.times, rows, frame=frame, row_height=120)
    figure.update_layout(showlegend=False)
    _clickable(figure, "Quality", "quality_chart")


def _as_long(values: np.ndarray, length: int) -> np.ndarray:
    result = np.full(length, np.nan)
    result[: min(len(values), length)] = values[:length]
    return result


VIEWS: dict[str, Callable[[RunData, int], None]] = {
    "Motion vectors": vectors,
    "Trajectories": trajectories,
    "Pose": pose,
    "Expression": expression,
    "3D face": mesh,
    "Dense motion": dense,
    "Inside the generator": inside,
    "Quality": quality,
}
"""Title -> what draws it."""


def begin(name: str, data: RunData, frame: int) -> None:
    """Makes what takes longest in the view that is opened first, while the browser is busy with the frames."""
    if VIEWS[name] is vectors:
        with contextlib.suppress(VisionGenError):  # `draw` meets it again, and tells it
            _vectors_figure(data, frame)


def draw(name: str, data: RunData, frame: int) -> None:
    """One view; what fails costs only itself."""
    try:
        VIEWS[name](data, frame)
    except VisionGenError as error:
        st.error(str(error))
