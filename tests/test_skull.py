"""The skull round the face mesh: fitted to the person's silhouette, closed, and still where nothing moves."""

import numpy as np
import pytest
from builders import face, placed, rotation

from visiongen.hair import Hair
from visiongen.landmarks import FACE_OVAL, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from visiongen.pose import euler_angles, fit_head
from visiongen.skull import Skull
from visiongen.skull_rings import silhouette

SIZE = 128


def head(**where) -> np.ndarray:
    """(478, 3), crop units."""
    return placed(face(), centre=(128.0, 128.0), **where).astype(np.float64) / 256


def disc(radius: float, centre=(0.5, 0.48)) -> np.ndarray:
    """(SIZE, SIZE) a round person, radius in crop units."""
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    return (np.hypot(x - centre[0], y - centre[1]) < radius).astype(np.float32)


def pose_of(points: np.ndarray) -> tuple:
    return tuple(part[0] for part in fit_head(points[None]))


def texture(skull: Skull, points: np.ndarray) -> np.ndarray:
    """(N, 2) of a head with these landmarks."""
    turn, _, scale = pose_of(points)
    return skull.texture(points, turn, scale)


def test_every_vertex_is_used_and_every_triangle_has_three():
    skull = Skull(head())
    assert set(skull.triangles.ravel()) <= set(range(len(skull.vertices)))
    assert (np.diff(np.sort(skull.triangles, axis=1), axis=1) > 0).all()


@pytest.mark.parametrize("turn", [(0, 0, 0), (30, 0, 0), (-25, 10, 15)])
@pytest.mark.parametrize("matte", [None, disc(0.42), disc(0.33)])
def test_in_the_portraits_own_pose_colours_come_from_where_they_are(turn, matte):
    points = head(turn=rotation(*turn))
    skull = Skull(points, matte)
    np.testing.assert_allclose(texture(skull, points), skull.vertices[:, :2], atol=1e-12)


def test_a_larger_silhouette_makes_a_larger_head():
    def mean_reach(matte):
        skull = Skull(head(), matte)
        oval = skull.source[list(FACE_OVAL), :2]
        return np.linalg.norm(silhouette(skull.vertices) - oval, axis=1).mean()

    small, large = (mean_reach(disc(radius)) for radius in (0.36, 0.44))
    assert small < large


@pytest.mark.parametrize("turn", [(0, 0, 0), (35, 0, 0), (-35, 5, 0)])
@pytest.mark.parametrize("radius", [0.34, 0.38, 0.45])
def test_nothing_of_the_skull_is_outside_of_the_person(turn, radius):
    """...where the face itself is inside."""
    points = head(turn=rotation(*turn))
    skull = Skull(points, disc(radius))

    def inside(places, radius=radius):
        x, y = np.clip((places * SIZE).astype(int), 0, SIZE - 1).T
        return disc(radius)[y, x] > 0

    rings = skull.vertices[468 : 468 + 6 * len(FACE_OVAL), :2].reshape(-1, len(FACE_OVAL), 2)
    held = inside(rings[1])  # of the silhouette; near the chin it may be the usual one
    assert held.mean() > 0.6
    for ring in rings[2:]:
        assert inside(ring[held], radius + 1 / SIZE).mean() > 0.95  # the matte has rows and columns


def test_a_matte_that_misses_the_face_is_not_believed():
    usual, empty = Skull(head()), Skull(head(), np.zeros((SIZE, SIZE), np.float32))
    np.testing.assert_allclose(silhouette(empty.vertices), silhouette(usual.vertices), atol=0.03)


@pytest.mark.parametrize("yaw", [-45, 45])
def test_a_turned_head_shows_hair_from_above_the_ears_behind_it(yaw):
    points = head()
    skull = Skull(points, disc(0.4))
    turned = texture(skull, head(turn=rotation(yaw=yaw)))
    place, colour = (part[468:, :2].reshape(-1, len(FACE_OVAL), 2) for part in (skull.vertices, turned))
    is_behind = np.linalg.norm(place[2:] - place[1], axis=-1).max(0) > 0.2 * skull.face_width
    assert is_behind.mean() > 0.4 and colour[2:, is_behind, 1].max() < points[:468, 1].mean()
    # The head is closed: its back reaches further out than its silhouette did.
    target = head(turn=rotation(yaw=yaw))
    vertices = skull.posed(target, *pose_of(target))
    side = -np.sign(yaw)
    outline, back = (side * (v[:, 0] - 0.5) for v in (silhouette(vertices), vertices[468:]))
    assert back.max() >= outline.max()


