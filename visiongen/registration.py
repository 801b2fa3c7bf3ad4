"""Direct registration: where the portrait shows what the driving frame shows, pixels say more than landmarks do.

A portrait that is itself a frame of the driving clip, or a painted-over one, can be laid onto every driving frame. What
468 points of a face do not say, hair, neck, shoulders, clothes, a moving camera, is then *measured*: the portrait,
moved by the landmarks, is aligned with the driving frame by dense optical flow, and where that succeeds the result becomes
a candidate motion of its own. Only the geometry comes from the driving frame; every colour still comes from the portrait.

Source: dense inverse search, Kroeger et al., "Fast optical flow using dense inverse search", 2016 (OpenCV's).
"""

from __future__ import annotations

import threading
from dataclasses import replace

import cv2
import numpy as np

from visiongen.flow import GRID, MAPS, DenseMotion, pixel_centres
from visiongen.warping import resize_flow, warp

SIDE = 256
"""Pictures are registered at this size, px."""
_GOOD, _BAD = 12.0, 36.0
"""Remaining difference of grey levels at which the measured motion is trusted wholly, and not at all."""
_WINDOW = 9  # px, over which the difference is averaged
_CLEARLY, _NEAR = 6.0, 5
"""Levels by which the background must be more like the driving frame than what was rendered, and twice that to be sure; px over
which that is averaged."""
_STRAY = 0.055
"""In the face the mesh is right to a few pixels: what was measured further away than this (face widths) is trusted less, and
at twice as much not at all."""
_DRIVER = 2
"""The candidate that gives way to the measured motion (`visiongen.flow.CANDIDATES`): the one that only shifts."""


class _Engines(threading.local):
    """One a thread: an engine keeps its buffers."""

    def __init__(self) -> None:
        # The fast presets lose 0.02 to 0.05 of SSIM on clips that drive their own first frame; the preset's half resolution
        # costs a tenth of L1, and its five rounds of refinement are slower and no better than two.
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.flow.setFinestScale(0)
        self.flow.setVariationalRefinementIterations(2)


_engines = _Engines()


def registered(
    dense: DenseMotion, portrait: np.ndarray, driver: np.ndarray, *, own: np.ndarray | None = None
) -> DenseMotion:
    """Dense motion with the measured motion as its last candidate, and a prior that trusts it where it fits.

    Eyes and mouth stay with the landmarks: there, content appears and disappears, and flow has nothing to follow.

    Args:
        dense: From landmarks.
        portrait: (256, 256, 3) uint8 RGB, the crop.
        driver: (256, 256, 3) the driving frame, brought to the portrait's place (`visiongen.generators.driver`).
        own: (G, G) in [0, 1], 0 where the portrait shows somebody whom the clip does not; None: nowhere.
    """
    measured = measure(dense.flow, portrait, driver)
    trust = trusted(measured, portrait, driver) * (1 - _features(dense.maps)) * _near_the_mesh(measured, dense)
    if own is not None:
        trust = trust * own
    candidates = dense.candidates.copy()
    candidates[_DRIVER] = measured
    # What the features need is the mesh, also where the landmarks' prior would fade to stillness.
    prior = dense.prior * (1 - trust)
    prior[_DRIVER] += trust
    vanished = dense.vanished * (1 - trust)  # what was measured there is known
    return replace(dense, candidates=candidates, prior=prior.astype(np.float32), vanished=vanished)


