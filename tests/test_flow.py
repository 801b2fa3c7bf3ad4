"""Dense motion: every pixel knows where it comes from, and nothing tears where nothing should."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import astronaut, face, other_face, placed, rotation

from visiongen import flow
from visiongen.flow import CANDIDATES, GRID, MAPS, DenseMotion, MotionField, pixel_centres
from visiongen.landmarks import OUTER_LIPS
from visiongen.pose import fit_head
from visiongen.warping import warp


def crop_points(shape: np.ndarray | None = None, *, centre=(128.0, 120.0), **where) -> np.ndarray:
    """(478, 3) of a face in a crop of 256 px, crop units."""
    return placed(face() if shape is None else shape, centre=centre, **where).astype(np.float64) / 256


OWN = crop_points()
MODERATE = {
    "turned left": crop_points(turn=rotation(yaw=-15)),
    "turned right": crop_points(turn=rotation(yaw=15)),
    "up": crop_points(turn=rotation(pitch=-12)),
    "down": crop_points(turn=rotation(pitch=12)),
    "tilted": crop_points(turn=rotation(roll=20)),
    "nearer": crop_points(unit=130),
    "moved": crop_points(centre=(145, 110)),
    "mouth open": crop_points(face(jaw=0.1)),
    "eyes shut": crop_points(face(blink=0.9)),
    "brows up": crop_points(face(brows=0.04)),
}


@pytest.fixture(scope="module")
def field() -> MotionField:
    return MotionField(OWN)


@pytest.fixture(scope="module", params=MODERATE)
def moved(request, field) -> tuple[np.ndarray, DenseMotion]:
    target = MODERATE[request.param]
    return target, field.towards(target[None])[0]


def sampled(motion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 2) values of a (G, G, 2) motion at points (N, 2+), crop units."""
    x, y = ((points[:, i] * GRID - 0.5).astype(np.float32)[None] for i in (0, 1))
    return np.stack([cv2.remap(motion[..., c].astype(np.float32), x, y, cv2.INTER_LINEAR)[0] for c in (0, 1)], axis=-1)


def drawn(points: np.ndarray, ring: tuple[int, ...]) -> np.ndarray:
    """(G, G) bool, within a ring of landmarks."""
    mask = np.zeros((GRID, GRID), np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(ring), :2] * GRID - 0.5).astype(np.int32)], 1)
    return mask > 0


def folded(motion: np.ndarray) -> np.ndarray:
    """(G, G) bool: neighbours come from the wrong order."""
    gx, gy = np.gradient(motion, axis=1), np.gradient(motion, axis=0)
    return gx[..., 0] * gy[..., 1] - gx[..., 1] * gy[..., 0] <= 0


# --- the portrait itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "large eyes", "wide", "mouth open"])
@pytest.mark.parametrize("turn", [(0, 0, 0), (25, 10, -15)])
def test_towards_its_own_landmarks_nothing_moves(kind, turn):
    own = crop_points(None if kind is None else other_face(kind), turn=rotation(*turn))
    (motion,) = MotionField(own).towards(own[None])
    np.testing.assert_allclose(motion.flow, pixel_centres(GRID), atol=1e-4)
    np.testing.assert_allclose(motion.candidates, np.broadcast_to(pixel_centres(GRID), (3, GRID, GRID, 2)), atol=1e-4)
    np.testing.assert_allclose(motion.maps[[MAPS.index("shift_x"), MAPS.index("shift_y")]], 0, atol=1e-4)
    np.testing.assert_allclose(motion.maps[MAPS.index("stretch")], 0, atol=1e-3)
    np.testing.assert_allclose(warp(astronaut(), motion.flow), astronaut(), atol=1)


def test_the_maps_of_the_portrait_itself():
    (motion,) = MotionField(OWN).towards(OWN[None])
    maps = dict(zip(MAPS, motion.maps, strict=True))
    assert maps["face"].sum() < maps["head"].sum() < 0.8 * GRID**2
    nose, beside = (int(v * GRID) for v in OWN[1, :2]), (3, 3)
    x, y = nose
    assert maps["face"][y, x] == maps["head"][y, x] == 1 and maps["face"][beside] == maps["head"][beside] == 0
    assert maps["seen"][y, x] > 0.5 and maps["depth"][y, x] < maps["depth"][y, x + 20]
    cheeks = [(int(OWN[i, 1] * GRID), int(OWN[i, 0] * GRID)) for i in (50, 280)]
    assert maps["normal_x"][cheeks[0]] < -0.05 and maps["normal_x"][cheeks[1]] > 0.05  # both look outward
    np.testing.assert_allclose(motion.maps[[0, 7, 8, 9]], flow.drawn_maps(OWN), atol=1)


