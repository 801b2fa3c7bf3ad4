"""The oval of the face mesh."""

import numpy as np
import pytest

from visiongen.landmarks import FACE_OVAL, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from visiongen.oval import by_direction, cheeks, outward, rim
from visiongen.pose import face_model


def test_outward_is_away_from_the_middle_and_alike_on_both_sides():
    ways = outward()
    np.testing.assert_allclose(np.linalg.norm(ways, axis=1), 1)
    outline = face_model().points[list(FACE_OVAL), :2]
    assert ((outline + 0.01 * ways - outline.mean(0)) ** 2).sum() > ((outline - outline.mean(0)) ** 2).sum()
    other = [FACE_OVAL.index(landmark) for landmark in face_model().mirror[list(FACE_OVAL)]]
    np.testing.assert_allclose(ways[other], ways * [-1, 1], atol=0.02)


def test_what_depends_on_the_direction_lies_between_its_extremes():
    values = by_direction(3.0, 2.0, 1.0)
    top, ear, chin = (FACE_OVAL.index(landmark) for landmark in (10, 234, 152))
    assert values[[top, ear, chin]] == pytest.approx([3, 2, 1], abs=0.1)
    assert values.min() > 1 - 1e-9 and values.max() < 3 + 1e-9


def test_the_rim_grows_with_its_width():
    narrow, broad = (set(rim(width)) for width in (0.01, 0.1))
    assert set(FACE_OVAL) <= narrow < broad and not {1, 13, 468} & broad


def test_cheeks_are_at_the_sides_and_keep_away_from_eyes_and_brows():
    steps = cheeks()
    assert steps[[234, 454]].min() > 0.03 and steps[[10, 152, 1, 13]].max() == 0
    assert steps[[*RIGHT_EYE, *LEFT_EYE, *RIGHT_BROW, *LEFT_BROW]].max() == 0
    np.testing.assert_allclose(steps[face_model().mirror[:468]], steps, atol=0.02)
