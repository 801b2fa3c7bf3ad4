"""The face detector as a loss: its torch twin sees what MediaPipe sees, and tells better pictures from worse ones."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import torch
from builders import astronaut

from visiongen.errors import WeightsError
from visiongen.landmarks import FaceMesh
from visiongen.models import face_features
from visiongen.models.face_features import FaceFeatures, crop_grid, feature_distance, landmark_distance

pytest.importorskip("tflite", reason="pip install 'visiongen[training]'")
SIDE = 256


@pytest.fixture(scope="module")
def face() -> FaceFeatures:
    return FaceFeatures()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return cv2.resize(astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def landmarks(picture) -> np.ndarray:
    with FaceMesh(max_faces=1) as mesh:
        return mesh(picture)[0]


def tensors(picture: np.ndarray, landmarks: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    return pixels, torch.from_numpy(landmarks / SIDE)[None]


def in_picture(points: torch.Tensor, landmarks: torch.Tensor) -> np.ndarray:
    """Points of the crop, px of the picture."""
    grid = crop_grid(landmarks, face_features.SIDE).permute(0, 3, 1, 2)
    at = (points / face_features.SIDE * 2 - 1)[:, :, None]
    sampled = torch.nn.functional.grid_sample(grid, at, align_corners=False, padding_mode="border")
    return ((sampled[0, :, :, 0].T + 1) / 2 * SIDE).numpy()


@torch.no_grad()
def test_it_finds_the_landmarks_that_mediapipe_finds(face, picture, landmarks):
    for turned, points in (
        (picture, landmarks),
        (picture[:, ::-1].copy(), None),
        (cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE), None),
    ):
        if points is None:
            with FaceMesh(max_faces=1) as mesh:
                points = mesh(turned)[0]
        x, where = tensors(turned, points)
        found = in_picture(face(x, where).points, where)
        width = np.ptp(points[:468, 0])
        assert np.linalg.norm(found - points[:468, :2], axis=1).mean() < 0.03 * width


def test_it_sees_what_is_worse_and_can_say_how_to_mend_it(face, picture, landmarks):
    real, where = tensors(picture, landmarks)
    moved, _ = tensors(cv2.warpAffine(picture, np.float32([[1, 0, 3], [0, 1, 0]]), (SIDE, SIDE)), landmarks)
    blurred, _ = tensors(cv2.GaussianBlur(picture, (0, 0), 3), landmarks)
    with torch.no_grad():
        shown = face(real, where)
    assert landmark_distance(shown, shown) == 0 == feature_distance(shown, shown)
    # 3 px to the side are 100 * 3 px over the crop's side, which is one and a half times the face's.
    side = 1.5 * np.ptp(landmarks[:468, :2], axis=0).max()
    assert float(landmark_distance(face(moved, where), shown)) == pytest.approx(300 / side, rel=0.35)
    assert feature_distance(face(blurred, where), shown) > 0.05
    guess = blurred.clone().requires_grad_()
    loss = landmark_distance(face(guess, where), shown) + feature_distance(face(guess, where), shown)
    loss.backward()
    step = guess.detach() - 2e-2 * guess.grad / guess.grad.abs().max()
    with torch.no_grad():
        after = landmark_distance(face(step, where), shown) + feature_distance(face(step, where), shown)
    assert after < loss


def test_without_its_reader_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    with pytest.raises(WeightsError, match=r"visiongen\[training\].*--landmarks 0 --perceptual 0"):
        FaceFeatures()
