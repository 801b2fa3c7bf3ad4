"""Things that happen to the studio: workers and servers are killed, disks are full, people come twice, go, and want out."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from lists import pick
from renders import ROOT, sample_settings, wait_for
from started import started_studio

from studio import jobs, limits, live_route
from studio.frame_pack import frame_pack
from studio.jobs import JobQueue
from studio.limits import check_jobs, check_upload
from studio.retention import KEEP_VARIABLE, delete_data, keep_days, sweep
from studio.settings import Part
from studio.store import Store
from studio.uploads import DAY, add_portrait, upload_folder
from visiongen.claims import is_claimed
from visiongen.errors import MediaError, VisionGenError
from visiongen.plugins import ENVIRONMENT_VARIABLE
from visiongen.samples import sample
from visiongen.shortages import GPU

FAULTS = ROOT / "tests" / "fault_plugin"


def until(condition, *, seconds: float = 200):
    """Waits for something true and returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return found


def check_whole(folder: Path) -> None:
    """Every file under a final name in a run's folder can be read to its end."""
    for path in folder.iterdir():
        if re.fullmatch(r"\.(driving|result)\.frames\.\w{8}", path.name) and (folder / "result.mp4").exists():
            continue  # a pack in the making: the worker makes them when the render is done
        if path.suffix == ".frames":
            assert len(frame_pack(folder / f"{path.stem[1:]}.mp4")) == 15
            continue
        assert not path.name.startswith("."), f"{path.name} was left behind"
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                assert all(data[name] is not None for name in data.files)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".mp4":
            with av.open(str(path)) as container:
                assert sum(1 for _ in container.decode(video=0)) == 15
        else:
            assert cv2.imread(str(path)) is not None, path


# --- killed -----------------------------------------------------------------------------------------------------------


def kill_worker_at_random(store: Store, queue: JobQueue, seed: int) -> None:
    moment = random.Random(seed).choice(["Loading models", "Reading the clip", "Rendering", "Finishing"])
    run = queue.submit(sample_settings(), "tests")
    until(lambda: queue.job(run).stage == moment or not queue.job(run).is_active)
    time.sleep(random.Random(seed + 1).uniform(0, 0.2))
    if (pid := queue.worker_pids["render"]) is not None and queue.job(run).is_active:
        os.kill(pid, signal.SIGKILL)
    job = wait_for(queue, run)
    assert job.state == "done" or (job.state == "failed" and "SIGKILL" in job.message and "try again" in job.message)
    check_whole(store.get(run).folder)


