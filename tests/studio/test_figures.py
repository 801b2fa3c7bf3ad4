"""The figures of Inspect and Compare: pure functions, arrays in, figures out."""

from __future__ import annotations

import colorsys
import itertools
import json

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from studio.expressions import CURVES, degrees, expression_curves, first_seen, head_frame
from studio.figures import rows_figure, series_figure, trajectories_figure
from studio.figures_face import camera_of, mesh_figure, vectors_figure
from studio.figures_flow import colour_wheel, flow_colours, flow_figure, mask_figure, picture_figure
from studio.regions import region_of, regions
from visiongen.pose import face_model

SIZE = (400, 500)
JPEG = cv2.imencode(".jpg", np.full((40, 50, 3), 128, np.uint8))[1].tobytes()


@pytest.fixture
def face() -> np.ndarray:
    """(478, 3) px: the rest face in the middle of a picture."""
    return face_model().points.astype(np.float64) * 150 + [250, 200, 0]


def turned(face: np.ndarray, yaws: list[float]) -> np.ndarray:
    """(T, 478, 3): the face turned about the vertical axis through its middle, degrees; to the picture's right."""
    middle = face[:468].mean(0)
    return np.stack(
        [(face - middle) @ Rotation.from_euler("y", -yaw, degrees=True).as_matrix().T + middle for yaw in yaws]
    )


def arrows(figure) -> np.ndarray:
    """(N, 4): start x, y and tip x, y of all arrows of a figure."""
    outlines = [np.c_[trace.x, trace.y].reshape(-1, 8, 2) for trace in figure.data if trace.customdata is not None]
    found = [np.c_[(corners[:, 0] + corners[:, 6]) / 2, corners[:, 3]] for corners in outlines]
    return np.concatenate(found) if found else np.zeros((0, 4))


# -- motion vectors ----------------------------------------------------------------------------------------------------


def test_every_landmark_has_an_arrow_from_rest_to_place(face):
    moved = face + np.random.default_rng(0).uniform(5, 9, face.shape)  # longer than the heads of arrows
    found = arrows(vectors_figure(moved, face, size=SIZE, picture=JPEG))
    assert len(found) == 478
    want = np.c_[face[:, :2], moved[:, :2]]
    assert np.allclose(found[np.lexsort(found.T)], want[np.lexsort(want.T)], atol=1e-3)


def test_a_threshold_and_regions_leave_arrows_out(face):
    moved = face.copy()
    moved[13] += [0, 9, 0]  # a lip
    moved[33] += [4, 0, 0]  # an eye
    assert len(arrows(vectors_figure(moved, face, size=SIZE, threshold=1))) == 2
    assert len(arrows(vectors_figure(moved, face, size=SIZE, threshold=5))) == 1
    only_eyes = vectors_figure(moved, face, size=SIZE, threshold=1, shown={"eyes"})
    assert [int(trace.customdata[0][0]) for trace in only_eyes.data] == [33]


@pytest.mark.parametrize("by", ["region", "magnitude"])
def test_arrows_are_drawn_longer_and_numbers_stay(face, by):
    moved = face + [3, 4, 0]
    figure = vectors_figure(moved, face, size=SIZE, magnify=3, colour_by=by)
    found = arrows(figure)
    assert len(found) == 478
    assert np.allclose(found[:, 2:] - found[:, :2], [9, 12], atol=1e-3)
    lengths = np.concatenate([trace.customdata[:, 1] for trace in figure.data if trace.customdata is not None])
    assert np.allclose(lengths, 5)


def test_arrows_by_region_have_the_regions_colours(face):
    figure = vectors_figure(face + [5, 0, 0], face, size=SIZE)
    colours = {trace.name: trace.fillcolor for trace in figure.data}
    assert colours == {region.label: region.colour for region in regions()}
    for trace in figure.data:
        assert {region_of()[int(one[0])].label for one in trace.customdata} == {trace.name}


def test_without_a_face_or_without_motion_the_figure_says_so(face):
    unseen = vectors_figure(np.full_like(face, np.nan), face, size=SIZE)
    still = vectors_figure(face, face, size=SIZE, threshold=0.5)
    assert "no face" in unseen.layout.annotations[0].text
    assert "no landmark moved" in still.layout.annotations[0].text


# -- curves ------------------------------------------------------------------------------------------------------------


def test_angles_are_those_the_head_was_turned_by():
    rotation = Rotation.from_euler("y", [[-20], [0], [35]], degrees=True).as_matrix()
    yaw, pitch, roll = degrees(rotation).T
    assert np.allclose(np.abs(yaw), [20, 0, 35], atol=1e-3)
    assert np.sign(yaw[0]) == -np.sign(yaw[2])
    assert np.allclose([pitch, roll], 0, atol=1e-3)


