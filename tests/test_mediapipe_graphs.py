"""Graphs of MediaPipe are used again, and start without a word."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from visiongen import mediapipe_graphs
from visiongen.background import PersonMatte
from visiongen.landmarks import FaceMesh
from visiongen.media import read_picture
from visiongen.mediapipe_graphs import give_back, silent_stderr, take
from visiongen.samples import sample


class Graph:
    """Counts how often it is closed."""

    def __init__(self):
        self.closed = 0

    def close(self):
        self.closed += 1


@pytest.fixture(autouse=True)
def own_graphs(monkeypatch):
    monkeypatch.setattr(mediapipe_graphs, "_free", {})


def test_a_graph_that_was_given_back_is_taken_again_and_no_other_in_use():
    first = take("kind", Graph)
    assert take("kind", Graph) is not first
    give_back("kind", first)
    assert take("other kind", Graph) is not first
    assert take("kind", Graph) is first and not first.closed


def test_few_are_kept_and_the_rest_is_closed():
    graphs = [take("kind", Graph) for _ in range(10)]
    for graph in graphs:
        give_back("kind", graph)
    assert 0 < sum(graph.closed == 0 for graph in graphs) <= 4 and max(graph.closed for graph in graphs) == 1


def test_no_picture_depends_on_those_before_it():
    """Else a graph that was used before would answer otherwise than a new one."""
    picture = read_picture(sample("astronaut.jpg"))
    others = [read_picture(sample("painting.png")), np.zeros_like(picture), picture[:, ::-1].copy()]
    with FaceMesh() as mesh, PersonMatte() as matte:
        first = mesh(picture), matte(picture)
        for other in others:
            mesh(other), matte(other)
    with FaceMesh() as mesh, PersonMatte() as matte:
        again = mesh(picture), matte(picture)
    assert len(first[0]) == 1 and all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_closing_twice_gives_back_once():
    mesh = FaceMesh()
    mesh.close()
    mesh.close()
    with FaceMesh() as one, FaceMesh() as other:
        assert one._graph is not other._graph


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_makes_its_own():
    give_back("kind", Graph())
    child = os.fork()
    if not child:
        os._exit(bool(mediapipe_graphs._free))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mediapipe_graphs._free["kind"]


# --- a quiet start ----------------------------------------------------------------------------------------------------


def test_stderr_is_silent_inside_and_itself_afterwards(capfd):
    with silent_stderr():
        os.write(2, b"hidden")
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_stderr_survives_many_threads(capfd):
    """Two at once must not take each other's /dev/null for the true stderr."""
    before = os.fstat(2)

    def silence():
        for _ in range(50):
            with silent_stderr():
                time.sleep(0.0001)

    threads = [threading.Thread(target=silence) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = os.fstat(2)
    assert (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino)


def test_a_process_without_stderr_works(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with silent_stderr():
        pass


def test_errors_inside_come_out(capfd):
    with pytest.raises(KeyError), silent_stderr():
        raise KeyError
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_what_only_draws_and_records_is_loaded_when_it_is_used():
    script = (
        "import sys; from visiongen.mediapipe_graphs import solutions; found = solutions()\n"
        "assert not {'matplotlib', 'matplotlib.pyplot', 'sounddevice'} & set(sys.modules), 'loaded by MediaPipe'\n"
        "spec = found.drawing_utils.DrawingSpec()\n"
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
        "assert found.drawing_utils.plt.figure is plt.figure\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
