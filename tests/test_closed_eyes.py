"""Where lids meet there is a dark line, whatever the eye between them looked like."""

from __future__ import annotations

import numpy as np
import pytest

from visiongen.closed_eyes import ClosedEyes
from visiongen.drawing import lay_over
from visiongen.generators.targets import source_landmarks
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pipeline import prepare_portrait
from visiongen.samples import sample

EYES = (RIGHT_EYE, LEFT_EYE)


@pytest.fixture(scope="module", params=["astronaut.jpg", "painting.png"])
def portrait(request):
    return prepare_portrait(sample(request.param), size=1024)


def closed(source: np.ndarray, share: float, eyes=EYES) -> np.ndarray:
    """(478, 3): lids that have come together by a share."""
    points = source.copy()
    for eye in eyes:
        for upper, lower in zip(eye[1:8], eye[:8:-1]):
            middle = 0.25 * points[upper] + 0.75 * points[lower]
            points[[upper, lower]] += share * (middle - points[[upper, lower]])
    return points


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5])
def test_open_eyes_have_none(portrait, share):
    source = source_landmarks(portrait)
    assert ClosedEyes(portrait.crop, source)(closed(source, share)) == []


def test_closed_eyes_are_dark_between_the_corners(portrait):
    """Of a picture whose eyes shine, too."""
    source = source_landmarks(portrait)
    lines = ClosedEyes(portrait.crop, source)(closed(source, 0.97))
    assert len(lines) == 2
    white = np.full_like(portrait.crop, 255)
    frame = lay_over(white, lines)
    for eye in EYES:
        middle = 0.25 * source[[eye[4]], :2] + 0.75 * source[[eye[12]], :2]
        x, y = (middle[0] * len(white)).astype(int)
        assert frame[y, x].max() < 150
        for corner in (eye[0], eye[8]):  # it ends there
            beyond = source[corner, :2] + 0.2 * (source[corner, :2] - middle[0])
            x, y = (beyond * len(white)).astype(int)
            assert frame[y, x].min() > 250


def test_the_line_comes_smoothly(portrait):
    source = source_landmarks(portrait)
    eyes = ClosedEyes(portrait.crop, source)
    sums = [
        sum(float(piece.weight.sum()) for piece in eyes(closed(source, share))) for share in np.linspace(0.6, 0.97, 12)
    ]
    assert sums[0] == 0 and sums[-1] > 0
    steps = np.diff(sums)
    assert (steps > -0.2 * max(sums)).all() and steps.max() < 0.5 * max(sums)  # the slit gets thinner meanwhile


def test_one_eye_alone_closes(portrait):
    source = source_landmarks(portrait)
    for one, other in (EYES, EYES[::-1]):
        (line,) = ClosedEyes(portrait.crop, source)(closed(source, 0.97, (one,)))
        at = np.array(line.corner) + np.array(line.weight.shape[::-1]) / 2
        there, elsewhere = (source[list(eye), :2].mean(0) * len(portrait.crop) for eye in (one, other))
        assert np.linalg.norm(at - there) < np.linalg.norm(at - elsewhere)


def test_eyes_that_the_portrait_shows_closed_stay(portrait):
    shut = closed(source_landmarks(portrait), 0.9)
    assert ClosedEyes(portrait.crop, shut)(closed(shut, 0.9)) == []


def test_an_eye_outside_of_the_picture_is_no_matter(portrait):
    source = source_landmarks(portrait)
    away = closed(source, 0.97) + [2.0, 0, 0]
    assert ClosedEyes(portrait.crop, source)(away) == []
