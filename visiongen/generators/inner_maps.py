"""The VAE-GAN's tensors of one frame as pictures to look at: see `visiongen.hookspecs.ExplainingGenerator`."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from visiongen.flow import GRID, DenseMotion, pixel_centres
from visiongen.hookspecs import InnerMap
from visiongen.models.vae_gan import Motion, Painting
from visiongen.other_side import Revealed
from visiongen.warping import warp

_CANDIDATES = (
    ("Follows the head", "where a pixel is taken from the portrait as the face mesh moves"),
    ("Stays still", "where a pixel stays where it is in the portrait"),
    ("Shifts along", "where a pixel moves with the head's shift alone"),
)


def inner_maps(
    picture: np.ndarray, dense: DenseMotion, motion: Motion, painting: Painting, revealed: Revealed | None
) -> list[InnerMap]:
    """Everything that decides a frame, in the order in which it happens.

    Args:
        picture: (S, S, 3) uint8, the portrait's crop as the network sees it.
        dense: The geometry's motion for the frame.
        motion, painting: The network's, batch of one.
        revealed: What the portrait's mirror image adds.
    """
    flow = _numpy(motion.flow[0])
    residual = _numpy(motion.residual[0]).transpose(1, 2, 0)
    weights, blend = _numpy(motion.weights[0]), _numpy(painting.blend[0])
    moved = warp(picture, flow)
    colour, shading = (_numpy(part[0]).transpose(1, 2, 0) for part in (painting.colour, painting.shading))
    return [
        _motion(
            "Motion of the mesh", "where the geometry alone takes every pixel from", dense.flow - pixel_centres(GRID)
        ),
        _motion("Motion, corrected", "where the network really takes it from", flow - pixel_centres(GRID)),
        _motion("Residual motion", "what the network adds to the candidate motions by itself", residual),
        *(_share(name, text, share) for (name, text), share in zip(_CANDIDATES, weights, strict=True)),
        _share(
            "Occlusion",
            "100 % where the portrait shows what is needed, 0 % where it is hidden",
            _numpy(motion.occlusion[0, 0]),
        ),
        _picture("Moved portrait", "the portrait, warped by the corrected motion", moved),
        _picture("New light", "what is added to the moved portrait; grey is nothing", 127.5 + 127.5 * shading),
        _picture("New content", "what the network paints by itself", 127.5 + 127.5 * colour),
        _share("Blend: moved portrait", "share of the moved portrait in the frame", blend[0]),
        _share("Blend: new content", "share of what is painted", blend[1]),
        _share("Blend: still background", "share of the background that does not move", blend[2]),
        _share(
            "Mirror image",
            "share of the portrait's mirror image, which shows the side of the head that the portrait hides",
            np.zeros((GRID, GRID)) if revealed is None else revealed.weight,
        ),
    ]


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()


def _motion(name: str, text: str, values: np.ndarray) -> InnerMap:
    return InnerMap(name=name, text=text, kind="motion", values=np.ascontiguousarray(values, np.float32))


def _share(name: str, text: str, values: np.ndarray) -> InnerMap:
    return InnerMap(name=name, text=text, kind="share", values=np.clip(values, 0, 1).astype(np.float32))


def _picture(name: str, text: str, values: np.ndarray) -> InnerMap:
    return InnerMap(name=name, text=text, kind="picture", values=np.clip(values, 0, 255).astype(np.uint8))