# --- other poses and expressions --------------------------------------------------------------------------------------


def test_shapes_types_and_weights(moved):
    _, motion = moved
    assert motion.candidates.shape == (len(CANDIDATES), GRID, GRID, 2) and motion.maps.shape == (len(MAPS), GRID, GRID)
    for part in (motion.candidates, motion.prior, motion.maps):
        assert part.dtype == np.float32 and np.isfinite(part).all()
    np.testing.assert_allclose(motion.prior.sum(0), 1, atol=1e-6)
    assert motion.prior.min() >= 0 and np.abs(motion.maps).max() <= 2


def test_landmarks_come_from_where_they_were(moved):
    target, motion = moved
    error = np.linalg.norm(sampled(motion.flow, target[:468]) - OWN[:468, :2], axis=1) * 256
    assert error.mean() < 0.6 and np.quantile(error, 0.9) < 1  # px; some lie behind others


def test_moderate_motion_does_not_fold(moved):
    _, motion = moved
    face = motion.maps[MAPS.index("face")] > 0.5  # behind the head hair is mirrored, which is a fold
    assert (folded(motion.flow) & face).mean() < 0.002


def test_far_from_the_head_nothing_moves(moved):
    _, motion = moved
    still = np.abs(motion.flow - pixel_centres(GRID)).max(-1)
    # The crop of a face is hardly wider than its head: only its corners are far away.
    assert max(still[y, x] for y in (0, -1) for x in (0, -1)) < 3 / 256


def test_the_still_candidate_stays_and_the_shift_candidate_shifts(moved):
    target, motion = moved
    free = motion.held == 0
    np.testing.assert_array_equal(motion.candidates[1][free], pixel_centres(GRID)[free])
    shift = (motion.candidates[2] - pixel_centres(GRID))[free]
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-6)
    np.testing.assert_allclose(shift[0], (OWN - target)[:468, :2].mean(0), atol=1e-6)


def test_where_the_head_has_gone_from_the_background_comes_into_sight():
    """Also where an ear was that only the matte knows, but not where a shoulder is, nor where the head is now."""
    columns = np.arange(GRID)[None].repeat(GRID, 0)
    matte = np.float32(cv2.dilate(flow.drawn_maps(OWN)[0], np.ones((3, 3))))
    ear, shoulder = ((OWN[234, :2] - [0.05, 0.0]) * GRID).astype(int), ((OWN[152, :2] + [-0.2, 0.1]) * GRID).astype(int)
    for x, y in (ear, shoulder):
        matte[y - 5 : y + 6, x - 5 : x + 6] = 1
    field = MotionField(OWN, matte)
    still, moved = field.towards(np.stack([OWN, OWN + [0.2, 0, 0]]))
    assert still.vanished.max() < 0.1
    assert moved.vanished[ear[1], ear[0]] > 0.9 and moved.vanished[shoulder[1], shoulder[0]] == 0
    assert moved.vanished[moved.maps[MAPS.index("face")] > 0.5].max() == 0
    assert (np.average(columns, weights=moved.vanished) + 0.5) / GRID < OWN[:468, 0].mean()
    assert MotionField(OWN).towards(OWN[None] + [0.2, 0, 0])[0].vanished.max() == 0  # no matte, no knowledge


def test_hairs_that_the_matte_has_lost_vanish_where_the_head_is_far_from_them():
    matte = np.float32(cv2.dilate(flow.drawn_maps(OWN)[0], np.ones((3, 3))))
    top = int(OWN[10, 1] * GRID)
    row, column = top + 4, int(OWN[:468, 0].min() * GRID)
    column = int(np.argmax(matte[row] > 0.5)) - 4  # beside the head, where the matte is 0
    assert matte[row, column] == 0
    near, far = MotionField(OWN, matte).towards(np.stack([OWN + [0.02, 0, 0], OWN + [0.2, 0, 0]]))
    assert near.vanished[row, column] < 0.2 and far.vanished[row, column] > 0.7
    assert far.vanished[row, column - 6] < 0.1