def test_expression_curves_follow_the_face_and_not_the_head(face):
    still = turned(face, [0, 15, -25])
    curves = expression_curves(still)
    assert list(curves) == list(CURVES)
    for name, values in curves.items():
        assert np.ptp(values) < 0.01, name
    opened = face.copy()
    opened[14] += [0, 30, 0]
    both = expression_curves(np.stack([face, opened]))
    assert both["Mouth open"][1] > both["Mouth open"][0] + 0.1
    assert both["Right eye"][0] == pytest.approx(both["Right eye"][1], abs=0.01)


def test_gaze_is_positive_to_the_pictures_right(face):
    looks = np.stack([face, face])
    looks[1, 468:] += [8, 0, 0]
    gaze = expression_curves(looks)["Gaze sideways"]
    assert gaze[1] > gaze[0] + 0.05


def test_frames_without_a_face_stay_unknown(face):
    points = np.stack([np.full_like(face, np.nan), face])
    assert np.isnan(head_frame(points)[0]).all() and np.isfinite(head_frame(points)[1]).all()
    assert np.isnan(expression_curves(points)["Mouth open"][0])
    assert (first_seen(points) == face).all()
    assert first_seen(points[:1]) is None


def test_charts_mark_the_frame_and_carry_its_number():
    times = np.arange(20) / 25
    values = np.sin(times)
    values[4] = np.nan
    for figure in (
        series_figure(times, {"one": values}, frame=7),
        rows_figure(times, {"a": {"one": values}, "b": {"one": values, "two": values}}, frame=7),
        trajectories_figure(times, {"wanted": np.zeros((20, 478, 3))}, [1, 2], frame=7),
    ):
        assert {shape.x0 for shape in figure.layout.shapes} == {times[7]}
        for trace in figure.data:
            assert list(trace.customdata) == list(range(20))
        json.loads(figure.to_json())


@pytest.mark.parametrize("unit", [" px", " face widths"])
def test_axes_of_trajectories_have_their_unit(unit):
    figure = trajectories_figure(np.arange(3) / 25, {"wanted": np.zeros((3, 478, 3))}, [1], unit=unit)
    titles = [axis.title.text for axis in (figure.layout.yaxis, figure.layout.yaxis2)]
    assert titles == [f"to the right,{unit}", f"down,{unit}"]


def test_a_line_that_is_alone_in_its_row_is_solid():
    times = np.arange(5) / 25
    figure = rows_figure(times, {"a": {"one": times}, "b": {"two": times}, "c": {"one": times, "two": times}})
    assert [trace.line.dash for trace in figure.data] == ["solid", "solid", "solid", "dash"]


def test_titles_of_rows_stand_above_them_and_do_not_run_into_each_other():
    titles = ["Likeness (proxy) ↑", "Expression distance (relative), % of face width ↓", "KSR ↑"]
    figure = rows_figure(np.arange(5) / 25, {title: {"run": np.arange(5)} for title in titles}, row_height=120)
    assert [one.text for one in figure.layout.annotations] == titles and not figure.layout.yaxis.title.text
    plots = [axis.domain for axis in (figure.layout.yaxis, figure.layout.yaxis2, figure.layout.yaxis3)]
    assert [one.y for one in figure.layout.annotations] == [top for _, top in plots]
    inner = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert all((above - top) * inner >= 20 for (above, _), (_, top) in itertools.pairwise(plots)), "no room for a title"


def test_trajectories_name_landmarks_once_and_lower_is_lower():
    figure = trajectories_figure(np.arange(5) / 25, dict.fromkeys(("wanted", "found"), np.zeros((5, 478, 3))), [1, 13])
    assert [trace.name for trace in figure.data if trace.showlegend] == ["1", "13"]
    assert {trace.hovertemplate.split(":")[0] for trace in figure.data} >= {"13 wanted", "13 found"}
    assert figure.layout.yaxis2.autorange == "reversed"


def test_one_name_has_one_colour_and_one_entry_in_the_legend():
    times = np.arange(5) / 25
    row = {"driver": times, "result": times}
    figure = rows_figure(times, {"Yaw": row, "Pitch": dict(reversed(row.items()))})
    for name in row:
        traces = [trace for trace in figure.data if trace.name == name]
        assert len({trace.line.color for trace in traces}) == 1
        assert [trace.showlegend for trace in traces].count(True) == 1


# -- the face in space -------------------------------------------------------------------------------------------------


