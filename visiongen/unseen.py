"""What a face shows that its portrait does not: behind closed lips and lids."""

from __future__ import annotations

import numpy as np

from visiongen.drawing import Piece
from visiongen.eyeballs import Eyeballs
from visiongen.mouth import MouthInterior


class Unseen:
    """Draws eyes and mouth of one portrait as far as they open further than the portrait's own."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._mouth, self._eyes = MouthInterior(crop, source), Eyeballs(crop, source)

    def __call__(self, target: np.ndarray, *, measured: bool = False) -> list[Piece]:
        """Pieces to lay over a frame (`visiongen.drawing.lay_over`) with the landmarks `target` (478, 3), crop units;
        `measured`: see `visiongen.mouth.MouthInterior`."""
        mouth = self._mouth(target, measured=measured)
        return [*self._eyes(target), *([] if mouth is None else [mouth])]
