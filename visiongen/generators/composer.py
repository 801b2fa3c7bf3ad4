"""From a network's motion and layers to a frame, at the crop's resolution or at any other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from visiongen import feedback
from visiongen.crown import crowned, with_hair_above
from visiongen.datatypes import NOT_DRAWN, Drawn
from visiongen.drawing import draw_over
from visiongen.eyes import with_exact_eyes
from visiongen.lashes import Lashes, shown
from visiongen.other_side import Revealed, mirrored, show
from visiongen.outlines import Outlines
from visiongen.unseen import Unseen
from visiongen.warping import half_step_units, half_steps, reaches_above, resize_flow_to_half_steps, warp_half_steps


class Composer:
    """Composes frames of one portrait."""

    def __init__(
        self,
        crop: np.ndarray,
        background: np.ndarray,
        source: np.ndarray,
        matte: np.ndarray,
        drawn: Drawn = NOT_DRAWN,
    ) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            background: (S, S, 3) uint8, of `visiongen.background.still_background`.
            source: (478, 3) landmarks of the portrait, crop units.
            matte: (G, G) in [0, 1], the person.
            drawn: See `visiongen.datatypes.Portrait`.
        """
        self._side, self._source = crop.shape[0], source
        person = crowned(matte, source)
        self._crop = half_steps(with_hair_above(crop, person))
        self._above = len(self._crop) - (2 * self._side - 1)
        self.outlines = Outlines(crop, source)
        without = self.outlines.without
        self._without_lines = None if without is None else half_steps(with_hair_above(without, person))
        self._background = [np.float32(plane) for plane in cv2.split(background)]
        self._lashes = None if any(drawn.eyes) else Lashes(crop, source)
        self._unseen = Unseen(crop, source, drawn)
        self.held = self._unseen.held

    def frame(
        self,
        flow: np.ndarray,
        painted: np.ndarray,
        target: np.ndarray,
        *,
        revealed: Revealed | None = None,
        without_lines: np.ndarray | None = None,
        ears: Sequence[np.ndarray] = (),
        shift: np.ndarray | None = None,
        measured: bool = False,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The frame (S, S, 3) uint8.

        Args:
            flow: (G, G, 2) backward motion, crop units.
            painted: (5, G, G), see `visiongen.generators.vae_gan.VaeGanGenerator.paint`.
            target: (478, 3) landmarks, crop units.
            revealed: What the portrait hides and its mirror image shows.
            without_lines: (G, G) in [0, 1], where it takes the lines of a drawing not along, see `visiongen.outlines`.
            ears: Lines (P, 2) round the ears that are seen, crop units.
            shift: (G, G, 2) by which the frame is moved in its turn, see `visiongen.feedback.correction`.
            measured: The motion was measured in a frame of the same person, see `visiongen.registration`.
            out: Where to write it; default: a new array.
        """
        # In the units it is read in from the start: every pass over a full-size motion takes a millisecond at 1024 px.
        places = self._places(flow, self._source, target, shift)
        image = None if revealed is None else self._image(revealed, target, shift)
        if shift is not None:
            painted = np.stack([feedback.moved(layer, shift) for layer in painted])
            revealed = None if revealed is None else Revealed(*(feedback.moved(part, shift) for part in revealed))
            target = feedback.moved_landmarks(target, shift)
            ears = [feedback.moved_landmarks(line, shift) for line in ears]
            without_lines = None if without_lines is None else feedback.moved(without_lines, shift)
        bare = [] if self._lashes is None else self._lashes(places, target)
        picture = self._moved(places, without_lines, above=shift is not None or reaches_above(flow))
        shown(picture, bare)
        frame = self._compose(picture, painted, out)
        if image is not None:
            show(frame, image, revealed)
        if without_lines is not None:
            draw_over(frame, self.outlines.drawn(target, ears, without_lines, self._side))
        draw_over(frame, self._unseen(target, measured=measured))
        return frame

    def _places(self, flow: np.ndarray, source: np.ndarray, target: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
        """(S, S, 2) where to read in the half steps of the crop, or of its mirror image, whose landmarks are `source`."""
        places = resize_flow_to_half_steps(flow, self._side)
        places = with_exact_eyes(places, source, self.held(target), units=half_step_units(self._side))
        return places if shift is None else feedback.moved(places, shift)

    def _image(self, revealed: Revealed, target: np.ndarray, shift: np.ndarray | None) -> np.ndarray:
        """The mirrored portrait, moved, (S, S, 3) uint8."""
        places = self._places(revealed.flow, mirrored(self._source), target, shift)
        places[..., 0] = self._crop.shape[1] - 1 - places[..., 0]
        return warp_half_steps(self._crop[self._above :], places)

    def _moved(self, places: np.ndarray, without_lines: np.ndarray | None, *, above: bool) -> np.ndarray:
        """The portrait, moved, (S, S, 3) uint8."""
        crop, without = self._crop, self._without_lines
        if above:
            cv2.add(places, (0, self._above, 0, 0), dst=places)
        else:
            crop, without = crop[self._above :], None if without is None else without[self._above :]
        picture = warp_half_steps(crop, places, above=above)
        if without_lines is not None and without_lines.any():
            # Reading is the longest part of a frame, and this is mostly a quarter of it.
            part = self._part(without_lines)
            share = self._enlarged(without_lines)[part]
            other = warp_half_steps(without, places[part], above=False)  # not any more
            picture[part] = cv2.blendLinear(picture[part], other, 1 - share, share)
        return picture

    def _part(self, layer: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of a frame beyond which a layer (G, G), enlarged, is 0."""
        cell = self._side / len(layer)
        ends = (np.flatnonzero(layer.any(axis))[[0, -1]] for axis in (1, 0))
        down, across = (slice(max(0, int((first - 1) * cell)), int((last + 2) * cell) + 1) for first, last in ends)
        return down, across

    def _compose(self, picture: np.ndarray, painted: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        # One colour after the other, so that few planes are in use at once: what the caches do not hold is waited for.
        light, (own, still) = painted[:3], map(self._enlarged, painted[3:])
        planes = []
        for moved, own_light, background in zip(cv2.split(picture), light, self._background):
            plane = cv2.accumulateProduct(still, background, self._enlarged(own_light))
            # OpenCV converts bytes first far sooner than it multiplies bytes and floats.
            moved = np.float32(moved)
            planes.append(cv2.add(plane, cv2.multiply(moved, own, dst=moved), dtype=cv2.CV_8U))
        return cv2.merge(planes, out)

    def _enlarged(self, layer: np.ndarray) -> np.ndarray:
        return cv2.resize(layer, (self._side, self._side), interpolation=cv2.INTER_LINEAR)
