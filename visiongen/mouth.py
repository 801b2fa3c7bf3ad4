"""The inside of a mouth that the portrait shows closed: drawn, because there is nothing to move there.

Stretching closed lips over an open mouth is the commonest fault of warping, and a network trained on averages paints
lip-coloured mist. This draws a dark cavity, a tongue and two rows of teeth (`visiongen.teeth`) where the head and its jaw have
them, in the light of the portrait's own lips and eyes, and only as far as the portrait lacks it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from visiongen import teeth
from visiongen.drawing import SUBPIXEL, Canvas, Piece, canvas_round, cheek_colour, covered, eye_white, fixed, within
from visiongen.landmarks import INNER_LIPS, OUTER_LIPS
from visiongen.own_teeth import OwnTeeth
from visiongen.pose import fit_head

_UPPER = np.array(INNER_LIPS[:11])  # from the right corner over the upper lip to the left corner
_LOWER = np.array((INNER_LIPS[0], *INNER_LIPS[:9:-1]))
_MEETING = (13, 14)  # the middles of the inner lips
_CORNERS = (61, 291)
_CHIN = (152, 148, 377, 176, 400)
# In face widths: a gap below the first shows nothing, one above the second everything.
_NARROW, _WIDE = 0.012, 0.045
_FURTHER = (0.04, 0.4)
"""Face widths, and share of its opening, by which a mouth that shows teeth opens further until all the rest is drawn."""
_SMILE = 0.35
"""Width of a mouth, face widths, from which on the teeth it shows are a row: of a narrower one, which is just not closed, they
are a strip that would be a patch on those that are drawn."""
_MOUTH = (0.25, 0.45)
"""Least and largest width of a mouth, face widths, for the size of teeth: drawn mouths may be dots."""
_CAVITY, _TONGUE, _GUM = 0.22, 0.75, 0.72
"""Their light, as a share of the lips'."""
_TONGUE_DOWN = 0.7
"""Of a jaw's way down, the tongue's: it stays arched."""
_SHADE = 3.5
"""The lips' shadow falls so far into the mouth, mm."""
_DARKEST = 0.45
"""Share of the light that is left at the lips' edge."""
_LESS_DARK = 0.6
"""Share of the lips' shadow which the colour of the portrait's own teeth has already."""
_DEEPER, _LIGHTER = (0.5, 4.0), (0.4, 1.4)
"""Pursed lips stand off from the teeth and let little light in, spread ones lie on them: limits of what that does to both."""
_SHOWN = (1.05, 1.8)
"""Teeth have at least and at most this share of the skin's light, whatever the eyes say."""
_BRIGHTER = 1.1
"""Teeth are nearer to the light than the white of a sunken eye."""
_OWN, _MOST_OWN = 0.92, 1.25
"""A portrait's own teeth, drawn where it does not show them, have at least this share of the light of usual ones, but are not
made brighter than this by it, times."""
_BETWEEN = 0.5
"""Share of their light between two teeth."""
_WITH_CHIN, _WITH_LIP = 1.2, 0.2
"""How far the jaw goes down with the chin's landmarks, and with the lower lip's: those of the chin lag behind it. Fitted to
real mouths."""
_RIM, _SOFT = 0.3, 1.0
"""The lips cover so much of the opening's rim, mm, since moved lips come out a little thin; within the next so many the inside
appears. Where the opening is thinner, at the corners of the mouth, it fades."""
_BARED = 6.0
"""The lower lip uncovers no more of the lower teeth than this, mm: what a chin hides by lagging behind, a jaw has done."""
_NO_LIGHT = 0.02
"""Weight of what is not lit by itself."""
_LOWER_LIGHT = 0.85
"""Of the lower teeth: the upper lip is above them, and most light comes from there."""
_EVEN = 4.0
"""Over so many mm light changes along a row: teeth are not each lit by themselves."""
_WARM = np.array([1.02, 1.0, 0.93])
"""Teeth are yellower than the white of an eye, in pictures as colourful as a photograph."""
_COLOURFUL = 0.3
"""Saturation of the lips in such pictures."""


class _Pose(NamedTuple):
    """Of a head, crop units."""

    rotation: np.ndarray
    translation: np.ndarray
    scale: float


