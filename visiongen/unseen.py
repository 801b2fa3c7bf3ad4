"""What a face shows that its portrait does not: behind closed lips and lids, and the lids of drawn eyes."""

from __future__ import annotations

import numpy as np

from visiongen.closed_eyes import ClosedEyes
from visiongen.datatypes import NOT_DRAWN, Drawn
from visiongen.drawing import Piece
from visiongen.drawn_lids import DrawnLids
from visiongen.drawn_nose import DrawnNose
from visiongen.eyeballs import Eyeballs
from visiongen.mouth import MouthInterior


class Unseen:
    """Draws eyes and mouth of one portrait as far as they open further than the portrait's own, and lids over drawn eyes."""

    def __init__(self, crop: np.ndarray, source: np.ndarray, drawn: Drawn = NOT_DRAWN) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
            drawn: See `visiongen.datatypes.Portrait`.
        """
        self._lids = DrawnLids(crop, source, drawn.eyes)
        self._nose = DrawnNose(source) if drawn.face else None
        self._closed = None if any(drawn.eyes) else ClosedEyes(crop, source)
        self._mouth, self._eyes = MouthInterior(crop, source), Eyeballs(crop, source)

    def held(self, target: np.ndarray) -> np.ndarray:
        """Landmarks (478, 3), crop units, to move the portrait to: drawn eyes stay open, and a drawn nose keeps its shape."""
        held = self._lids.held(target)
        return held if self._nose is None else self._nose.held(held)

    def __call__(self, target: np.ndarray, *, measured: bool = False) -> list[Piece]:
        """Pieces to lay over a frame (`visiongen.drawing.lay_over`) with the landmarks `target` (478, 3), crop units;
        `measured`: see `visiongen.mouth.MouthInterior`."""
        mouth = self._mouth(target, measured=measured)
        closed = [] if self._closed is None else self._closed(target)
        return [*self._eyes(target), *closed, *self._lids(target), *([] if mouth is None else [mouth])]
