"""Linear algebra starts no threads in the processes of VisionGen 3D."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from visiongen import blas, workers

COUNT = """
import os, numpy, scipy.linalg
numpy.ones((300, 300)) @ numpy.ones((300, 300))
print(len(os.listdir("/proc/self/task")))
"""
MAIN = "from visiongen import cli; cli.main(['--version'])"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir() or (os.cpu_count() or 1) < 2, reason="needs Linux and two cores"
)


def threads(code: str, **environment: str) -> int:
    plain = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], env=plain | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def test_the_command_line_has_one():
    assert threads(COUNT) > 1, "NumPy's library has threads of its own, or this test says nothing"
    assert threads(MAIN + COUNT) == 1


def test_who_asked_for_more_gets_them():
    assert threads(MAIN + COUNT, OPENBLAS_NUM_THREADS="2") > 1


def test_workers_have_one(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert workers.surroundings(2).items() >= blas.LIMIT.items()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert workers.surroundings(2)["OPENBLAS_NUM_THREADS"] == "3"