@pytest.mark.slow
def test_a_killed_worker_leaves_nothing_half(store, job_queue):
    kill_worker_at_random(store, job_queue, int(time.time()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_workers_killed_at_many_moments(store, job_queue, seed):
    kill_worker_at_random(store, job_queue, seed)


SERVER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from renders import sample_settings
from studio.jobs import JobQueue
from studio.store import Store
queue = JobQueue(Store(Path(sys.argv[1])))
run = queue.submit(sample_settings(end=None), "me")
queue.submit(sample_settings(), "me")
while not queue.job(run).done:
    time.sleep(0.01)
print(run, queue.worker_pids["render"], flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_killed_studio_is_found_out_by_the_next_one_but_not_before(tmp_path):
    code = SERVER.format(root=str(ROOT), tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as server:
        run, worker = server.stdout.readline().split()
        beside = JobQueue(Store(tmp_path))  # somebody starts a second studio on the same folder
        states = {one.state for one in Store(tmp_path).runs()}
        beside.close()
        assert states == {"running", "queued"}, "the renders of the first one are not touched"
        server.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() if Path("/proc").exists() else True, seconds=30)
    store = Store(tmp_path)
    queue = JobQueue(store)
    try:
        assert {one.state for one in store.runs()} == {"failed"}
        assert "closed during this render" in store.get(run).problem
        assert not list(store.get(run).folder.glob(".*")) and not (store.get(run).folder / "result.mp4").exists()
        assert [is_claimed(path) for path in (tmp_path / "servers").iterdir()] == [True], "its own mark alone"
    finally:
        queue.close()
    assert not list((tmp_path / "servers").iterdir())


# --- no room ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """``small_disk("1m")``: a disk of that size, as the studio's."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("needs the right to mount a small disk")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


@pytest.mark.slow
def test_a_full_disk_is_told_before_the_work_and_during_it(small_disk, monkeypatch):
    root = small_disk("500k")
    store = Store(root)
    queue = JobQueue(store)
    try:
        with pytest.raises(MediaError, match="this render is not kept: the studio's disk has only 0 MB left"):
            queue.submit(sample_settings(), "me")
        monkeypatch.setattr(limits, "LEAST_FREE_BYTES", -(1 << 40))  # as if the room went away after the look
        job = wait_for(queue, queue.submit(sample_settings(portrait=str(sample("astronaut.jpg")), size=None), "me"))
        assert job.state == "failed" and "disk is full" in job.message and len(job.message) < 300
        run = store.get(job.id)
        assert run.state == "failed" and not list(run.folder.glob(".*")) and not (run.folder / "result.mp4").exists()
        (root / "ballast").write_bytes(bytes(shutil.disk_usage(root).free))
        with pytest.raises(MediaError, match="the disk is full") as caught:
            queue.submit(sample_settings(), "me")
        assert "\n" not in str(caught.value) and len(store.runs()) == len(list((root / "runs").iterdir())) == 1
        (root / "ballast").unlink()
        store.update(run.id, title="it goes on")
    finally:
        queue.close()


@pytest.mark.slow
def test_memory_of_the_gpu_runs_out_and_a_plugin_dies(tmp_path, monkeypatch):
    """In a worker of its own, which knows the generators of tests/fault_plugin."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "faults")
    store = Store(tmp_path)
    queue = JobQueue(store)
    try:
        messages = {}
        for name in ("gpu-full", "dies", "warp"):
            job = wait_for(queue, queue.submit(sample_settings(generator=Part(name=name), end=0.3), "me"))
            messages[name] = job.message
            assert (job.state == "done") == (name == "warp"), job.message
        assert GPU in messages["gpu-full"] and "SIGKILL" in messages["dies"]
    finally:
        queue.close()


# --- limits -----------------------------------------------------------------------------------------------------------


class Waiting:
    """As much of a job as the limits look at."""

    def __init__(self, session: str) -> None:
        self.session = session


def test_nobody_can_queue_without_end():
    mine = [Waiting("me")] * limits.MOST_JOBS
    check_jobs(mine[1:], "me")
    check_jobs(mine, "you")
    with pytest.raises(VisionGenError, match="12 of your renders are waiting"):
        check_jobs(mine, "me")
    with pytest.raises(VisionGenError, match="40 renders are waiting in this studio"):
        check_jobs([Waiting(str(number)) for number in range(limits.MOST_JOBS_IN_ALL)], "me")


def test_the_queue_keeps_the_limit(store, job_queue, monkeypatch):
    monkeypatch.setattr(limits, "MOST_JOBS", 1)
    first = job_queue.submit(sample_settings(end=None), "greedy")
    with pytest.raises(VisionGenError, match="1 of your renders are waiting"):
        job_queue.submit(sample_settings(), "greedy")
    job_queue.cancel(first)
    assert len(store.runs(session="greedy")) == 1, "nothing of the second one is kept"


def test_nobody_can_fill_the_disk_with_uploads(store, job_queue, monkeypatch, tmp_path):
    data = sample("cartoon.png").read_bytes()
    monkeypatch.setattr(limits, "MOST_UPLOAD_BYTES", int(2.5 * len(data)))
    give = lambda who: add_portrait(data, "a.png", store=store, session=who, ask=job_queue.ask)  # noqa: E731
    give("full"), give("full")
    with pytest.raises(MediaError, match=r"a\.png is not kept: your uploads have"):
        give("full")
    assert len(list(upload_folder(store, "full").iterdir())) == 2
    give("somebody else")
    monkeypatch.setattr(limits, "MOST_UPLOAD_BYTES", 1 << 60)
    with pytest.raises(MediaError, match=r"big\.mp4 is not kept: the studio's disk has only"):
        check_upload(tmp_path / "new", "big.mp4", shutil.disk_usage(tmp_path).free)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks at memory in /proc")
def test_a_file_that_takes_too_much_memory_is_given_up(store, job_queue, monkeypatch):
    """A picture of 48 million pixels is a small file; the limit is set below what it takes."""
    big = cv2.imencode(".png", np.zeros((6000, 8000, 3), np.uint8))[1].tobytes()
    assert len(big) < 1 << 20
    give = lambda data: add_portrait(data, "big.png", store=store, session="tests", ask=job_queue.ask)  # noqa: E731
    give(sample("cartoon.png").read_bytes())  # the worker is awake
    monkeypatch.setattr(jobs, "CHECK_GROWTH", 50 << 20)
    before = len(list(upload_folder(store, "tests").iterdir()))
    with pytest.raises(MediaError, match="more than 50 MB of memory and was given up; try a smaller file"):
        give(big)
    assert len(list(upload_folder(store, "tests").iterdir())) == before
    monkeypatch.undo()
    assert give(big).note.startswith("scaled down")


def test_live_sessions_are_counted_for_each_client():
    taken = []
    try:
        for who in ("anna", "anna", "anna", "ben", "carl"):
            reason = live_route._take_place(who)
            taken += [who] * (not reason)
            if who == "anna" and len(taken) == 2:
                continue
        assert taken == ["anna", "anna", "ben"]
        assert "in your browser" in live_route._take_place("anna") or "3 live sessions" in live_route._take_place(
            "anna"
        )
        live_route._leave_place(taken.pop())
        assert "in your browser" in live_route._take_place("anna")
    finally:
        for who in taken:
            live_route._leave_place(who)
    assert live_route._open_sessions == 0 and not live_route._open_of


# --- how long things are kept -----------------------------------------------------------------------------------------


def test_old_runs_go_where_that_was_asked_for(tmp_path, monkeypatch):
    store = Store(tmp_path)
    old, young, active = (store.create(sample_settings(), "me", name) for name in ("old", "young", "active"))
    store.update(old.id, state="done", created=time.time() - 8 * DAY)
    store.update(young.id, state="done", created=time.time() - 6 * DAY)
    store.update(active.id, created=time.time() - 9 * DAY)
    assert sweep(store) == 0 and keep_days() is None, "runs are kept unless somebody says otherwise"
    monkeypatch.setenv(KEEP_VARIABLE, "7")
    assert sweep(store) == 1 and {run.title for run in store.runs()} == {"young", "active"} and not old.folder.exists()
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv(KEEP_VARIABLE, wrong)
        with pytest.raises(VisionGenError, match="must be a number of days"):
            keep_days()


def test_leftovers_go_after_a_day(tmp_path):
    store = Store(tmp_path)
    run = store.create(sample_settings(), "me")
    store.update(run.id, state="done")
    half, never = run.folder / ".result.part.gif", tmp_path / "runs" / "never-became-one"
    half.write_bytes(b"GIF8")
    never.mkdir()
    assert sweep(store) == 0 and half.exists() and never.exists(), "somebody may be at work on them"
    assert sweep(store, now=time.time() + 2 * DAY) == 2
    assert not half.exists() and not never.exists() and store.get(run.id).folder.is_dir()


def test_deleting_my_data_leaves_that_of_others(tmp_path):
    store = Store(tmp_path)
    for who in ("me", "you"):
        folder = upload_folder(store, who)
        folder.mkdir(parents=True)
        (folder / "face.png").write_bytes(b"a face")
        run = store.create(sample_settings(portrait=str(folder / "face.png")), who, f"secret of {who}")
        store.update(run.id, state="done")
        store.add_rating(run.id, {"realism": 4}, session=who)
    store.add_rating(run.id, {"realism": 2}, session="me")  # mine, of yours
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "landmarks.npz").write_bytes(b"of a face")
    done = delete_data(store, "me")
    assert done.runs == 1 and [run.session for run in store.runs()] == ["you"]
    assert not upload_folder(store, "me").exists() and upload_folder(store, "you").exists()
    assert [one.session for one in store.ratings()] == ["you"] and not (tmp_path / "cache").exists()
    assert b"secret of me" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    delete_data(store, None)
    assert not store.runs() and not store.ratings() and not (tmp_path / "uploads").exists()
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_deleting_my_data_on_the_page(studio, store, job_queue):
    page = studio("app_pages/about.py")
    me = page.session_state["session"]
    mine, yours = store.create(sample_settings(), me, "mine"), store.create(sample_settings(), "you", "yours")
    for run in (mine, yours):
        store.update(run.id, state="done")
    page.run()
    assert "1 of them made in this browser" in " ".join(one.value for one in page.markdown)
    page.button(key="delete_mine").click().run()
    assert not page.exception and store.find(mine.id) is None and store.find(yours.id) is not None
    assert page.button(key="delete_all").disabled, "that needs a tick first"
    store.delete(yours.id)


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_closes_the_browser_finds_the_render_again(studio, store, job_queue):
    """A page follows a job and is gone; the job goes on; a new page, told the address, shows it."""
    page = studio()
    run = job_queue.submit(sample_settings(), page.session_state["session"], "Left alone")
    page.run()
    del page
    assert wait_for(job_queue, run).state == "done"
    again = studio(run=run)
    assert not again.exception and again.session_state["run"] == run


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(900)
def test_two_people_render_and_close_their_browsers(tmp_path):
    """Two browsers at once on a started studio; both leave; both films are made, and the first one finds hers again."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome") or pytest.skip("no browser is installed")
    store = lambda: Store(tmp_path / "data")  # noqa: E731
    with started_studio(tmp_path) as server, playwright.sync_playwright() as starter:
        chromium = starter.chromium.launch(executable_path=program, args=["--no-sandbox"])
        kept = []
        for number in (1, 2):
            context = chromium.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.set_default_timeout(240_000)
            page.goto(server.address)
            pick(page, "generator", "warp")
            page.locator(".st-key-render button:not([disabled])").click()
            until(lambda: len(store().runs()) == number)  # noqa: B023 - called at once
            kept.append((context.storage_state(), page.url))
            context.close()
        until(lambda: {run.state for run in store().runs()} == {"done"}, seconds=600)
        assert len({run.session for run in store().runs()}) == 2
        context = chromium.new_context(storage_state=kept[0][0], viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(240_000)
        page.goto(server.address)
        page.get_by_role("link").filter(has_text="Gallery").first.click()
        page.locator("[class*=st-key-card-]").nth(1).wait_for()
        page.get_by_role("link").filter(has_text="About").first.click()
        page.get_by_text("1 of them made in this browser").wait_for()
        chromium.close()