def test_what_lies_as_near_as_nothing_behind_the_jaw_has_their_colours():
    """Not those of the hair above, all of which would be a dot."""
    skull, count = Skull(head()), len(FACE_OVAL)
    turned = texture(skull, head(turn=rotation(yaw=25)))
    place, colour = (part[468:, :2].reshape(-1, count, 2) for part in (skull.vertices, turned))
    near = np.linalg.norm(place[2:] - place[1], axis=-1).max(0) < 0.1 * skull.face_width
    assert near[FACE_OVAL.index(288)] and near[FACE_OVAL.index(58)] and not near[FACE_OVAL.index(10)]
    assert (np.linalg.norm(colour[2:] - colour[1], axis=-1)[:, near] < 0.1 * skull.face_width).all()


def test_below_the_chin_a_lifted_head_shows_its_jaw_and_no_second_one():
    points = head()
    skull, chin = Skull(points, disc(0.42)), points[152, 1]
    below = 468 + len(FACE_OVAL) + FACE_OVAL.index(152)
    lifted, bowed = sorted(
        (head(turn=rotation(pitch=pitch)) for pitch in (-24, 24)), key=lambda to: euler_angles(pose_of(to)[0])[1]
    )
    assert skull.vertices[below, 1] > chin
    assert texture(skull, lifted)[below, 1] < chin < texture(skull, bowed)[below, 1]


@pytest.mark.parametrize("yaw", [-35, 35])
def test_round_the_chin_of_a_turned_head_there_is_nothing_but_at_the_corners_of_its_jaw(yaw):
    """What moves with a head below its chin, and is neck, would be a second chin."""
    skull = Skull(head(), disc(0.42))

    def sticks_out(points: np.ndarray) -> np.ndarray:
        """(36,) face widths down from the oval to the silhouette."""
        there = skull.posed(points, *pose_of(points))
        return (silhouette(there) - points[list(FACE_OVAL), :2])[:, 1] / skull.face_width

    own, turned = sticks_out(head()), sticks_out(head(turn=rotation(yaw=yaw)))
    chin, corners = ([FACE_OVAL.index(mark) for mark in marks] for marks in ((148, 152, 377), (58, 288)))
    assert own[chin].min() > 0.08
    assert turned[chin].max() < 0.03 < turned[corners].min()


@pytest.mark.parametrize("yaw", [-40, 40])
def test_colours_of_a_turned_heads_rim_are_the_persons(yaw):
    """A sliver of background within the oval would become a broad band."""
    points, matte = head(), disc(0.3)
    skull = Skull(points, matte)
    rim = np.r_[FACE_OVAL, 468 : 468 + 2 * len(FACE_OVAL)]

    def inside(places):
        x, y = np.clip((places[rim] * SIZE).astype(int), 0, SIZE - 1).T
        return matte[y, x] > 0

    assert inside(texture(skull, points)).mean() < 0.9
    assert inside(texture(skull, head(turn=rotation(yaw=yaw)))).all()


@pytest.mark.parametrize("yaw", [0, -25])
def test_corners_of_a_narrower_mouth_take_their_colour_from_farther_out(yaw):
    """The colour of lips reaches beyond the corners that are found, and would be drawn out over the cheeks."""
    own = head(turn=rotation(yaw=yaw))
    skull = Skull(own)

    def outward(width: float) -> np.ndarray:
        shape = face()
        shape[[61, 291], 0] *= width
        points = placed(shape, centre=(128.0, 128.0), turn=rotation(yaw=yaw)) / 256.0
        step = texture(skull, points)[[61, 291]] - texture(skull, own)[[61, 291]]
        across = (own[61] - own[291])[:2] / np.linalg.norm(own[61] - own[291])
        return step @ across * [1, -1]

    assert (outward(0.6) > outward(0.9)).all() and (outward(0.9) > 0).all()
    np.testing.assert_allclose(outward(1.2), 0, atol=1e-9)


def test_another_view_draws_in_what_sticks_out_there():
    points, matte, hair = head(turn=rotation(yaw=30)), disc(0.42), Hair((1.0, 1.0))
    alone = Skull(points, matte, hair=hair)
    same = Skull(points, matte, also=(points, matte), hair=hair)
    np.testing.assert_allclose(same.vertices, alone.vertices, atol=0.02)  # it holds itself within the person already
    small = Skull(points, matte, also=(head(turn=rotation(yaw=-30)), disc(0.3)), hair=hair)
    oval = alone.source[list(FACE_OVAL), :2]
    reach = [np.linalg.norm(silhouette(s.vertices) - oval, axis=1) for s in (alone, small)]
    assert (reach[1] <= reach[0] + 1e-9).all() and reach[1].mean() < 0.8 * reach[0].mean()


