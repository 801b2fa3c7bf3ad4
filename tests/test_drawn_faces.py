"""Mouths and jaws of drawings are found where they are drawn, and so is their hair; photographs keep what the mesh sees."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from drawn_faces import photograph

from visiongen.drawn_faces import drawn_hair, with_drawn_face
from visiongen.faces import find_faces
from visiongen.hair import NO_HAIR, find_hair
from visiongen.landmarks import FACE_OVAL, INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from visiongen.pipeline import prepare_portrait
from visiongen.pose import face_model
from visiongen.samples import sample
from visiongen.training.chance_faces import EXTENT, SIDE, DrawnFace, Shares

COUNT = 40
JAW = FACE_OVAL[8:29]


@cache
def faces() -> list[tuple[np.ndarray, Shares]]:
    """Faces that the network was not trained on."""
    return [DrawnFace(None, np.random.default_rng(100_000 + seed)).draw() for seed in range(COUNT)]


def a_persons() -> np.ndarray:
    """(478, 3) px: where a mesh that knows people would see a face in such a picture."""
    points = face_model().points.astype(np.float64) * SIDE / EXTENT
    points[:, :2] += SIDE / 2 - points[list(FACE_OVAL), :2].mean(0)
    return points.astype(np.float32)


def filled(points: np.ndarray, ring: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(ring), :2] * 16 - 8).astype(np.int32)], 1, shift=4)
    return mask > 0


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max((a | b).sum(), 1)


def seen(shares: Shares) -> bool:
    """Whether the mouth is large enough to be told, and nothing hides it."""
    return (shares.mouth > 0.5).sum() > 0.004 * (SIDE / EXTENT) ** 2


def test_lips_are_moved_to_a_drawn_mouth():
    before, after, middles = [], [], []
    for picture, shares in faces():
        if seen(shares):
            found, mouth = with_drawn_face(picture, a_persons()), shares.mouth > 0.5
            before.append(overlap(filled(a_persons(), OUTER_LIPS), mouth))
            after.append(overlap(filled(found, OUTER_LIPS), mouth))
            middles.append(np.argwhere(mouth)[:, ::-1].mean(0) - found[list(OUTER_LIPS), :2].mean(0))
    assert len(after) > COUNT / 2
    assert np.median(after) > 0.4 > 2 * np.median(before)  # lips have a rim of skin
    assert np.median(np.linalg.norm(middles, axis=1)) < 0.03 * SIDE / EXTENT


def test_the_oval_is_moved_to_a_drawn_jaw():
    def beside(points: np.ndarray, face: np.ndarray) -> float:
        """Mean distance of a jaw from the rim of a face, px."""
        rim = cv2.distanceTransform((~face).astype(np.uint8), cv2.DIST_L2, 5)
        rim = np.maximum(rim, cv2.distanceTransform(face.astype(np.uint8), cv2.DIST_L2, 5))
        x, y = np.clip(np.round(points[list(JAW), :2] - 0.5).astype(int), 0, SIDE - 1).T
        return float(rim[y, x].mean())

    pairs = []
    for picture, shares in faces():
        found = with_drawn_face(picture, a_persons())
        if (found[list(JAW)] != a_persons()[list(JAW)]).any():  # else it has so little of a chin that it may be a beard
            pairs.append([beside(points, shares.face > 0.5) for points in (a_persons(), found)])
    assert len(pairs) > COUNT / 3
    before, after = np.median(pairs, axis=0)
    assert after < 0.6 * before


def test_lips_are_in_order_and_eyes_and_depth_stay():
    for picture, _ in faces():
        found = with_drawn_face(picture, a_persons())
        assert np.isfinite(found).all() and (found[:, 2] == a_persons()[:, 2]).all()
        for eye in (RIGHT_EYE, LEFT_EYE):
            assert (found[list(eye)] == a_persons()[list(eye)]).all()
        right, left = found[[78, 308], 0]
        assert right < left
        upper, lower = (found[list(lips), 1] for lips in (INNER_LIPS[1:10], INNER_LIPS[:10:-1]))
        assert (upper <= lower + 1e-3).all()


@pytest.mark.parametrize("wide", [0.12, 0.25])
def test_a_mouth_that_is_a_line_is_closed(wide):
    """However high the network sees it; with something dark between the lips it is open."""
    unit = SIDE / EXTENT
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    points = a_persons()
    x, y = points[[13, 14], :2].mean(0) - [0, 0.06 * unit]
    oval = np.round(points[list(FACE_OVAL), :2]).astype(np.int32)
    cv2.fillPoly(picture, [oval], (250, 220, 200))
    cv2.polylines(picture, [oval], True, (40, 30, 30), 1, cv2.LINE_AA)
    for eye in (RIGHT_EYE, LEFT_EYE):
        at = points[list(eye), :2].mean(0)
        cv2.ellipse(
            picture, tuple(np.round(at).astype(int).tolist()), (9, 10), 0, 0, 360, (60, 40, 120), -1, cv2.LINE_AA
        )
    line, half = picture.copy(), wide * unit / 2
    cv2.line(line, (round(x - half), round(y)), (round(x + half), round(y)), (120, 70, 60), 1, cv2.LINE_AA)
    cv2.ellipse(picture, (round(x), round(y)), (round(half), 6), 0, 0, 360, (120, 30, 40), -1, cv2.LINE_AA)

    def gap(drawing: np.ndarray) -> float:
        found = with_drawn_face(drawing, points)
        return float((found[14, 1] - found[13, 1]) / unit)

    assert gap(line) < 0.005 and gap(picture) > 0.05


def test_a_picture_without_a_mouth_keeps_the_lips():
    plain = np.full((SIDE, SIDE, 3), 200, np.uint8)
    found = with_drawn_face(plain, a_persons())
    assert (found[list(OUTER_LIPS)] == a_persons()[list(OUTER_LIPS)]).all()


@pytest.mark.parametrize("name", ["astronaut.jpg", "painting.png", "statue.png"])
def test_photographs_stay_as_the_mesh_sees_them(name):
    portrait = prepare_portrait(sample(name), size=512)
    assert not portrait.drawn.face
    assert (find_faces(portrait.image)[0].landmarks == portrait.landmarks).all()


def test_the_sample_cartoon_is_a_drawing():
    assert prepare_portrait(sample("cartoon.png"), size=512).drawn.face


def test_hair_is_seen_where_it_is_drawn():
    overlaps = []
    for picture, shares in faces():
        middle = np.s_[SIDE // 5 : -SIDE // 5, SIDE // 5 : -SIDE // 5]
        hair = (shares.hair > 0.5)[middle]
        if hair.mean() > 0.03:
            likely = drawn_hair(picture, a_persons() / SIDE)
            assert likely.shape == (SIDE, SIDE) and 0 <= likely.min() and likely.max() <= 1
            overlaps.append(overlap(likely[middle] > 0.5, hair))
    assert len(overlaps) > COUNT / 2 and np.median(overlaps) > 0.75


def test_hair_beside_a_drawn_jaw_hides_it_whatever_its_colour():
    """As light as the skin, too, which colours alone would not tell."""
    size = 256
    source = a_persons() / SIDE
    crop = np.full((size, size, 3), (250, 225, 205), np.uint8)
    x = (np.arange(size) + 0.5) / size
    seen, matte = np.zeros((size, size), np.float32), np.ones((128, 128), np.float32)
    seen[:, x < source[234, 0] - 0.005] = 1  # on the picture's left
    seen[x < source[10, 1]] = 1
    crop[seen > 0] = (252, 238, 214)
    hair = find_hair(crop, source, matte, seen=seen)
    right, left = hair.hides
    assert right > 0.7 and left < 0.1
    assert find_hair(crop, source, matte) is NO_HAIR
    assert find_hair(crop, source, matte, seen=0 * seen) is NO_HAIR


def test_what_the_photograph_shows_is_no_drawing():
    assert prepare_portrait(photograph()).drawn == (False, (False, False))