def test_lips_of_a_mouth_that_opens_go_with_the_mesh():
    shut, wide = crop_points(face(lips=0.0)), crop_points(face(jaw=0.12))
    still, opened = MotionField(shut).towards(np.stack([shut, wide]))
    (already,) = MotionField(wide).towards(wide[None])
    assert still.lips.max() == already.lips.max() == 0 and opened.lips.max() > 0.9
    lips = drawn(wide, OUTER_LIPS)
    assert (
        opened.lips[lips].min() > 0.6
        and opened.lips[~cv2.dilate(lips.astype(np.uint8), np.ones((17, 17))).astype(bool)].max() < 0.01
    )


def test_what_belongs_to_a_head_is_as_far_from_it_as_it_was():
    """Beside a head that is turned far, the continuation of its motion shows an ear or the cheek once more."""
    field, here = MotionField(OWN, np.ones((GRID, GRID), np.float32)), pixel_centres(GRID)
    covered = field.towards(OWN[None])[0].maps[MAPS.index("head")]
    assert field._belongs(here, covered, OWN, np.float32(1), np.float32(0)).min() > 0.9
    half = covered * (here[..., 0] < OWN[:468, 0].mean())
    belongs = field._belongs(here, half, OWN, np.float32(1), np.float32(0))
    ear = np.round(OWN[454, :2] * GRID).astype(int) + [3, 0]
    assert belongs[ear[1], ear[0]] == 0 and belongs[half > 0].min() > 0.9
    assert belongs[int(OWN[152, 1] * GRID) + 4 :].min() > 0.9  # the neck stays


@pytest.mark.parametrize("side", [-1, 1])
def test_a_gap_in_the_person_is_not_seen_in_a_head_that_turns(side):
    """As between an ear lobe and the neck; in the portrait's own pose it is the background that it was."""
    matte = np.ones((GRID, GRID), np.float32)
    lobe = OWN[361 if side > 0 else 132, :2] * GRID + (6 * side, 0)
    cv2.circle(matte, tuple(int(at) for at in lobe), 4, 0.0, -1)
    field = MotionField(OWN, matte)
    places = np.float32(pixel_centres(GRID)[matte < 1].T)
    own, turned = (fit_head(points[None])[0][0] for points in (OWN, crop_points(turn=rotation(yaw=25))))

    def shown(turn: np.ndarray) -> np.ndarray:
        column, row = (field._of_the_person(places, turn) * GRID).astype(int)
        return matte[row, column]

    assert (shown(own) == 0).all() and (shown(turned) == 1).all()


@pytest.mark.parametrize("yaw", [0, 60, -60])
def test_a_head_was_where_its_whole_face_was_also_the_nose_of_a_profile(yaw):
    own = crop_points(turn=rotation(yaw=yaw))
    was = MotionField(own, np.zeros((GRID, GRID), np.float32))._was
    x, y = (own[:468, :2] + 0.02 * (own[:468, :2].mean(0) - own[:468, :2])).T * GRID
    assert was[y.astype(int), x.astype(int)].min() > 0.1  # it fades at its rim


def test_a_turned_head_is_held_against_the_network_but_not_its_rim_nor_its_features():
    turns = [crop_points(turn=rotation(yaw=10, roll=25)), crop_points(turn=rotation(yaw=45))]
    little, much = MotionField(crop_points()).towards(np.stack(turns))
    assert little.held.max() == 0
    head, features = much.maps[MAPS.index("head")], much.maps[[MAPS.index("mouth"), MAPS.index("eyes")]].max(0)
    inner = (cv2.erode(head, np.ones((11, 11))) > 0) & (cv2.dilate(features, np.ones((9, 9))) == 0)
    assert much.held[inner].min() > 0.95 and much.held[head == 0].max() < 0.2 and much.held[features == 1].max() == 0
    for other in much.candidates[1:]:
        np.testing.assert_allclose(other[inner], much.candidates[0][inner], atol=0.02)


def test_a_plain_shift_is_exact_over_the_whole_head(field):
    target = OWN + [0.08, -0.05, 0]
    (motion,) = field.towards(target[None])
    moved_by = (motion.flow - pixel_centres(GRID))[motion.maps[MAPS.index("head")] > 0]
    np.testing.assert_allclose(moved_by, np.broadcast_to([-0.08, 0.05], moved_by.shape), atol=1e-3)


