"""Ears: found where the matte has them, in their place at rest, and wider as they turn to the camera."""

import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.continuation import Continuation
from visiongen.ears import Ears
from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.hair import Hair
from visiongen.pose import fit_head
from visiongen.skull import Skull

RIGHT, LEFT = 234, 454


def head(**where) -> np.ndarray:
    """(478, 3), crop units."""
    return placed(face(), centre=(128.0, 128.0), **where).astype(np.float64) / 256


def person(points: np.ndarray, width: float = 0.1, sides=(RIGHT, LEFT)) -> np.ndarray:
    """(GRID, GRID) a round head with ears of `width` face widths beside the points of the oval at `sides`."""
    scale, grid = float(fit_head(points[None])[2][0]), pixel_centres(GRID)
    matte = np.linalg.norm((grid - points[:468, :2].mean(0)) / [0.53, 0.95], axis=-1) < scale
    for side in sides:
        matte |= np.linalg.norm((grid - points[side, :2] - [0, 0.06 * scale]) / [width, 0.26], axis=-1) < scale
    return matte.astype(np.float32)


def ear_widths(skull: Skull, points: np.ndarray) -> tuple[float, float]:
    """Widths in a frame of the ears in the middle of their height, on the picture's left and right, face widths."""
    turn, shift, scale = (part[0] for part in fit_head(points[None]))
    vertices = skull.posed(points, turn, shift, scale)
    right, left = vertices[skull.triangles[skull.first_of_ears :].min() :].reshape(2, 11, 3, 3)[:, 5, :, 0]
    return (right[0] - right[1]) / scale, (left[1] - left[0]) / scale


def test_ears_that_the_matte_has_are_found():
    points = head()
    for sides in ((RIGHT, LEFT), (RIGHT,), (LEFT,), ()):
        found = Skull(points, person(points, sides=sides)).ears
        middles = [outline.mean(0)[0] < 0.5 for outline in found]
        assert middles == [side == RIGHT for side in sides]


def test_hair_that_hides_an_ear_leaves_the_other():
    points = head()
    (outline,) = Skull(points, person(points), hair=Hair(hides=(1.0, 0.0))).ears
    assert outline.mean(0)[0] > 0.5


@pytest.mark.parametrize("matte", [None, np.ones((GRID, GRID), np.float32), np.zeros((GRID, GRID), np.float32)])
def test_what_says_nothing_about_them_has_none(matte):
    assert Skull(head(), matte).ears == []


def test_of_a_portrait_that_looks_to_the_side_the_far_ear_is_not_looked_for():
    points = head(turn=rotation(yaw=25))
    outlines = Skull(points, person(points)).ears
    assert all(outline.mean(0)[0] < 0.5 for outline in outlines)  # it looks to the picture's right


@pytest.mark.parametrize("yaw", [-12, 0, 8])
@pytest.mark.parametrize("width", [0.08, 0.15])
def test_at_rest_they_are_where_the_portrait_has_them(yaw, width):
    points = head(turn=rotation(yaw=yaw))
    matte, scale = person(points, width), float(fit_head(points[None])[2][0])
    for outline in Skull(points, matte).ears:
        columns, rows = np.clip((outline * GRID).astype(int), 0, GRID - 1).T
        assert matte[rows, columns].mean() > 0.8
        assert 0.6 * width < np.ptp(outline[:, 0]) / scale < width + 0.08


def test_the_ear_that_turns_to_the_camera_gets_wider_and_the_other_narrower():
    points = head()
    skull = Skull(points, person(points))
    right, left = np.transpose([ear_widths(skull, head(turn=rotation(yaw=yaw))) for yaw in (-20, -10, 0, 10, 20)])
    assert (np.diff(right) > 0).all() and (np.diff(left) < 0).all()
    assert right[-1] > 1.5 * right[2]


@pytest.mark.parametrize(("yaw", "sides"), [(0, {RIGHT, LEFT}), (40, {RIGHT}), (-40, {LEFT})])
def test_a_line_runs_round_the_ears_that_are_seen(yaw, sides):
    points, turned = head(), head(turn=rotation(yaw=yaw))
    (dense,) = MotionField(points, person(points)).towards(turned[None])
    assert len(dense.ears) == len(sides)
    for line, side in zip(dense.ears, sorted(sides)):
        assert np.linalg.norm(line.mean(0) - turned[side, :2]) < 0.12
        assert line[0, 1] < line[5, 1] < line[-1, 1]
        outward = (line[1:-1, 0] - line[[0, -1], 0].mean()) * (-1 if side == RIGHT else 1)
        assert outward[3:8].min() > 0


def test_an_ear_is_before_the_head_where_it_is_seen_and_never_over_the_face():
    points = head()
    skull, field = Skull(points, person(points)), MotionField(points, person(points))
    (near,), (far,) = (field.towards(head(turn=rotation(yaw=yaw))[None]) for yaw in (20, 45))
    turned = head(turn=rotation(yaw=20))
    pose = (part[0] for part in fit_head(turned[None]))
    ear = (
        skull.posed(turned, *pose)[skull.triangles[skull.first_of_ears :].min() :]
        .reshape(2, 11, 3, 3)[0, 5, :2, :2]
        .mean(0)
    )
    column, row = (ear * GRID).astype(int)
    place = near.candidates[0, row, column]
    assert np.linalg.norm(place - skull.ears[0].mean(0)) < 0.1 and abs(place[0] - skull.source[RIGHT, 0]) < 0.08
    # Turned by 45 degrees the far ear is behind the face: what covers the face there is the face.
    covered = far.maps[0] > 0.9
    far_ear = skull.ears[1]
    inside = (far.candidates[0][covered] > far_ear.min(0) + 0.02) & (far.candidates[0][covered] < far_ear.max(0))
    assert inside.all(-1).mean() < 0.01


def test_in_the_portraits_own_pose_nothing_moves():
    points = head()
    (dense,) = MotionField(points, person(points)).towards(points[None])
    assert np.abs(dense.candidates[0] - pixel_centres(GRID)).max() < 2e-3


def test_without_ears_nothing_is_changed():
    reach = np.linspace(0.1, 0.4, 36)
    assert Ears().behind(reach) is reach and not Ears().points.size and not Ears().triangles.size


def test_an_ear_is_not_shown_once_more_beside_a_head_that_has_turned():
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    outline = 0.5 + 0.25 * np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    ear = np.array([[0.74, 0.4], [0.8, 0.4], [0.8, 0.6], [0.74, 0.6]])
    planes = np.moveaxis(pixel_centres(GRID), -1, 0)
    covered = np.flatnonzero(np.hypot(*(planes - 0.5)).ravel() < 0.2)
    taken = planes.reshape(2, -1)[:, covered]
    with_ear, without = (Continuation(outline, outline, 0.5, planes, ears) for ears in ([ear], []))

    def on_the_ear(places):
        return int(((places > ear.min(0)[:, None, None]) & (places < ear.max(0)[:, None, None])).all(0).sum())

    assert on_the_ear(with_ear(outline, covered, taken)) < 0.05 * on_the_ear(without(outline, covered, taken))
    np.testing.assert_array_equal(with_ear(outline, covered, taken, turned=0.0), without(outline, covered, taken))
