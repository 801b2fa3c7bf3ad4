"""How many cores a process takes for itself."""

import os

import pytest

from visiongen.cores import SHARE_VARIABLE, cores, own_cores
from visiongen.landmarks import own_readers
from visiongen.workers import share_of_cores, surroundings


def test_a_process_uses_the_cores_it_may(monkeypatch):
    monkeypatch.delenv(SHARE_VARIABLE, raising=False)
    assert 1 <= cores() <= os.cpu_count() and own_cores() == cores()


@pytest.mark.parametrize(("told", "share"), [("1", 1), ("3", 3), ("64", 8), ("0", 1), ("many", 8), ("", 8)])
def test_a_worker_uses_its_share(monkeypatch, told, share):
    monkeypatch.setattr("visiongen.cores.cores", lambda: 8)
    monkeypatch.setenv(SHARE_VARIABLE, told)
    assert own_cores() == share


def test_what_a_worker_is_given_is_what_it_takes(monkeypatch):
    monkeypatch.setattr("visiongen.cores.cores", lambda: 8)
    monkeypatch.setattr("visiongen.workers.cores", lambda: 8)
    monkeypatch.setenv(SHARE_VARIABLE, surroundings(share_of_cores(4))[SHARE_VARIABLE])
    assert own_cores() == 2


@pytest.mark.parametrize(("of", "readers"), [(1, 2), (2, 2), (4, 4), (64, 6)])
def test_landmarks_are_looked_for_on_as_many_cores(monkeypatch, of, readers):
    monkeypatch.setattr("visiongen.landmarks.own_cores", lambda: of)
    assert own_readers() == readers
