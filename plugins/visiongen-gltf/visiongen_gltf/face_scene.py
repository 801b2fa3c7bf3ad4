"""A fitted motion as a 3D scene: vertices, a few morph targets with their weights, the head's way, the texture.

Axes are those of glTF: x to the picture's right, y up, z towards the viewer; lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from visiongen import MotionTrack, Portrait
from visiongen.landmarks import INNER_LIPS
from visiongen.pose import face_model
from visiongen_gltf import GltfOptions

NUM_VERTICES = 468
"""The mesh without the irises, which lie inside the eyes' triangles."""

_FLIP = np.array([1.0, -1.0, -1.0])
"""From the axes of VisionGen (y down, z away) to those of glTF: half a turn about x."""
_CLOSED = 0.02
"""Gap of the lips, face widths, below which the texture shows no mouth."""


@dataclass(frozen=True, eq=False)
class FaceScene:
    """All numbers of the scene."""

    positions: np.ndarray
    """(468, 3) float32 m, the mean face of the motion in the head's axes."""
    targets: np.ndarray
    """(K, 468, 3) float32 m, morph targets."""
    weights: np.ndarray
    """(T, K) float32."""
    uv: np.ndarray
    """(468, 2) float32, (0, 0) is the texture's top-left corner."""
    skin: np.ndarray
    """(N, 3) uint16, triangles counter-clockwise from outside."""
    mouth: np.ndarray
    """(M, 3) uint16, those between the lips."""
    dark_mouth: bool
    """Draw them dark instead of textured."""
    times: np.ndarray
    """(T,) float32 s, from 0."""
    translation: np.ndarray
    """(T, 3) float32 m, of the head; the origin is the middle of the picture."""
    rotation: np.ndarray
    """(T, 4) float32 quaternions x, y, z, w, without jumps of sign."""
    scale: np.ndarray
    """(T,) float32, of the head."""
    half_size: tuple[float, float]
    """Half the width and height of the picture, m: what an orthographic camera sees."""
    error: float
    """Largest distance of a vertex from where it belongs, face widths."""


def build_scene(portrait: Portrait, motion: MotionTrack, options: GltfOptions) -> FaceScene:
    """The scene of `motion`, fitted to `portrait`."""
    metre = options.face_width
    mean, targets, weights, error = morph_basis(
        motion.offsets[:, :NUM_VERTICES], tolerance=options.tolerance, most=options.max_targets
    )
    triangles = face_model().triangles[:, ::-1]  # clockwise on the screen -> counter-clockwise
    between = np.isin(triangles, INNER_LIPS).all(axis=1)
    middle = np.array([motion.width, motion.height, 0.0]) / (2 * motion.face_width)
    return FaceScene(
        positions=((face_model().points[:NUM_VERTICES] + mean) * _FLIP * metre).astype(np.float32),
        targets=(targets * _FLIP * metre).astype(np.float32),
        weights=weights.astype(np.float32),
        uv=texture_points(portrait).astype(np.float32),
        skin=triangles[~between].astype(np.uint16),
        mouth=triangles[between].astype(np.uint16),
        dark_mouth=options.mouth == "dark" or (options.mouth == "auto" and lip_gap(portrait) < _CLOSED),
        times=(motion.times - motion.times[0]).astype(np.float32),
        translation=((motion.translation - middle) * _FLIP * metre).astype(np.float32),
        rotation=quaternions(motion.rotation * np.outer(_FLIP, _FLIP)).astype(np.float32),
        scale=np.asarray(motion.scale, np.float32),
        half_size=(float(middle[0] * metre), float(middle[1] * metre)),
        error=error,
    )


def morph_basis(
    offsets: np.ndarray, *, tolerance: float, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The fewest principal components that give every vertex of every frame back within `tolerance`.

    One morph target per frame would make the weights grow with the square of the length; components do not.

    Args:
        offsets: (T, N, 3).
        tolerance: Largest distance, same unit.
        most: Largest number of components.
    Returns:
        mean (N, 3), components (K, N, 3), weights (T, K) in [-1, 1], largest distance that is left.
    """
    flat = offsets.reshape(len(offsets), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    left, singular, right = np.linalg.svd(flat - mean, full_matrices=False)
    rest, count, error = flat - mean, 0, 0.0
    while True:
        error = float(np.linalg.norm(rest.reshape(offsets.shape), axis=-1).max())
        if count and (error <= tolerance or count >= min(most, len(singular))):
            break
        rest = rest - np.outer(left[:, count] * singular[count], right[count])
        count += 1
    weights = left[:, :count] * singular[:count]
    size = np.maximum(np.abs(weights).max(axis=0), 1e-12)  # sliders of viewers go to 1
    components = (right[:count] * size[:, None]).reshape(count, *offsets.shape[1:])
    return mean.reshape(offsets.shape[1:]), components, weights / size, error


def quaternions(rotation: np.ndarray) -> np.ndarray:
    """(T, 4) x, y, z, w of (T, 3, 3), each in the half of its neighbour, so that players turn the short way."""
    from scipy.spatial.transform import Rotation

    result = Rotation.from_matrix(rotation).as_quat()
    signs = np.sign((result[1:] * result[:-1]).sum(axis=1))
    return result * np.cumprod(np.r_[1.0, np.where(signs == 0, 1.0, signs)])[:, None]


def texture_points(portrait: Portrait) -> np.ndarray:
    """(468, 2) where the vertices lie in the portrait's crop, 0 to 1."""
    matrix = portrait.image_from_crop
    points = (portrait.landmarks[:NUM_VERTICES, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return np.clip(points / portrait.crop.shape[0], 0, 1)


def lip_gap(portrait: Portrait) -> float:
    """How far the portrait's lips are apart, face widths."""
    points = portrait.landmarks
    width = np.linalg.norm(points[234] - points[454])
    return float(np.linalg.norm(points[13] - points[14]) / width)


def texture_jpeg(portrait: Portrait, *, longest: int) -> bytes:
    """The portrait's crop as a JPEG file."""
    from PIL import Image

    picture = Image.fromarray(portrait.crop)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = BytesIO()
    picture.save(file, "JPEG", quality=92)
    return file.getvalue()
