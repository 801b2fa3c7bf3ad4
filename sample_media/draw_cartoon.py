"""A cartoon portrait drawn by code: spline outlines filled at three times the size, then averaged down.

Coordinates are pixels of the finished picture, 640 wide and high, origin at the top left. The face is
symmetric about x = 320; hair and background are not.
"""

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

SIZE = 640
OVERSAMPLING = 3
AXIS = 320.0

SKIN = (226, 164, 124)
SKIN_SHADE = (186, 108, 84)
SKIN_LIGHT = (246, 197, 158)
BLUSH = (226, 112, 98)
HAIR = (74, 40, 44)
HAIR_SHADE = (46, 23, 32)
HAIR_LIGHT = (134, 74, 64)
LINE = (78, 38, 38)
LIP_UPPER = (176, 72, 74)
LIP_LOWER = (202, 94, 90)
IRIS = (70, 112, 84)
IRIS_DARK = (30, 58, 52)
IRIS_LIGHT = (142, 178, 112)
SCLERA = (252, 246, 240)
KNIT = (38, 116, 124)
KNIT_SHADE = (20, 76, 92)
KNIT_LIGHT = (82, 160, 160)
PAPER = (250, 226, 190)
SUN = (246, 190, 128)


def curve(points, closed=False):
    """Smooth curve through ``points``: (N, 2) in pixels -> (M, 2). ``closed`` joins the ends smoothly."""
    points = np.asarray(points, float)
    if closed:
        points = np.vstack([points, points[:1]])
    # The square root of the chord keeps the spline from overshooting where points lie close together.
    knots = np.concatenate([[0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1)))])
    spline = CubicSpline(knots, points, bc_type="periodic" if closed else "natural")
    return spline(np.linspace(0, knots[-1], 40 * len(points)))


def mirrored(points):
    """The same points on the other side of the face."""
    return np.asarray(points, float) * (-1, 1) + (2 * AXIS, 0)


def moved(points, right, down):
    """The same points, shifted."""
    return np.asarray(points, float) + np.array([right, down], float)


def symmetric(half):
    """Closed outline from its right half, listed from the top of the axis to the bottom of it."""
    half = np.asarray(half, float)
    return curve(np.vstack([half, mirrored(half[1:-1])[::-1]]), closed=True)


def ellipse(centre, radii, angle=0.0):
    """Outline of an ellipse; ``angle`` in radians."""
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    x, y = radii[0] * np.cos(turn), radii[1] * np.sin(turn)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y], axis=1)


