"""From the driver's keypoints to those the portrait shall have."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from visiongen_fomm.blocks import inverse
from visiongen_fomm.network import Keypoints


def relative(source: Keypoints, driving: Keypoints, initial: Keypoints, *, movement_scale: float = 1.0) -> Keypoints:
    """The source's keypoints, moved as the driver moved since a reference frame. Paper, section 3.4.

    Args:
        source: Of the portrait, batch of 1 or B.
        driving: Of B driving frames.
        initial: Of the reference frame.
        movement_scale: Factor on the movement of places, see `movement_scale`.
    """
    value = source.value + movement_scale * (driving.value - initial.value)
    if driving.jacobian is None:
        return Keypoints(value, None)
    return Keypoints(value, driving.jacobian @ inverse(initial.jacobian) @ source.jacobian)


def movement_scale(source: Tensor, initial: Tensor) -> float:
    """Size of the portrait's face over the driver's, by the areas their keypoints (K, 2) span."""
    return float(np.sqrt(_area(source) / max(_area(initial), 1e-12)))


def _area(points: Tensor) -> float:
    """Of the convex hull."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(points.detach().cpu().double().numpy()).volume)  # in two dimensions that is the area
    except QhullError:  # all on one line
        return 1e-12
