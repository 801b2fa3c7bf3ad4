"""Lids and irises of drawn eyes are found where they are drawn; a person's eyes stay as the face mesh sees them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_faces import RINGS, drawn, ellipses, face_width, landmarks, middles, photograph

from visiongen.datatypes import NOT_DRAWN, Drawn
from visiongen.drawn_eyes import with_drawn_eyes
from visiongen.errors import WeightsError
from visiongen.landmarks import LEFT_IRIS, RIGHT_IRIS
from visiongen.models import drawing_nets, small_nets
from visiongen.models.drawing_nets import UNet, UNetConfig
from visiongen.pipeline import prepare_portrait
from visiongen.pose import face_model
from visiongen.samples import sample

SIZES = ((0.26, 0.22), (0.3, 0.3), (0.22, 0.24))


def filled(ring: np.ndarray) -> np.ndarray:
    mask = np.zeros(photograph().shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(ring * 16 - 8).astype(np.int32)], 1, shift=4)
    return mask > 0


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("iris", [(30, 110, 200), (150, 60, 40), (60, 150, 60)])
def test_lids_are_moved_to_a_drawn_eye(size, iris):
    found, high = with_drawn_eyes(drawn(wide=size[0], high=size[1], iris=iris), landmarks())
    assert high == (True, True)
    for ring, ellipse in zip(RINGS, ellipses(*size)):
        assert overlap(filled(found[list(ring), :2]), ellipse) > 0.75
        assert overlap(filled(landmarks()[list(ring), :2]), ellipse) < 0.5


def test_the_iris_goes_along():
    found, _ = with_drawn_eyes(drawn(), landmarks())
    for marks, middle in zip((RIGHT_IRIS, LEFT_IRIS), middles()):
        centre, right, top, left, bottom = found[list(marks), :2]
        assert np.linalg.norm(centre - middle) < 0.03 * face_width()
        assert right[0] > centre[0] > left[0] and top[1] < centre[1] < bottom[1]


def test_the_skin_around_goes_along_and_hardly_folds():
    """And only there: nose, mouth and oval stay to the bit."""
    found, _ = with_drawn_eyes(drawn(wide=0.3, high=0.3), landmarks())
    model = face_model()
    lids = model.points[[mark for ring in RINGS for mark in ring], :2]
    away = np.linalg.norm(model.points[:468, None, :2] - lids, axis=-1).min(1)
    assert (found[:468][away > 0.3] == landmarks()[:468][away > 0.3]).all()
    assert (found[:, 2] == landmarks()[:, 2]).all()

    def area(points):
        a, b, c = points[model.triangles, :2].swapaxes(0, 1)
        return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]

    # Beside a round lid slivers may fold, between points on a bow.
    before, after = area(landmarks()), area(found)
    folded = (np.sign(after) != np.sign(before)) & (before * np.sign(np.median(before)) > 0)
    assert np.abs(after[folded]).sum() < 0.05 * np.abs(after).sum()


@pytest.mark.parametrize("name", ["astronaut.jpg", "painting.png", "statue.png"])
def test_what_the_face_mesh_knows_stays(name):
    portrait = prepare_portrait(sample(name), size=512)
    same, high = with_drawn_eyes(portrait.image, portrait.landmarks)
    assert same is portrait.landmarks and high == (False, False)


def test_dark_glasses_are_no_eyes():
    same, high = with_drawn_eyes(drawn(white=0), landmarks())
    assert same is not None and (same == landmarks()).all() and high == (False, False)


def test_a_mirrored_picture_has_mirrored_eyes():
    picture, width = drawn(), photograph().shape[1]
    found, _ = with_drawn_eyes(picture, landmarks())

    def mirrored(points):
        flipped = points.copy()
        flipped[:468] = points[face_model().mirror[:468]]
        flipped[468:473], flipped[473:478] = points[[473, 476, 475, 474, 477]], points[[468, 471, 470, 469, 472]]
        flipped[:, 0] = width - flipped[:, 0]
        return flipped

    other, high = with_drawn_eyes(np.ascontiguousarray(picture[:, ::-1]), mirrored(landmarks()))
    assert high == (True, True)
    difference = np.linalg.norm(mirrored(found)[:468, :2] - other[:468, :2], axis=1)
    assert difference.max() < 0.02 * face_width()


def test_a_portrait_knows_that_its_eyes_are_drawn():
    assert prepare_portrait(drawn()).drawn == Drawn(True, (True, True))
    assert prepare_portrait(photograph()).drawn == NOT_DRAWN


@pytest.mark.parametrize("shipped", [drawing_nets.EYES, drawing_nets.FACES])
def test_weights_come_back_as_they_were_written(tmp_path, monkeypatch, shipped):
    net = small_nets.shipped_small_net(UNet, UNetConfig, shipped, purpose="find drawn eyes")
    path = small_nets.save_small_net(net, tmp_path / "net.npz")
    monkeypatch.setattr(small_nets.resources, "files", lambda _: tmp_path)
    (tmp_path / "data").mkdir()
    path.rename(tmp_path / "data" / "net.npz")
    again = small_nets.shipped_small_net(UNet, UNetConfig, "net.npz", purpose="find drawn eyes")
    for name, value in net.state_dict().items():
        assert (again.state_dict()[name] == value).all(), name
    (tmp_path / "data" / "net.npz").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="find drawn eyes"):
        small_nets.shipped_small_net(UNet, UNetConfig, "net.npz", purpose="find drawn eyes")
