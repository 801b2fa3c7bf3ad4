"""A child process that is asked in JSON lines: what it answers, what ends it, and that the next task finds a new one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from visiongen import workers
from visiongen.errors import VisionGenError
from visiongen.workers import TaskStopped, WorkerDied, WorkerFailed, WorkerProcess

CHILD = """
import os, signal, sys, time
from visiongen.errors import MediaError
from visiongen.worker_loop import serve

class Passing(MediaError): pass

def wait(task, teller):
    teller.tell("begun")
    while True:
        if not task.get("deaf"):
            teller.progress("wait", 0, None)
        time.sleep(0.01)

def grow(task, teller):
    kept = [bytearray(1 << 20) for _ in range(200)]
    time.sleep(20)
    return {"kept": len(kept)}

def fail(task, teller):
    raise {"media": MediaError("no such file"), "passing": Passing("try again"), "other": KeyError("a\\nb"),
           "full": OSError(28, "No space left on device")}[task["how"]]

def say(task, teller):
    print("not JSON at all", flush=True)
    return {"pid": os.getpid(), "where": os.getcwd(), "safe": sys.flags.safe_path if sys.version_info >= (3, 11) else True}

serve({"wait": wait, "grow": grow, "fail": fail, "say": say, "nan": lambda task, teller: {"value": float("nan")},
       "die": lambda task, teller: os.kill(os.getpid(), signal.SIGKILL)}, passing=(Passing,), advice="choose another one")
"""


@pytest.fixture
def worker(tmp_path):
    """Of a module of its own."""
    (tmp_path / "child_of_tests.py").write_text(CHILD)
    where = workers.surroundings()
    where["PYTHONPATH"] = os.pathsep.join([str(tmp_path), where["PYTHONPATH"]])
    made = WorkerProcess("test", module="child_of_tests", folder=tmp_path, environment=where,
                         log=tmp_path / "logs" / "a.log", advice="try again")  # fmt: skip
    yield made
    made.close()


def test_tasks_are_answered_by_one_process(worker, tmp_path):
    first, second = worker.run({"do": "say"}), worker.run({"do": "say"})
    assert first == second and first["pid"] == worker.pid != os.getpid() and worker.starts == 1
    assert Path(first["where"]) == tmp_path and first["safe"]
    assert "not JSON at all" in (tmp_path / "logs" / "a.log").read_text()


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ("media", VisionGenError, "no such file"),
        ("passing", WorkerFailed, "try again"),
        ("other", WorkerFailed, r"unexpected failure, KeyError: 'a\\nb'; choose another one"),
        ("full", WorkerFailed, "the disk is full; make room or choose another one"),
    ],
)
def test_errors_cost_only_their_task(worker, how, kind, says):
    with pytest.raises(VisionGenError, match=f"^{says}$") as caught:
        worker.run({"do": "fail", "how": how})
    assert type(caught.value) is kind
    assert worker.run({"do": "say"})["pid"] and worker.starts == 1


def test_answers_that_are_no_json_are_an_error(worker):
    with pytest.raises(WorkerFailed, match="ValueError"):
        worker.run({"do": "nan"})
    assert worker.run({"do": "say"}) and worker.starts == 1


def test_a_process_that_dies_is_replaced(worker):
    with pytest.raises(WorkerDied, match=r"process test was ended during this job, SIGKILL .*; try again$"):
        worker.run({"do": "die"})
    assert worker.run({"do": "say"}) and worker.starts == 2


@pytest.mark.parametrize(("deaf", "starts"), [(False, 1), (True, 2)])
def test_a_task_is_stopped_gently_or_not(worker, monkeypatch, deaf, starts):
    monkeypatch.setattr(workers, "GRACE", 0.3)
    stop = lambda event: threading.Thread(target=worker.stop).start() if event["event"] == "begun" else None  # noqa: E731
    with pytest.raises(TaskStopped):
        worker.run({"do": "wait", "deaf": deaf}, stop)
    assert worker.run({"do": "say"}) and worker.starts == starts


def test_a_task_that_takes_too_long_is_given_up(worker):
    with pytest.raises(WorkerFailed, match=r"longer than 0\.5 s and was given up"):
        worker.run({"do": "wait", "deaf": True}, seconds=0.5)
    assert worker.run({"do": "say"}) and worker.starts == 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks at memory in /proc")
def test_a_task_that_takes_too_much_memory_is_given_up(worker):
    worker.run({"do": "say"})
    with pytest.raises(WorkerFailed, match="more than 50 MB of memory and was given up; try a smaller file"):
        worker.run({"do": "grow"}, growth=50 << 20)
    assert worker.run({"do": "say"}) and worker.starts == 2


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks for processes in /proc")
def test_who_is_killed_takes_its_worker_along(worker, tmp_path):
    code = "import sys, time; from visiongen.workers import WorkerProcess; w = WorkerProcess('a', module='child_of_tests')\n"
    code += "w.run({'do': 'wait', 'deaf': True}, lambda event: print(w.pid, flush=True))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as server:
        child = Path("/proc") / server.stdout.readline().strip()
        assert child.name.isdigit() and child.exists()
        server.kill()
    end = time.monotonic() + 20
    while child.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not child.exists()


ARENAS = """
import ctypes, sys, threading
from visiongen.memory import few_arenas
if "few" in sys.argv:
    assert few_arenas()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
all_here = threading.Barrier(9)
def take():
    libc.malloc(ctypes.c_size_t(5000))
    all_here.wait()
for _ in range(8):
    threading.Thread(target=take).start()
all_here.wait()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc's malloc")
def test_threads_share_few_pools_of_memory(tmp_path):
    found = []
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    for words in ([], ["few"]):
        out = tmp_path / f"{len(words)}.xml"
        subprocess.run([sys.executable, "-c", ARENAS, str(out), *words], check=True, env=environment)
        found.append(out.read_text().count("<heap nr="))
    assert found[0] > 4 and found[1] <= 2
