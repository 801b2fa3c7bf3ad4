"""docs/measure_turned.py chooses clips in which heads turn."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(DOCS))
    try:
        spec = importlib.util.spec_from_file_location("measure_turned", DOCS / "measure_turned.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(DOCS))
    return module


def test_a_clip_begins_at_its_most_turned_frame_if_it_turns_on_from_there(script):
    yaw = np.concatenate([np.linspace(0, -40, 30), np.linspace(-40, 0, 40)])
    assert script.begins_turned(yaw, 50) in (29, 30)
    assert script.begins_turned(np.full(80, 40.0), 50) is None  # it stays as it is
    assert script.begins_turned(np.linspace(0, 15, 80), 50) is None
    assert script.begins_turned(np.linspace(0, 60, 20), 50) is None  # too short


def test_or_looks_to_the_camera_before_it_turns(script):
    yaw = np.concatenate([np.zeros(40), np.full(60, 30.0)])
    first = script.begins_facing(yaw, 50)
    assert 30 <= first < 40
    assert script.begins_facing(np.full(100, 30.0), 50) is None
    assert script.begins_facing(np.zeros(100), 50) is None