def test_the_mesh_turns_with_the_head_and_stays_in_its_box(face):
    points = turned(face, [-40, 0, 40])
    triangles = face_model().triangles
    left, right = (mesh_figure(points, triangles, frame=frame) for frame in (0, 2))
    assert left.layout.scene.xaxis.range == right.layout.scene.xaxis.range
    nose = 1
    assert np.sign(left.data[0].x[nose]) == -np.sign(right.data[0].x[nose])
    for figure in (left, right):
        for axis in "xyz":
            low, high = figure.layout.scene[f"{axis}axis"].range
            assert low <= figure.data[0][axis].min() and figure.data[0][axis].max() <= high
    # Upright: the forehead is above the chin. Toward the camera: the nose is nearer than the ears.
    mesh = mesh_figure(points, triangles, frame=1).data[0]
    assert mesh.z[10] > mesh.z[152]
    assert mesh.y[nose] < min(mesh.y[234], mesh.y[454])


@pytest.mark.parametrize(
    "side, near, far", [("its right", 234, 454), ("its left", 454, 234), ("above", 10, 152), ("below", 152, 10)]
)
def test_a_mesh_is_seen_from_the_side_that_was_chosen(face, side, near, far):
    figure = mesh_figure(face[None], face_model().triangles, seen_from=side)
    mesh, eye = figure.data[0], figure.layout.scene.camera.eye
    to_near, to_far = (np.array([mesh.x[n], mesh.y[n], mesh.z[n]]) @ [eye.x, eye.y, eye.z] for n in (near, far))
    assert to_near > to_far


def test_the_camera_of_a_chart_is_taken_over_and_nothing_else():
    vector = {"x": 1, "y": -2.5, "z": 0}
    camera = {"eye": vector, "center": vector, "up": vector, "projection": {"type": "perspective"}}
    assert camera_of(camera) == {"eye": vector, "center": vector, "up": vector}
    spoiled = (None, 3, [], "eye", {}, {"eye": vector}, camera | {"up": {"x": 1, "y": 2}}, camera | {"eye": 1},
               camera | {"eye": vector | {"x": float("nan")}}, camera | {"eye": vector | {"x": 1e9}})  # fmt: skip
    assert [camera_of(one) for one in spoiled] == [None] * len(spoiled)


def test_an_animated_mesh_has_few_steps_and_none_without_a_face(face):
    points = np.repeat(face[None], 400, 0)
    points[100:110] = np.nan
    figure = mesh_figure(points, face_model().triangles, frame=3, animated=True, times=np.arange(400) / 25)
    names = [int(frame.name) for frame in figure.frames]
    assert len(names) <= 151 and 3 in names
    assert not set(names) & set(range(100, 110))
    assert len(figure.layout.sliders[0].steps) == len(names)


# -- dense maps --------------------------------------------------------------------------------------------------------


def test_hue_is_direction_and_strength_is_length():
    motion = np.array([[[1.0, 0], [0, 1.0], [-1.0, 0], [0, -1.0], [0.5, 0], [0, 0]]])
    colours = flow_colours(motion, most=1.0)[0] / 255
    hues = [colorsys.rgb_to_hsv(*colour)[0] * 360 for colour in colours[:4]]
    assert np.allclose(hues, [0, 90, 180, 270], atol=2)
    assert colorsys.rgb_to_hsv(*colours[4])[1] == pytest.approx(0.5, abs=0.01)
    assert (colours[5] == 1).all()


def test_the_wheel_shows_what_the_colours_mean():
    wheel = colour_wheel(101)
    right, below = wheel[50, 98, :3], wheel[98, 50, :3]
    assert np.abs(right.astype(int) - flow_colours(np.array([[[0.95, 0]]]), most=1.0)[0, 0]).max() < 8
    assert np.abs(below.astype(int) - flow_colours(np.array([[[0, 0.95]]]), most=1.0)[0, 0]).max() < 8
    assert wheel[0, 0, 3] == 0 and wheel[50, 50, 3] == 255


def test_arrows_of_a_dense_motion_point_to_where_pixels_come_from():
    motion = np.zeros((64, 64, 2), np.float32)
    motion[:, 32:] = [0.1, -0.05]
    figure = flow_figure(motion, unit=200)
    trace = figure.data[0]
    x, y = np.array(trace.x, float).reshape(-1, 3), np.array(trace.y, float).reshape(-1, 3)
    assert (x[:, 0] > 0.5).all()
    assert (x[:, 1] > x[:, 0]).all() and (y[:, 1] < y[:, 0]).all()
    assert np.allclose(np.array(trace.customdata)[:, 1:], [20, -10])


def test_masks_keep_their_scale_and_pictures_their_place():
    share = np.full((32, 32), 0.25, np.float32)
    picture = np.zeros((64, 64, 3), np.uint8)
    figure = mask_figure(share, picture=picture)
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    for one in (figure, picture_figure(picture)):
        image = one.layout.images[0]
        assert (image.x, image.y, image.sizex, image.sizey) == (0, 0, 1, 1)
        assert tuple(one.layout.yaxis.range) == (1, 0)
