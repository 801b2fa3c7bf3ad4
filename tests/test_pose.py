"""Head pose: what is put in comes out again, for every face and every frame."""

from __future__ import annotations

import numpy as np
import pytest
from builders import UNIT, face, other_face, placed, random_faces, rotation
from scipy.spatial.transform import Rotation

from visiongen.landmarks import FACE_OVAL, LEFT_BROW, LEFT_EYE, LEFT_IRIS, RIGHT_BROW, RIGHT_EYE, RIGHT_IRIS
from visiongen.pose import euler_angles, face_model, fit_head, fit_similarity


def test_the_face_model_is_a_symmetric_face_of_width_one():
    model = face_model()
    assert model.points.shape == (478, 3) and model.stability.shape == (478,)
    assert np.linalg.norm(model.points[234] - model.points[454]) == pytest.approx(1)
    np.testing.assert_allclose(model.points[model.mirror] * [-1, 1, 1], model.points, atol=1e-6)
    np.testing.assert_array_equal(model.mirror[model.mirror], np.arange(478))
    for right, left in ((RIGHT_EYE, LEFT_EYE), (RIGHT_BROW, LEFT_BROW), (RIGHT_IRIS[:1], LEFT_IRIS[:1])):
        assert set(model.mirror[list(right)]) == set(left)


def test_the_iris_takes_no_part_in_the_fit():
    model = face_model()
    assert (model.stability[468:] == 0).all() and (model.stability[:468] > 0).all()
    gaze = placed(face())
    gaze[468:, 0] += 4
    for part, still in zip(fit_head(gaze[None]), fit_head(placed(face())[None]), strict=True):
        np.testing.assert_allclose(part, still, atol=1e-9)


def test_the_mesh_is_closed_up_to_the_oval_and_faces_the_camera():
    model = face_model()
    corners = model.points[model.triangles]
    areas = np.cross(corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2])
    assert (areas > 0).all()
    edges = np.sort(model.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    kinds, counts = np.unique(edges, axis=0, return_counts=True)
    assert set(counts) == {1, 2}
    assert set(kinds[counts == 1].ravel()) == set(FACE_OVAL)  # the only rim: eyes and mouth are filled
    outline = model.points[list(FACE_OVAL), :2]
    enclosed = np.cross(outline, np.roll(outline, -1, axis=0)).sum() / 2
    assert areas.sum() / 2 == pytest.approx(enclosed, rel=1e-4)  # nothing is covered twice


def test_a_known_similarity_is_found_again():
    rng = np.random.default_rng(1)
    source, weights = rng.normal(size=(40, 3)), rng.uniform(0.1, 1, 40)
    turns = Rotation.random(20, random_state=2).as_matrix()
    shifts, scales = rng.normal(size=(20, 3)), rng.uniform(0.1, 50, 20)
    target = scales[:, None, None] * (source @ turns.transpose(0, 2, 1)) + shifts[:, None]
    rotation_, translation, scale = fit_similarity(target, source, weights)
    np.testing.assert_allclose(rotation_, turns, atol=1e-9)
    np.testing.assert_allclose(translation, shifts, atol=1e-9)
    np.testing.assert_allclose(scale, scales, rtol=1e-9)


def test_the_fit_is_the_best_one():
    rng = np.random.default_rng(3)
    source, weights = rng.normal(size=(30, 3)), rng.uniform(0, 1, 30)
    target = source + rng.normal(0, 0.3, (30, 3))

    def error(turn: np.ndarray, shift: np.ndarray, scale: float) -> float:
        return float((weights * ((scale * source @ turn.T + shift - target) ** 2).sum(1)).sum())

    turn, shift, scale = (part[0] for part in fit_similarity(target[None], source, weights))
    best = error(turn, shift, scale)
    for _ in range(100):
        other = Rotation.from_rotvec(rng.normal(0, 0.02, 3)).as_matrix() @ turn
        assert error(other, shift + rng.normal(0, 0.01, 3), scale * (1 + rng.normal(0, 0.01))) >= best


def test_a_mirrored_face_is_not_fitted_by_a_reflection():
    mirrored = placed(face()) * np.array([-1, 1, 1], np.float32)
    turn, _, scale = fit_head(mirrored[None])
    assert np.linalg.det(turn[0]) == pytest.approx(1) and scale[0] > 0


def test_rotations_are_orthonormal_and_scale_positive():
    turn, _, scale = fit_head(random_faces(40))
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(turn), 1, atol=1e-9)
    assert (scale > 0).all()


@pytest.mark.parametrize("angles", [(25, 0, 0), (-25, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 40), (0, 0, -40)])
def test_angles_have_the_documented_signs(angles):
    turn, shift, scale = fit_head(placed(face(), turn=rotation(*angles), centre=(90, 70))[None])
    np.testing.assert_allclose(np.rad2deg(euler_angles(turn))[0], angles, atol=1e-3)
    np.testing.assert_allclose(shift[0, :2], (90, 70), atol=1e-2)
    assert scale[0] == pytest.approx(UNIT, rel=1e-4)


def test_the_nose_points_where_yaw_and_pitch_say():
    middle = placed(face())[1, :2]
    to_the_right, down = (placed(face(), turn=rotation(*a))[1, :2] - middle for a in ((20, 0), (0, 20)))
    assert to_the_right[0] > 5 and abs(to_the_right[1]) < 1
    assert down[1] > 5 and abs(down[0]) < 1


@pytest.mark.parametrize("kind", ["large eyes", "low mouth", "wide", "long", "mouth open"])
def test_other_proportions_and_expressions_hardly_change_the_pose(kind):
    shapes = placed(np.stack([other_face(kind), face(jaw=0.15), face(blink=1), face(brows=0.05)]))
    turn, _, scale = fit_head(shapes)
    assert np.abs(np.rad2deg(euler_angles(turn))).max() < 2
    np.testing.assert_allclose(scale, UNIT, rtol=0.2)


def test_one_wild_landmark_does_not_carry_the_pose_away():
    points = placed(face())
    points[152, :2] += 30  # the chin, a quarter of the face to the side
    turn, *_ = fit_head(points[None])
    assert np.abs(np.rad2deg(euler_angles(turn))).max() < 2