class Drawing:
    """A picture under the brush: float32 (H, W, 3), painted from back to front."""

    def __init__(self, colour):
        side = SIZE * OVERSAMPLING
        self.pixels = np.full((side, side, 3), colour, np.float32)

    def mask(self, outline):
        """Coverage (H, W) in 0..1 of a closed outline."""
        covered = np.zeros(self.pixels.shape[:2], np.uint8)
        cv2.fillPoly(covered, [np.int32(np.round(outline * OVERSAMPLING * 16))], 255, cv2.LINE_AA, 4)
        return covered.astype(np.float32) / 255

    def fill(self, mask, colour, opacity=1.0):
        """Lay ``colour`` over the pixels of ``mask``."""
        x, y, w, h = cv2.boundingRect((mask > 0).astype(np.uint8))
        part = self.pixels[y : y + h, x : x + w]
        weight = mask[y : y + h, x : x + w, None] * opacity
        part += (np.asarray(colour, np.float32) - part) * weight

    def shade(self, clip, outline, colour, opacity, softness):
        """Lay ``colour`` softly over ``outline``, inside ``clip`` only; ``softness`` is the blur in pixels."""
        self.fill(soften(self.mask(outline), softness) * clip, colour, opacity)

    def stroke(self, points, width, colour, *, taper=(0.0, 0.0), opacity=1.0, clip=None):
        """Ink line along ``points``; ``taper`` is the width at both ends as a share of the full ``width``."""
        run = np.linspace(0, 1, len(points))
        swell = np.sin(np.pi * run) ** 0.7
        half = width / 2 * (swell + (1 - swell) * np.interp(run, [0, 1], taper))
        along = np.gradient(points, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
        edge = across * half[:, None]
        mask = self.mask(np.vstack([points + edge, (points - edge)[::-1]]))
        for end, radius in ((points[0], half[0]), (points[-1], half[-1])):
            mask = np.maximum(mask, self.mask(ellipse(end, (radius, radius))))
        self.fill(mask if clip is None else mask * clip, colour, opacity)

    def finished(self):
        """uint8 RGB (640, 640, 3)."""
        small = cv2.resize(self.pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        return np.uint8(np.clip(np.round(small), 0, 255))


def soften(mask, softness):
    """Gaussian blur by ``softness`` pixels, done on a smaller copy: it looks the same and is quick."""
    height, width = mask.shape
    small = cv2.resize(mask, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), softness * OVERSAMPLING / 4)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


FACE = symmetric(
    [
        (320, 150), (372, 160), (412, 196), (430, 250), (431, 310), (424, 360),
        (406, 408), (376, 446), (346, 467), (320, 473),
    ]
)  # fmt: skip
NECK = np.vstack(
    [
        curve([(376, 410), (374, 460), (378, 500), (404, 524), (440, 540)]),
        curve([(380, 586), (320, 600), (260, 586)]),
        mirrored(curve([(376, 410), (374, 460), (378, 500), (404, 524), (440, 540)]))[::-1],
    ]
)
EAR = curve([(424, 286), (440, 270), (455, 278), (456, 306), (446, 334), (432, 350), (422, 344)], closed=True)


def draw_background(art):
    """Warm paper with one large disc behind the head."""
    disc = art.mask(ellipse((338, 300), (246, 246)))
    art.fill(disc, SUN)
    art.shade(disc, ellipse((300, 250), (150, 150)), (252, 208, 150), 0.8, 60)


def draw_body(art):
    """Shoulders in a knitted jumper, throat and collar."""
    body = [(320, 548), (378, 544), (432, 538), (500, 562), (548, 600), (570, 660), (320, 700)]
    knit = art.mask(symmetric(body))
    art.fill(knit, KNIT)
    art.shade(knit, ellipse((250, 650), (200, 60)), KNIT_SHADE, 0.35, 30)
    art.shade(knit, ellipse((480, 575), (70, 22), 0.5), KNIT_LIGHT, 0.6, 14)
    art.shade(knit, ellipse((170, 572), (60, 18), -0.5), KNIT_LIGHT, 0.4, 14)
    for x, lean in ((150, 26), (206, 14), (434, -14), (490, -26)):
        art.stroke(curve([(x, 660), (x + lean * 0.4, 630), (x + lean, 596)]), 3.2, KNIT_SHADE, opacity=0.6)
    neck = art.mask(NECK)
    art.fill(neck, SKIN)
    art.shade(neck, moved(FACE, 6, 40), SKIN_SHADE, 0.75, 7)
    art.shade(neck, moved(FACE, 0, 14), SKIN_SHADE, 0.6, 4)
    for side in (np.asarray, mirrored):
        art.stroke(side(curve([(334, 566), (360, 552), (392, 546)])), 3, SKIN_SHADE, opacity=0.7)
    collar = np.vstack(
        [
            curve([(452, 536), (402, 576), (320, 600), (238, 576), (188, 536)]),
            curve([(174, 546), (222, 600), (320, 630), (418, 600), (466, 546)]),
        ]
    )
    band = art.mask(collar)
    art.fill(band, KNIT_LIGHT)
    art.shade(band, ellipse((230, 600), (90, 20), 0.4), KNIT_SHADE, 0.45, 12)
    art.stroke(curve([(174, 546), (222, 600), (320, 630), (418, 600), (466, 546)]), 3.4, KNIT_SHADE, taper=(1, 1))
    art.stroke(curve([(452, 536), (402, 576), (320, 600), (238, 576), (188, 536)]), 3, KNIT_SHADE, taper=(0.6, 0.6))


def draw_hair_behind(art):
    """The bun and the mass of hair behind head and ears."""
    bun = art.mask(curve([(268, 84), (290, 48), (336, 34), (380, 52), (398, 92), (376, 132), (300, 132)], closed=True))
    art.fill(bun, HAIR)
    art.shade(bun, ellipse((342, 128), (80, 22)), HAIR_SHADE, 0.9, 10)
    art.shade(bun, ellipse((322, 62), (34, 11), -0.3), HAIR_LIGHT, 0.75, 7)
    for path in (
        [(290, 116), (292, 78), (332, 48), (368, 66)],
        [(312, 120), (316, 88), (346, 70), (380, 92)],
        [(372, 120), (384, 96), (378, 72)],
    ):
        art.stroke(curve(path), 3.4, HAIR_SHADE, opacity=0.8)
    back = art.mask(symmetric([(320, 104), (384, 116), (432, 160), (452, 226), (450, 290), (438, 330), (320, 380)]))
    art.fill(back, HAIR_SHADE)


def draw_ears(art):
    """Both ears with helix, shadow and a small earring."""
    for side in (np.asarray, mirrored):
        ear = art.mask(side(EAR))
        art.fill(ear, SKIN)
        art.shade(ear, side(ellipse((434, 312), (10, 26), 0.15)), SKIN_SHADE, 0.7, 4)
        art.stroke(side(curve(EAR[20:-30:10])), 2.6, LINE, taper=(0.3, 0.3), opacity=0.8)
        art.stroke(side(curve([(434, 292), (446, 288), (448, 304), (440, 324)])), 2.4, SKIN_SHADE)
        pearl = side(ellipse((436, 354), (6.5, 6.5)))
        art.fill(art.mask(pearl), (250, 236, 214))
        art.shade(art.mask(pearl), moved(pearl, 2, 3), (204, 168, 140), 0.8, 2)


def draw_face(art):
    """The head's skin: base colour, light from the upper left, cheeks, outline."""
    face = art.mask(FACE)
    art.fill(face, SKIN)
    art.fill(face * (1 - soften(art.mask(moved(FACE, -16, -12)), 16)), SKIN_SHADE, 0.65)
    art.shade(face, ellipse((292, 236), (64, 38)), SKIN_LIGHT, 0.75, 22)
    art.shade(face, ellipse((254, 350), (26, 17), -0.3), SKIN_LIGHT, 0.5, 10)
    art.shade(face, ellipse((382, 346), (22, 15), 0.3), SKIN_LIGHT, 0.35, 10)
    art.shade(face, ellipse((320, 452), (24, 11)), SKIN_LIGHT, 0.5, 8)
    for side in (np.asarray, mirrored):
        art.shade(face, side(ellipse((394, 366), (27, 18), -0.35)), BLUSH, 0.36, 11)
        art.shade(face, side(ellipse((380, 292), (46, 30))), SKIN_SHADE, 0.26, 10)
    art.stroke(FACE[FACE[:, 1] > 292], 3.2, LINE, taper=(0.4, 0.4), opacity=0.85)


def draw_eye(art, side):
    """One eye from white to lash; the highlights stay on the same side in both eyes."""
    upper = side(curve([(352, 310), (360, 299), (375, 290), (392, 291), (405, 301), (409, 307)]))
    lower = side(curve([(409, 307), (400, 317), (382, 322), (364, 318), (352, 310)]))
    white = art.mask(np.vstack([upper, lower]))
    art.fill(white, SCLERA)
    art.shade(white, side(ellipse((354, 311), (6, 5))), BLUSH, 0.5, 3)
    centre = side(np.array([(380.5, 304.5)]))[0]
    iris = art.mask(ellipse(centre, (15.8, 16.2))) * white
    art.fill(iris, IRIS)
    art.shade(iris, ellipse(moved(centre, 0, -11), (20, 9)), IRIS_DARK, 0.9, 4)
    art.shade(iris, ellipse(moved(centre, 0, 8), (10, 6)), IRIS_LIGHT, 0.85, 4)
    art.fill(iris * (1 - art.mask(ellipse(centre, (13.8, 14.2)))), IRIS_DARK, 0.85)
    art.fill(art.mask(ellipse(centre, (7.2, 7.4))) * white, (22, 16, 22))
    lid_shadow = art.mask(np.vstack([moved(upper, 0, 5), moved(upper, 0, -14)[::-1]]))
    art.fill(soften(lid_shadow, 2) * white, (112, 74, 92), 0.5)
    art.fill(art.mask(ellipse(moved(centre, -5.2, -5.2), (4.2, 4.5))) * white, (255, 255, 255))
    art.fill(art.mask(ellipse(moved(centre, 6, 6.4), (2.2, 2.2))) * white, (255, 255, 255), 0.85)
    art.stroke(lower, 2.2, LINE, taper=(0.5, 0.3), opacity=0.7)
    art.stroke(upper, 5.8, LINE, taper=(0.25, 0.75))
    art.stroke(side(curve([(400, 296), (408, 299), (417, 296)])), 4.2, LINE, taper=(0.7, 0.0))
    art.stroke(side(curve([(405, 302), (411, 305), (419, 304)])), 3.4, LINE, taper=(0.7, 0.0))
    art.stroke(side(curve([(358, 291), (374, 280), (393, 281), (407, 291)])), 2.6, SKIN_SHADE)


def draw_brow(art, side):
    """One eyebrow, full and round at the nose, thin at the temple."""
    spine = side(curve([(350, 267), (368, 259), (390, 256), (406, 261), (419, 271)]))
    art.stroke(spine, 10.5, HAIR, taper=(0.75, 0.1))
    art.stroke(moved(spine[10:90], 0, -1.5), 2, HAIR_LIGHT, opacity=0.5)


def draw_nose(art):
    """Bridge in shade and light, tip, wings and nostrils."""
    face = art.mask(FACE)
    art.shade(face, curve([(334, 284), (334, 330), (350, 360), (338, 372), (324, 366), (326, 320)], closed=True),
              SKIN_SHADE, 0.42, 6)  # fmt: skip
    art.shade(face, ellipse((317, 322), (5, 36)), SKIN_LIGHT, 0.7, 4)
    art.shade(face, ellipse((317, 356), (9, 8)), SKIN_LIGHT, 0.75, 4)
    art.shade(face, ellipse((320, 379), (24, 5)), SKIN_SHADE, 0.6, 4)
    for side in (np.asarray, mirrored):
        art.stroke(side(curve([(343, 353), (349, 362), (346, 371), (338, 373)])), 3, LINE, opacity=0.75)
        art.fill(art.mask(side(ellipse((332, 373), (6.5, 2.8), -0.25))), LINE, 0.85)
    art.stroke(curve([(311, 375), (320, 379), (329, 375)]), 2.4, LINE, opacity=0.6)


def draw_mouth(art):
    """Closed lips with a slight smile."""
    left, right = (278, 407), (362, 407)
    bow = curve([left, (294, 401), (310, 396), (320, 399), (330, 396), (346, 401), right])
    parting = curve([right, (346, 412), (331, 413), (320, 415), (309, 413), (294, 412), left])
    belly = curve([left, (294, 422), (320, 431), (346, 422), right])
    face = art.mask(FACE)
    art.shade(face, ellipse((320, 437), (24, 5)), SKIN_SHADE, 0.55, 4)
    art.shade(face, ellipse((320, 390), (5, 6)), SKIN_SHADE, 0.3, 3)
    art.fill(art.mask(np.vstack([bow, parting])), LIP_UPPER)
    lip = art.mask(np.vstack([belly, parting]))
    art.fill(lip, LIP_LOWER)
    art.shade(lip, ellipse((314, 421), (15, 3)), (240, 160, 148), 0.85, 2)
    art.stroke(parting, 3.2, (98, 34, 44), taper=(0.3, 0.3))
    for side in (np.asarray, mirrored):
        art.stroke(side(curve([(359, 410), (364, 407), (367, 402)])), 2.8, LINE, opacity=0.8)


def draw_hair_in_front(art):
    """The fringe, swept to one side from a parting, with strands."""
    hairline = curve(
        [(434, 300), (425, 262), (408, 222), (372, 196), (340, 182), (312, 206), (262, 232), (226, 258), (208, 300)]
    )
    crown = curve(
        [
            (208, 300),
            (190, 250),
            (196, 186),
            (232, 128),
            (300, 98),
            (364, 102),
            (420, 140),
            (450, 206),
            (448, 262),
            (434, 300),
        ]
    )
    outline = np.vstack([hairline, crown])
    face = art.mask(FACE)
    art.shade(face, moved(outline, 2, 12), SKIN_SHADE, 0.6, 6)
    hair = art.mask(outline)
    art.fill(hair, HAIR)
    art.shade(
        hair, curve([(440, 300), (424, 230), (372, 186), (400, 160), (452, 220)], closed=True), HAIR_SHADE, 0.7, 12
    )
    art.shade(hair, curve([(220, 212), (262, 152), (322, 128), (322, 140), (268, 168), (232, 222)], closed=True),
              HAIR_LIGHT, 0.8, 8)  # fmt: skip
    for path, colour in (
        ([(338, 180), (300, 178), (244, 212), (212, 280)], HAIR_SHADE),
        ([(346, 158), (290, 156), (232, 196), (204, 262)], HAIR_SHADE),
        ([(342, 132), (286, 132), (226, 172), (200, 232)], HAIR_LIGHT),
        ([(344, 146), (288, 144), (230, 184), (203, 246)], HAIR_LIGHT),
        ([(342, 178), (386, 186), (418, 222), (434, 276)], HAIR_LIGHT),
        ([(346, 160), (396, 168), (432, 210), (443, 262)], HAIR_SHADE),
        ([(344, 130), (398, 138), (438, 184), (449, 240)], HAIR_LIGHT),
    ):
        art.stroke(curve(path), 3.2, colour, opacity=0.75, clip=hair)
    art.stroke(curve([(342, 182), (340, 150), (346, 106)]), 3, HAIR_SHADE)
    art.stroke(hairline, 2.8, HAIR_SHADE, taper=(0.6, 0.6))


def cartoon():
    """The finished picture: uint8 RGB (640, 640, 3)."""
    art = Drawing(PAPER)
    draw_background(art)
    draw_hair_behind(art)
    draw_body(art)
    draw_ears(art)
    draw_face(art)
    draw_nose(art)
    draw_mouth(art)
    for side in (np.asarray, mirrored):
        draw_eye(art, side)
    draw_hair_in_front(art)
    for side in (np.asarray, mirrored):
        draw_brow(art, side)
    return art.finished()