def test_sides_of_a_face_that_turns_far_take_their_colours_from_farther_in():
    skull = Skull(head())
    own, flat = skull.vertices[:468, :2], [texture(skull, head(turn=rotation(yaw=yaw)))[:468] for yaw in (0, 20, 60)]
    middle = own[list(FACE_OVAL)].mean(0)
    steps = np.linalg.norm(flat[2] - flat[1], axis=1) / skull.face_width
    nearer = np.linalg.norm(own - middle, axis=1) - np.linalg.norm(flat[2] - middle, axis=1)
    assert steps[[234, 454, 93, 323]].min() > 0.03 and (nearer[steps > 0.01] > 0).all()
    features = [*RIGHT_EYE, *LEFT_EYE, *RIGHT_BROW, *LEFT_BROW, 1, 10, 152, 13]
    assert steps[features].max() == 0  # nor is anything of eyes and brows drawn out beside them
    distance = np.linalg.norm(flat[2][:, None] - own[features[:-4]], axis=-1).min(1) / skull.face_width
    assert distance[steps > 0.002].min() > 0.03


def test_behind_the_corners_of_the_jaw_there_is_neck_unless_hair_hangs_there():
    bare, hidden = (Skull(head(), hair=Hair(hides)) for hides in ((0.0, 0.0), (1.0, 1.0)))

    def depth(skull: Skull, landmark: int) -> float:
        """Of the silhouette behind a landmark of the oval, face widths."""
        at = FACE_OVAL.index(landmark)
        behind = skull.vertices[468 + len(FACE_OVAL) :][: len(FACE_OVAL)][at] - skull.vertices[landmark]
        return float(behind[2] / skull.face_width)

    for ear, corner in ((234, 58), (454, 288)):
        assert depth(bare, corner) < 0.5 * depth(bare, ear)
        assert depth(hidden, corner) > 0.8 * depth(hidden, ear)
        assert depth(bare, ear) == pytest.approx(depth(hidden, ear))


def test_long_hair_is_before_the_back_of_the_head_already():
    bare, hidden = (Skull(head(), hair=Hair(hides)) for hides in ((0.0, 0.0), (1.0, 1.0)))

    def reach(skull: Skull) -> float:
        """From the silhouette above to the farthest point behind it, face widths."""
        top = 468 + len(FACE_OVAL) + FACE_OVAL.index(10)
        return float(skull.vertices[:, 2].max() - skull.vertices[top, 2]) / skull.face_width

    assert 0.2 < reach(hidden) < 0.9 * reach(bare)


@pytest.mark.parametrize("yaw", [-30, 30])
def test_a_turned_portrait_shows_what_is_behind_its_oval_and_no_broader_head(yaw):
    """Its neck, or the back of its head, would be a broad jaw once it looks to the camera."""
    wide = disc(0.47)

    def width(turn: float, hides: float = 0.0) -> float:
        """Of the silhouette over that of the oval, between the corners of the mouth and the ears, looking to the camera."""
        skull = Skull(head(turn=rotation(yaw=turn)), wide, hair=Hair((hides, hides)))
        there = skull.posed(head(), *pose_of(head()))
        beside = [FACE_OVAL.index(landmark) for landmark in (454, 323, 361, 288, 58, 132, 93, 234)]
        oval, ring = there[list(FACE_OVAL)][beside, 0], silhouette(there)[beside, 0]
        return float(np.ptp(ring) / np.ptp(oval))

    assert width(0) > 1.25
    assert width(yaw) < 1.12
    assert width(yaw, hides=1.0) > width(yaw) + 0.1


@pytest.mark.parametrize("side", [1, -1])
def test_a_skull_lacks_the_other_side_of_a_portrait_that_looks_to_the_side_once_that_is_seen(side):
    def lacks(own: float, now: float) -> float:
        return Skull(head(turn=rotation(yaw=own * side))).lacks(pose_of(head(turn=rotation(yaw=now * side)))[0])

    assert lacks(30, 30) == lacks(30, 50) == 0
    assert lacks(30, 10) == lacks(30, -20) == 1
    assert 0 < lacks(30, 23) < 1
    assert lacks(0, 40) == lacks(3, -20) == 0