class MouthInterior:
    """Draws the inside of one portrait's mouth at any opening."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._side = crop.shape[0]
        self._lips = lip_colour(crop, source)
        pose = _pose(source)
        self._opening = opening(source, pose.scale)
        head = _in_head(source, pose)
        # Closed lips meet where open ones have their middle; the upper one hangs, the lower one moves with the jaw.
        self._origin = head[list(_MEETING)].mean(0)
        self._chin = head[list(_CHIN)].mean(0)
        self._width = float(np.clip(_width(head), *_MOUTH))
        self._mm = self._width / teeth.MOUTH_WIDTH
        upper, lower = ((head[list(lip)] - self._origin) / self._mm for lip in (_UPPER, _LOWER))
        skin = cheek_colour(crop, source)
        self._own = OwnTeeth(
            crop, upper, lower, lambda points: self._side * self._seen(points, pose)[:, :2], skin=skin, lips=self._lips
        )
        self._tooth = tooth_colour(crop, source, self._lips)
        self._own_tooth = self._tooth if self._own.colour is None else own_tooth_colour(self._own.colour, self._tooth)

    def __call__(self, target: np.ndarray, *, measured: bool = False) -> Piece | None:
        """What to lay over a frame, or None where the portrait itself shows enough.

        Args:
            target: (478, 3) landmarks, crop units.
            measured: The frame's motion was measured in a picture of the same mouth, so that what is between the portrait's
                lips is moved better than it could be drawn.
        """
        pose = _pose(target)
        own = self._own.shown and self._width > _SMILE and not measured
        strength = (further if own else lacking)(self._opening, opening(target, pose.scale))
        if strength < 0.02:
            return None
        canvas = canvas_round(target[list(INNER_LIPS)], self._side)
        if canvas is None:
            return None
        colour, weight = self._drawn(target, pose, canvas, own=own)
        return canvas.piece(colour, strength * weight)

    def _drawn(self, target: np.ndarray, pose: _Pose, canvas: Canvas, *, own: bool) -> tuple[np.ndarray, np.ndarray]:
        """Colour (h, w, 3) and weight (h, w) float32; with the portrait's `own` teeth."""
        head = _in_head(target, pose)
        sideways, chin, back = head[list(_CHIN)].mean(0) - self._chin
        lip = head[_MEETING[1], 1] - self._origin[1]
        down = max(_WITH_CHIN * chin + _WITH_LIP * lip, -self._mm, lip - _BARED * self._mm)
        jaw = np.array([sideways, down, max(back, 0.0)])
        mm = self._mm * pose.scale * canvas.side * canvas.finer  # px

        def placed(points: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """Points in the frame of the mouth, mm, as px of the drawing, and their depth."""
            seen = self._seen(points + moved / self._mm, pose)
            return canvas.placed(seen), seen[..., 2]

        drawn = np.empty((*canvas.shape, 3), np.uint8)
        drawn[:] = _CAVITY * self._lips
        self._draw_tongue(drawn, placed, _TONGUE_DOWN * jaw)
        drawn = cv2.GaussianBlur(drawn, (0, 0), max(0.5, 2.0 * mm))  # soft, and behind what has edges
        light = np.zeros((*canvas.shape, 2), np.float32)  # of the teeth, and where they are
        tooth = self._own_tooth if own else self._tooth
        upper, lower = (np.array([0, self._mm * level, 0]) for level in (self._own.levels if own else (0.0, 0.0)))
        self._draw_row(drawn, light, teeth.lower(), lambda points: placed(points, jaw + lower), _LOWER_LIGHT, tooth)
        self._draw_row(drawn, light, teeth.upper(), lambda points: placed(points, upper), 1.0, tooth)
        drawn = cv2.GaussianBlur(drawn, (0, 0), max(0.5, 0.25 * mm)) * _even(light, _EVEN * mm)
        _, inward = covered(canvas.placed(target[list(INNER_LIPS)]), canvas.shape)
        spread = _width(head) / self._width
        shade = np.minimum(inward / (_SHADE * mm * _between(spread**-2, *_DEEPER)), 1)
        darkest = _DARKEST * _between(spread, *_LIGHTER)
        if own:
            darkest += _LESS_DARK * (1 - darkest)
        weight = np.minimum(np.maximum((inward - _RIM * mm) / (_SOFT * mm), 0), 1)
        drawn *= (darkest + (1 - darkest) * shade * (2 - shade))[..., None]
        if own:
            shown, there = self._own.draw(canvas, lambda points: placed(points, np.zeros(3))[0], jaw / self._mm)
            drawn += there[..., None] * (shown - drawn)
        return drawn, cv2.GaussianBlur(weight, (0, 0), max(0.9, 0.5 * canvas.finer))

    def _seen(self, points: np.ndarray, pose: _Pose) -> np.ndarray:
        """(..., 3) crop units of points in the frame of the mouth, mm."""
        return (self._origin + self._mm * points) @ pose.rotation.T * pose.scale + pose.translation

    def _draw_row(
        self, drawn: np.ndarray, light: np.ndarray, row: teeth.Teeth, placed, share: float, white: np.ndarray
    ):
        """Gums and teeth of this colour (3,), those at the back first, and the `share` of the light that they get."""
        at, depth = placed(row.corners)
        at, back = fixed(at), depth[:, teeth.BAND].mean(1)
        gum, between, tooth = (colour.tolist() for colour in (_GUM * self._lips, _BETWEEN * white, white))
        outlines, bands, gums = (at[:, part] for part in (teeth.OUTLINE, teeth.BAND, teeth.GUM))
        whole = np.concatenate([bands[:, :2], gums[:, 2:]], axis=1)  # from the edge of a tooth up its gum
        order = np.argsort(-back).tolist()
        for i in order:
            _fill(drawn, gums[i], gum)
            _fill(drawn, bands[i], between)
        for i in order:
            _fill(drawn, outlines[i], tooth)
            cv2.fillPoly(light, [whole[i]], (share * row.light[i], 1.0), cv2.LINE_8, SUBPIXEL)

    def _draw_tongue(self, drawn: np.ndarray, placed, jaw: np.ndarray) -> None:
        """A hump behind the lower teeth."""
        _fill(drawn, fixed(placed(_hump(), jaw)[0]), (_TONGUE * self._lips).tolist())


def _between(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


@cache
def _hump() -> np.ndarray:
    """(24, 3) outline of the tongue, in the frame of the mouth, mm."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([17 * np.cos(turn), 5.5 + 8.5 * np.sin(turn), np.full(24, 16.0)], axis=-1)


def _fill(drawn: np.ndarray, corners: np.ndarray, colour: list[float]) -> None:
    cv2.fillPoly(drawn, [corners], colour, cv2.LINE_AA, SUBPIXEL)


def _even(light: np.ndarray, sigma: float) -> np.ndarray:
    """(h, w, 1) factor from (h, w, 2), the light of what is lit and where that is: smooth, and 1 far from there."""
    height, width = light.shape[:2]
    coarser = max(1.0, 0.5 * sigma)  # nothing that smooth needs all pixels
    small = cv2.resize(
        light, (max(1, round(width / coarser)), max(1, round(height / coarser))), interpolation=cv2.INTER_AREA
    )
    spread = cv2.GaussianBlur(small, (0, 0), sigma / coarser) + _NO_LIGHT
    return cv2.resize(spread[..., 0] / spread[..., 1], (width, height), interpolation=cv2.INTER_LINEAR)[..., None]


def _pose(points: np.ndarray) -> _Pose:
    return _Pose(*(part[0] for part in fit_head(np.asarray(points, np.float64)[None])))


def _in_head(points: np.ndarray, pose: _Pose) -> np.ndarray:
    """(478, 3) landmarks in the head frame, face widths."""
    return (points - pose.translation) @ pose.rotation / pose.scale


def _width(head: np.ndarray) -> float:
    """Of a mouth, face widths; landmarks (478, 3) in the head frame."""
    return float(np.linalg.norm(head[_CORNERS[0]] - head[_CORNERS[1]]))


def opening(points: np.ndarray, face_width: float) -> float:
    """Largest gap of the inner lips of landmarks (478, 3), face widths."""
    gap = points[_UPPER, :2] - points[_LOWER, :2]
    return math.sqrt((gap * gap).sum(1).max()) / face_width


def lacking(own: float, wanted: float) -> float:
    """How far a portrait whose mouth is open by `own` lacks what one shows that is open by `wanted`, face widths; in [0, 1]."""
    wide = min(max((wanted - _NARROW) / (_WIDE - _NARROW), 0.0), 1.0)
    return wide * wide * (3 - 2 * wide) * min(max(1 - 1.5 * own / max(wanted, 1e-6), 0.0), 1.0)


def further(own: float, wanted: float) -> float:
    """The same of a portrait that shows teeth: between those that stay and a lip that has gone nothing is like it."""
    return min(max((wanted - own) / max(_FURTHER[0], _FURTHER[1] * own), 0.0), 1.0)


def lip_colour(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(3,) mean colour of the lips of a square picture, without what is between them; landmarks in crop units."""
    lips = within(picture, points, OUTER_LIPS) & ~within(picture, points, INNER_LIPS)
    return np.maximum(picture[lips].mean(0), 8.0) if lips.any() else np.array([150.0, 90.0, 85.0])


def tooth_colour(picture: np.ndarray, points: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """(3,) as white as the picture's own eyes: a statue's teeth are marble, a cartoon's are white, at night they are dim.

    Args:
        picture: (S, S, 3) uint8; points: (478, 3) its landmarks, crop units.
        lips: (3,) their colour.
    """
    skin, white = cheek_colour(picture, points), eye_white(picture, points)
    grey = white.mean()
    light = np.clip(grey, _SHOWN[0] * skin.mean(), _SHOWN[1] * skin.mean())
    colourful = min(1.0, float(np.ptp(lips) / max(lips.max(), 1.0)) / _COLOURFUL)
    tint = (0.4 * white / grey + 0.3 * skin / skin.mean() + 0.3) * (1 + colourful * (_WARM - 1))
    return np.clip(_BRIGHTER * light * tint, 0, 245)


def own_tooth_colour(own: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(3,) of teeth that a portrait shows as `own` (3,): what is just seen between lips is in their shade, and in their colour.
    `usual` (3,) is `tooth_colour`."""
    light = own.mean() * _between(_OWN * usual.mean() / own.mean(), 1.0, _MOST_OWN)
    return np.clip(light * (own / own.mean() + usual / usual.mean()) / 2, 0, 245)
