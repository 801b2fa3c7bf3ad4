"""visiongen.generators.matte: who moves, and who stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from builders import moving_head, write_clip

from visiongen import extract_motion, fit_motion, prepare_portrait
from visiongen.datatypes import Drawn, Portrait
from visiongen.generators.matte import before_paper, nearer_than, own_part, portrait_matte
from visiongen.landmarks import FACE_OVAL
from visiongen.pipeline import render
from visiongen.plugins import choose, load
from visiongen.pose import face_model
from visiongen.samples import sample

SIDE = 64
_CUT = 190


def at(x, size):
    """Landmarks (478, 3) of a square face of a size, centred at (x, 0.5)."""
    face = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3))
    face[0], face[1] = (-0.5, -0.5, 0), (0.5, 0.5, 0)
    face[:, :2] -= face[:468, :2].mean(0)
    return size * face + [x, 0.5, 0]


def test_the_border_is_half_way_between_faces_of_one_size_and_nearer_the_smaller():
    alike, small = (nearer_than(at(0.25, 0.2), np.array([at(0.75, size)]), SIDE) for size in (0.2, 0.1))
    assert alike.shape == (SIDE, SIDE) and alike.min() == 0 and alike.max() == 1
    np.testing.assert_allclose(alike + alike[:, ::-1], 1, atol=0.02)
    assert alike[SIDE // 2].sum() < small[SIDE // 2].sum() < SIDE


def test_the_nearest_of_several_others_counts():
    near, far = at(0.75, 0.2), at(0.95, 0.2)
    both = nearer_than(at(0.25, 0.2), np.array([far, near]), SIDE)
    np.testing.assert_array_equal(both, nearer_than(at(0.25, 0.2), near[None], SIDE))


@pytest.fixture(scope="module")
def pair():
    """The first frame of a clip and another picture close beside it, (H, W, 3); the clip's frames."""
    frames = moving_head(8)
    other = prepare_portrait(sample("cartoon.png"), size=frames[0].shape[0]).image
    return np.hstack([frames[0][:, :_CUT], other[: frames[0].shape[0], 70:]]), frames


def test_a_picture_of_one_has_no_border():
    portrait = prepare_portrait(sample("cartoon.png"), size=256)
    assert own_part(portrait, SIDE) is None and portrait_matte(portrait, SIDE).max() > 0.9


