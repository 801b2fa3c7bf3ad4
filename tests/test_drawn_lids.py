"""Lids come down over drawn eyes; the eyes below stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_faces import IRIS, RINGS, drawn, photograph

from visiongen import plugins
from visiongen.drawing import lay_over
from visiongen.drawn_lids import DrawnLids
from visiongen.generators.targets import source_landmarks
from visiongen.pipeline import prepare_portrait, render
from visiongen.pose import face_model, fit_head
from visiongen.retarget import EYE_PAIRS, EYE_SKIN, portrait_motion

PORTRAIT = prepare_portrait(drawn(wide=0.3, high=0.3))
SOURCE = source_landmarks(PORTRAIT)
LIDS = DrawnLids(PORTRAIT.crop, SOURCE, (True, True))


def closed(points: np.ndarray, share: float, axis=(0.0, 1.0, 0.0)) -> np.ndarray:
    """Landmarks (..., 478, 3) with eyes that are closed by a share, as `visiongen.retarget` closes them."""
    points = np.array(points, np.float64)
    for side, pairs in EYE_PAIRS.items():
        upper, lower = np.array(pairs).T
        gap = share * ((points[..., lower, :] - points[..., upper, :]) @ np.array(axis))[..., None] * np.array(axis)
        for ring, much in ((pairs, 1.0), (EYE_SKIN[side], 0.5)):
            upper, lower = np.array(ring).T
            points[..., upper, :] += 0.75 * much * gap
            points[..., lower, :] -= 0.25 * much * gap
    return points


def irises(picture: np.ndarray) -> int:
    """Pixels in the colour of the irises."""
    return int((np.abs(picture.astype(int) - IRIS).max(-1) < 40).sum())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_eyes_are_held_as_open_as_the_portraits_own(share):
    held = LIDS.held(closed(SOURCE, share, fit_head(SOURCE[None])[0][0][:, 1]))
    assert np.abs(held[:468] - SOURCE[:468])[:, :2].max() < 0.01 * fit_head(SOURCE[None])[2][0]


def test_eyes_that_open_wider_are_not_held():
    wider = closed(SOURCE, -0.4)
    assert np.allclose(LIDS.held(wider), wider, atol=1e-3)


def test_a_portrait_without_drawn_eyes_is_left_alone():
    lids = DrawnLids(PORTRAIT.crop, SOURCE, (False, False))
    target = closed(SOURCE, 1.0)
    assert lids.held(target) is target and lids(target) == []


def test_lids_hide_the_eye_as_far_as_they_are_closed():
    assert LIDS(SOURCE) == []
    left = [irises(lay_over(PORTRAIT.crop, LIDS(closed(SOURCE, share)))) for share in (0.0, 0.3, 0.6, 1.0)]
    assert left[0] > 200 and left[3] == 0
    assert left[0] > left[1] > left[2] > left[3]


def test_a_closed_lid_is_skin_with_a_dark_line_below():
    picture = lay_over(PORTRAIT.crop, LIDS(closed(SOURCE, 1.0))).astype(int)
    for ring in RINGS:
        points = SOURCE[list(ring), :2] * len(picture)
        x, y = np.round(points.mean(0)).astype(int)
        bottom = int(points[:, 1].max())
        lid = picture[y - 3 : y + 3, x - 3 : x + 3].reshape(-1, 3).mean(0)
        line = picture[bottom - 4 : bottom + 4, x].mean(-1).min()
        cheek = np.median(picture[bottom + 8 : bottom + 14, x - 5 : x + 5].reshape(-1, 3), axis=0)
        assert np.abs(lid - cheek).max() < 40, "not in the colour of the skin"
        assert line < lid.mean() - 60, "no line of lashes"


def test_one_eye_alone_can_be_closed():
    one = DrawnLids(PORTRAIT.crop, SOURCE, (True, False))
    pieces = one(closed(SOURCE, 1.0))
    assert len(pieces) == 1
    middle = pieces[0].corner[0] + pieces[0].weight.shape[1] / 2
    assert middle < len(PORTRAIT.crop) * SOURCE[:, 0].mean()  # the right eye is on the picture's left


@pytest.mark.parametrize("name", ["warp", "vae-gan"])
def test_both_generators_close_drawn_eyes(name):
    own = portrait_motion(PORTRAIT)
    rest = face_model().points
    offsets = np.concatenate([own.offsets, closed(rest + own.offsets, 1.0) - rest]).astype(np.float32)
    twice = {name: np.repeat(getattr(own, name), 2, axis=0) for name in ("rotation", "translation", "scale", "visible")}
    motion = replace(own, offsets=offsets, times=np.array([0.0, 0.04]), **twice)
    generator = plugins.load(plugins.choose("generator", name))
    frames = np.concatenate([batch.pixels for batch in render(PORTRAIT, motion, generator=generator, full=False)])
    assert irises(frames[0]) > 0.8 * irises(PORTRAIT.crop) > 10 * irises(frames[1])


def test_a_photograph_has_no_lids_to_draw():
    assert not any(prepare_portrait(photograph()).drawn.eyes)
