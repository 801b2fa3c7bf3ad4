"""Makes ``visiongen/data/face_model.npz`` from prepared clips: ``python -m visiongen.training.rest_face FOLDER``.

Generalised Procrustes analysis over many fitted faces: the rest face is the mean shape, a landmark's stability the inverse
of how much it moves within a clip once the head's pose is taken out. Source: Gower, "Generalized Procrustes analysis",
Psychometrika 1975.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from visiongen.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from visiongen.pose import fit_similarity

MESH = 468
LEFT_CHEEK, RIGHT_CHEEK = 454, 234


def mean_face(clips: list[np.ndarray], rounds: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Rest face (478, 3), face widths, and stability (478,) of landmark clips, each (T, 478, 3) px."""
    rest = clips[0][0] - clips[0][0].mean(0)
    stability = np.r_[np.ones(MESH), np.zeros(10)]
    for _ in range(rounds):
        rest = rest / np.linalg.norm(rest[LEFT_CHEEK] - rest[RIGHT_CHEEK])
        heads = [_to_head_frame(clip, rest, stability) for clip in clips]
        mean = np.mean([head.mean(0) for head in heads], axis=0)
        spread = np.sqrt(np.mean([head.var(0).sum(-1) for head in heads], axis=0))
        mirror = mirror_points(mean)
        mean = (mean + mean[mirror] * [-1, 1, 1]) / 2  # faces are symmetric on average; our clips are few
        spread = (spread + spread[mirror]) / 2
        stability = np.r_[1 / np.maximum(spread[:MESH], np.quantile(spread[:MESH], 0.02)), np.zeros(10)]
        rest = mean - np.average(mean, axis=0, weights=stability)
    rest = rest / np.linalg.norm(rest[LEFT_CHEEK] - rest[RIGHT_CHEEK])
    return rest.astype(np.float32), (stability / stability.max()).astype(np.float32)


def _to_head_frame(points: np.ndarray, rest: np.ndarray, stability: np.ndarray) -> np.ndarray:
    rotation, translation, scale = fit_similarity(points, rest, stability)
    return np.einsum("tji,tnj->tni", rotation, points - translation[:, None]) / scale[:, None, None]


def mirror_points(face: np.ndarray) -> np.ndarray:
    """(478,) index of the point on the other side, from a roughly symmetric face (478, 3)."""
    centred = face - face[[RIGHT_CHEEK, LEFT_CHEEK]].mean(0)
    pairs = np.arange(len(face))
    for group in (slice(0, MESH), slice(MESH, len(face))):
        part = centred[group]
        distance = np.linalg.norm(part[:, None] * [-1, 1, 1] - part[None], axis=-1)
        pairs[group] = linear_sum_assignment(distance**2)[1] + group.start
    return pairs


def closed_mesh(face: np.ndarray) -> np.ndarray:
    """(898, 3) triangles of MediaPipe's face mesh, with eyes and mouth filled, from its edges."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    neighbours: dict[int, set[int]] = {}
    for a, b in FACEMESH_TESSELATION:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    corners = {
        tuple(sorted((a, b, c))) for a in neighbours for b in neighbours[a] for c in neighbours[a] & neighbours[b]
    }
    # Three edges that meet in a ring need not be a triangle of the mesh: such a ring has other points inside.
    triangles = [t for t in corners if not _has_point_inside(face[:MESH, :2], t)]
    for ring in (RIGHT_EYE, LEFT_EYE, INNER_LIPS):
        upper, lower = ring[: len(ring) // 2 + 1], (ring[0], *ring[: len(ring) // 2 - 1 : -1])
        for (a, b), (c, d) in zip(pairwise(upper), pairwise(lower), strict=True):
            triangles += [t for t in ((a, b, c), (b, d, c)) if len(set(t)) == 3]
    return np.array([_clockwise(face, t) for t in sorted(triangles)], np.int32)


def _has_point_inside(points: np.ndarray, triangle: tuple[int, ...]) -> bool:
    a, b, c = points[list(triangle)]
    basis = np.stack([b - a, c - a], axis=1)
    if abs(np.linalg.det(basis)) < 1e-12:
        return True
    u, v = np.linalg.solve(basis, (points - a).T)
    return bool(np.any((u > 1e-6) & (v > 1e-6) & (u + v < 1 - 1e-6)))


def _clockwise(face: np.ndarray, triangle: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c = face[list(triangle), :2]
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return triangle if area > 0 else (triangle[0], triangle[2], triangle[1])


def main(folder: str) -> None:
    """Reads ``*/landmarks.npy`` below `folder` and writes the face model."""
    clips = []
    for path in sorted(Path(folder).glob("*/landmarks.npy")):
        points = np.load(path)
        points = points[~np.isnan(points[:, 0, 0])]
        if len(points) >= 10:
            clips.append(points[:: max(1, len(points) // 100)].astype(np.float64))
    rest, stability = mean_face(clips)
    out = Path(__file__).parents[1] / "data" / "face_model.npz"
    triangles = closed_mesh(rest)
    np.savez_compressed(
        out, points=rest, stability=stability, triangles=triangles, mirror=mirror_points(rest).astype(np.int32)
    )
    print(f"{out}: mean of {len(clips)} clips, {len(triangles)} triangles")


if __name__ == "__main__":
    main(sys.argv[1])