def drawing(ground: int, side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """A white head with a black outline on flat ground, (S, S, 3), and where it is, (S, S) bool."""
    y, x = np.mgrid[:side, :side] / side - [[[0.5]], [[0.55]]]
    away = np.hypot(x, 0.8 * y)
    picture = np.full((side, side, 3), ground, np.uint8)
    picture[away < 0.3], picture[away < 0.28] = 0, 250
    return picture, away < 0.3


@pytest.mark.parametrize("ground", [255, 120])
def test_what_stands_before_paper_is_found_also_where_it_is_as_white(ground):
    picture, there = drawing(ground)
    matte = before_paper(picture, 128)
    assert np.abs(matte - there[::2, ::2]).mean() < 0.02 and matte.min() == 0
    noisy = np.clip(picture + np.random.default_rng(0).integers(-2, 3, picture.shape), 0, 255).astype(np.uint8)
    assert np.abs(before_paper(noisy, 128) - matte).mean() < 0.01


def test_hair_that_fills_the_upper_edges_does_not_hide_the_paper():
    """A drawing cut off at its hair: what is beside the matte tells."""
    picture, there = drawing(255)
    picture[:20, 8:-8], there[:20, 8:-8] = (90, 60, 40), True
    picture[:128, :70], there[:128, :70] = (90, 60, 40), True
    assert before_paper(picture, 128, least=248) is None
    matte = there[::2, ::2].astype(np.float32)
    matte[10:64, 28:35] = 0  # the segmentation has lost a lock
    found = before_paper(picture, 128, least=248, matte=matte)
    assert np.abs(found - there[::2, ::2]).mean() < 0.02


def test_a_wall_is_no_paper():
    picture, there = drawing(180)
    assert before_paper(picture, 128, least=248) is None
    shaded = np.clip(picture + 60 * (np.arange(256)[None, :, None] / 255 - 0.5) * ~there[..., None], 0, 255)
    assert before_paper(shaded.astype(np.uint8), 128) is None


def test_a_matte_with_a_part_of_the_face_is_better_than_none(monkeypatch):
    """...where no flat ground says more, as in a photograph with a hand before the face."""
    portrait = prepare_portrait(sample("astronaut.jpg"), size=256)
    partial = np.full((SIDE, SIDE), 0.4, np.float32)
    monkeypatch.setattr("visiongen.generators.matte.person_matte", lambda picture, side: partial)
    np.testing.assert_array_equal(portrait_matte(portrait, SIDE), partial)


def test_who_stands_beside_stays_also_where_the_clip_shows_something_else_there(pair, tmp_path):
    picture, frames = pair
    faces = [prepare_portrait(picture, face=i) for i in (0, 1)]
    portrait = min(faces, key=lambda one: one.landmarks[:, 0].mean())
    assert len(portrait.others) == 1
    motion = extract_motion(write_clip(tmp_path / "own.mp4", frames))
    portrait, motion = fit_motion(portrait, motion)
    assert len(portrait.others) == 1
    beside = slice(int(portrait.others[0, :468, 0].min()), None)
    assert _CUT < beside.start < portrait.image_from_crop[0, 2] + portrait.crop.shape[1] - 15
    for batch in render(portrait, motion, generator=load(choose("generator", "vae-gan"))):
        moved = np.abs(batch.pixels[:, :, beside].astype(int) - picture[:, beside])
        assert moved.mean() < 2 and (moved > 40).mean() < 0.005


def drawing_on_paper(monkeypatch, *, shirt: bool = False, beard: bool = False):
    """The matte of a drawn head on paper, below which the segmentation sees a body, (128, 128)."""
    size = 256
    points = face_model().points.astype(np.float64) * 0.4 + [0.5, 0.45, 0.0]
    chin = points[152, :2] * size
    crop = np.full((size, size, 3), 255, np.uint8)
    oval = np.round(points[list(FACE_OVAL), :2] * size).astype(np.int32)
    if beard:
        cv2.ellipse(crop, (int(chin[0]), int(chin[1])), (20, 22), 0, 0, 360, (90, 50, 30), -1)
    cv2.fillPoly(crop, [oval], (240, 200, 180))
    cv2.polylines(crop, [oval], True, (20, 20, 20), 2)
    if shirt:
        cv2.rectangle(crop, (100, int(chin[1])), (156, 256), (240, 200, 180), -1)
        for x in (40, 90, 160, 210):
            cv2.rectangle(crop, (x, int(chin[1]) + 25), (x + 12, 256), (180, 30, 30), -1)
    seen = np.zeros((128, 128), np.float32)
    cv2.fillPoly(seen, [oval // 2], 1.0)
    seen[int(chin[1] / 2) - 4 :, 16:112] = 1
    monkeypatch.setattr("visiongen.generators.matte.person_matte", lambda picture, side: seen)
    portrait = Portrait(
        image=crop, landmarks=(points * size).astype(np.float32), crop=crop, image_from_crop=np.eye(2, 3),
        drawn=Drawn(face=True),
    )  # fmt: skip
    return portrait_matte(portrait, 128), int(chin[1] / 2)


def test_a_drawn_head_alone_has_no_body(monkeypatch):
    """The segmentation knows people, and sees one on white paper below every head."""
    matte, chin = drawing_on_paper(monkeypatch)
    assert matte[chin - 20, 64] == 1 and matte[chin + 4 :].max() < 0.1


@pytest.mark.parametrize("what", ["shirt", "beard"])
def test_what_is_drawn_below_a_chin_keeps_the_body(monkeypatch, what):
    """White as paper between its lines, or what a beard hangs before."""
    matte, chin = drawing_on_paper(monkeypatch, **{what: True})
    assert matte[chin + 30, 20:108].min() > 0.9