def test_a_mirrored_turn_gives_the_mirrored_motion(field):
    centred = MotionField(crop_points(centre=(128, 120)))
    left, right = (centred.towards(crop_points(turn=rotation(yaw=y))[None])[0].flow for y in (-12, 12))
    mirrored = right[:, ::-1] * [-1, 1] + [1, 0]
    assert np.abs(left - mirrored).mean() * 256 < 0.1


def test_frames_do_not_depend_on_each_other(field):
    targets = np.stack(list(MODERATE.values()))
    together = field.towards(targets)
    for target, motion in zip(targets, together, strict=True):
        (alone,) = field.towards(target[None])
        np.testing.assert_allclose(alone.flow, motion.flow, atol=1e-6)


def test_a_little_noise_makes_a_little_motion(moved, field):
    target, motion = moved
    noisy = target + np.random.default_rng(0).normal(0, 0.1 / 256, target.shape)
    change = np.abs(field.towards(noisy[None])[0].flow - motion.flow) * 256
    assert change.mean() < 0.2 and np.quantile(change, 0.99) < 1.5


def test_extreme_poses_and_places_are_survived(field):
    targets = [
        crop_points(turn=rotation(yaw=85)),
        crop_points(turn=rotation(yaw=180)),
        crop_points(turn=rotation(pitch=80, roll=170)),
        crop_points(unit=2),
        crop_points(unit=900),
        crop_points(centre=(2000, -3000)),
        crop_points(face(jaw=0.6, blink=1.5)),
    ]
    for motion in field.towards(np.stack(targets)):
        for part in (motion.flow, motion.prior, motion.maps):
            assert np.isfinite(part).all()
        assert np.isfinite(warp(astronaut(), motion.flow)).all()


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_mouth_and_eyes_are_drawn_as_far_as_they_are_open():
    face_map, mouth, eyes, iris = flow.drawn_maps(OWN)
    assert all(0 <= part.min() and part.max() <= 1 for part in (face_map, mouth, eyes, iris))
    assert flow.drawn_maps(crop_points(face(jaw=0.1)))[1].sum() > 2 * mouth.sum()
    shut = flow.drawn_maps(crop_points(face(blink=1.0)))
    assert shut[2].sum() < 0.6 * eyes.sum() and shut[3].sum() < 0.6 * iris.sum()  # the outline itself is drawn
    assert (iris <= eyes + 1e-6).all() and iris.sum() > 0


def test_drawn_places_are_exact_below_a_pixel():
    """Centre of mass against the polygon's: half a pixel of the grid would be a whole one of the picture."""
    for dx in (0.0, 0.3, 0.7):
        points = crop_points() + [dx / GRID, 0, 0]
        face_map = flow.drawn_maps(points)[0]
        centre = (face_map[..., None] * pixel_centres(GRID)).sum((0, 1)) / face_map.sum()
        outline = points[list(flow.FACE_OVAL), :2]
        after = np.roll(outline, -1, axis=0)
        cross = outline[:, 0] * after[:, 1] - after[:, 0] * outline[:, 1]
        truth = ((outline + after) * cross[:, None]).sum(0) / (3 * cross.sum())
        np.testing.assert_allclose(centre, truth, atol=0.1 / GRID)


def test_pixel_centres_are_shared_and_cannot_be_changed():
    assert pixel_centres(8) is pixel_centres(8)
    assert pixel_centres(4)[0, :, 0].tolist() == [0.125, 0.375, 0.625, 0.875]
    with pytest.raises(ValueError, match="read-only"):
        pixel_centres(8)[0] = 0


@pytest.mark.parametrize("yaw", [45, -45])
def test_beside_a_turned_head_the_background_stays(yaw):
    """Its continuation would show the far side of the head once more."""
    y, x = np.moveaxis(pixel_centres(GRID), -1, 0)
    matte = ((np.hypot(x - 0.5, y - 0.45) < 0.34) | ((np.abs(x - 0.5) < 0.2) & (y > 0.5))).astype(np.float32)
    field = MotionField(OWN, matte)
    (motion,) = field.towards(crop_points(turn=rotation(yaw=yaw))[None])
    beside = np.abs(x - 0.5) > 0.42
    np.testing.assert_allclose(motion.candidates[0][beside], motion.candidates[1][beside], atol=1e-3)
    (little,) = field.towards(crop_points(turn=rotation(yaw=yaw / 5))[None])
    assert np.abs(little.candidates[0] - little.candidates[1])[beside].max() > 0.01