def measure(flow: np.ndarray, portrait: np.ndarray, driver: np.ndarray) -> np.ndarray:
    """(G, G, 2) float32 backward motion from `driver` to `portrait`, crop units, starting from `flow` (G, G, 2)."""
    start = resize_flow(flow, SIDE).astype(np.float32)
    moved = warp(portrait, start, interpolation=cv2.INTER_LINEAR)
    rest = _engines.flow.calc(_grey(driver), _grey(moved), None) / SIDE
    here = pixel_centres(SIDE)
    # A pixel is found in the moved portrait at here + rest, and from there in the portrait.
    steps = cv2.remap(start - here, (here + rest) * SIDE - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(steps + rest, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return pixel_centres(GRID) + small


def trusted(measured: np.ndarray, portrait: np.ndarray, driver: np.ndarray) -> np.ndarray:
    """(G, G) float32 in [0, 1]: how far the portrait, moved as measured, is like the driving frame."""
    moved = warp(portrait, measured, interpolation=cv2.INTER_LINEAR)
    difference = cv2.absdiff(_grey(driver), _grey(moved)).astype(np.float32)
    difference = cv2.resize(cv2.blur(difference, (_WINDOW, _WINDOW)), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(np.clip((_BAD - difference) / (_BAD - _GOOD), 0, 1), (0, 0), 1.5)


def cleared(
    painted: np.ndarray, rendered: np.ndarray, driver: np.ndarray, background: np.ndarray, face: np.ndarray
) -> np.ndarray:
    """The layers of a frame, with the still background where the driving frame shows that nothing is before it.

    Where a head has gone, flow has nothing to follow, and leaves shreds of hair and dark lines.

    Args:
        painted: (5, G, G), see `visiongen.generators.vae_gan.VaeGanGenerator.paint`.
        rendered: (256, 256, 3) uint8, the frame that they make.
        driver: (256, 256, 3) uint8, the driving frame.
        background: (256, 256, 3) uint8, see `visiongen.background.still_background`.
        face: (G, G) in [0, 1], where nothing comes through: lids and lips open and close.
    """
    now, then = (_apart(driver, picture) for picture in (rendered, background))
    share = np.clip((now - then) / _CLEARLY - 1, 0, 1) * np.clip((_BAD - then) / (_BAD - _GOOD), 0, 1) * (1 - face)
    share = cv2.GaussianBlur(share, (0, 0), 1.0)
    painted = painted * (1 - share)
    painted[4] += share
    return painted


def _apart(driver: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """(G, G) float32, levels by which two pictures (256, 256, 3) differ around a cell."""
    difference = cv2.absdiff(driver, picture).max(-1).astype(np.float32)
    return cv2.resize(cv2.blur(difference, (_NEAR, _NEAR)), (GRID, GRID), interpolation=cv2.INTER_AREA)


def _near_the_mesh(measured: np.ndarray, dense: DenseMotion) -> np.ndarray:
    """(G, G) float32 in [0, 1]: 0 where, in the face, the measured motion has lost its way."""
    face = dense.maps[MAPS.index("face")]
    stray = np.linalg.norm(measured - dense.candidates[0], axis=-1)
    limit = _STRAY * max(float(np.sqrt(face.mean())), 1 / GRID)  # the root of a face's area is about its width
    near = np.clip(2 - stray / limit, 0, 1)
    return cv2.GaussianBlur(np.where(face > 0.5, near, 1).astype(np.float32), (0, 0), 1.0)


def _features(maps: np.ndarray) -> np.ndarray:
    """(G, G) float32, eyes and mouth with their rims."""
    drawn = np.maximum(maps[MAPS.index("mouth")], maps[MAPS.index("eyes")])
    return cv2.GaussianBlur(cv2.dilate(drawn, np.ones((5, 5), np.uint8)), (0, 0), 1.5)


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def likeness(portrait: np.ndarray, driver: np.ndarray, where: np.ndarray) -> float:
    """How alike two aligned pictures are in [-1, 1]: correlation of their band-passed luminance, so that light and
    colours may differ.

    Args:
        portrait, driver: (256, 256, 3) uint8.
        where: (G, G) weight, e.g. the map of the head.
    """
    weight = cv2.resize(where.astype(np.float32), (SIDE, SIDE))

    def bands(picture: np.ndarray) -> np.ndarray:
        grey = _grey(picture).astype(np.float32)
        band = cv2.GaussianBlur(grey, (0, 0), 2) - cv2.GaussianBlur(grey, (0, 0), 12)
        return band - (band * weight).sum() / max(weight.sum(), 1e-6)

    a, b = bands(portrait), bands(driver)
    energy = np.sqrt((weight * a * a).sum() * (weight * b * b).sum())
    return float((weight * a * b).sum() / max(energy, 1e-6))
