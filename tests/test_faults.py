"""Things that happen to a job from outside: it is killed, its disk is full, its inputs vanish, another one wants its place."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from builders import moving_head, write_clip

import visiongen
from visiongen import cli, media, plugins, testing
from visiongen.claims import claim, claimed, is_claimed, lock_file
from visiongen.errors import MediaError, PluginError
from visiongen.exporters.sound import cut_sound
from visiongen.samples import sample
from visiongen.scratch import remove_leftovers, scratch_folder
from visiongen.shortages import GPU, RAM, shortage

FAULTS = Path(__file__).parent / "fault_plugin"
FRAMES = 12
ENDINGS = (".mp4", ".gif", "")

RENDER = """
import sys
import visiongen
from visiongen import testing
out, again = sys.argv[1], len(sys.argv) > 2
portrait, motion = testing.sample_portrait(96), testing.sample_motion({frames})
print("ready", flush=True)
while True:
    visiongen.animate(portrait, motion, out, generator="{generator}", full=False, overwrite=True, device="cpu")
    print("done", flush=True)
    if not again:
        break
"""


@pytest.fixture(autouse=True)
def faults(monkeypatch):
    """The generators of tests/fault_plugin, here and in child processes."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAULTS)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(FAULTS)])))
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "faults")
    plugins._host.cache_clear()
    yield
    plugins._host.cache_clear()


def animate(out: Path, **how) -> visiongen.Animation:
    how = {"generator": "warp", "full": False, "device": "cpu", **how}
    return visiongen.animate(testing.sample_portrait(96), testing.sample_motion(FRAMES), out, **how)


def child(out: Path, *, generator: str = "warp", again: bool = False, **how) -> subprocess.Popen:
    """A process that renders to `out`, once or again and again; it says ready and done."""
    code = RENDER.format(frames=FRAMES, generator=generator)
    words = [sys.executable, "-c", code, str(out), *(["again"] if again else [])]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def frames_of(path: Path) -> int:
    """How many frames a result holds; fails where it is not whole."""
    if path.is_dir():
        names = sorted(one.name for one in path.iterdir())
        pictures = [name for name in names if name.endswith(".png")]
        assert json.loads((path / "provenance.json").read_text())["num_frames"] == len(pictures)
        assert all(cv2.imread(str(path / name)) is not None for name in pictures)
        return len(pictures)
    return sum(len(batch) for batch in media.read_frames(media.probe(path)))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


# --- killed -----------------------------------------------------------------------------------------------------------


def kill_at_random(folder: Path, ending: str, seed: int) -> None:
    """Kills a process that replaces a result again and again; what lies there is whole, and the next start cleans up."""
    out, foreign = folder / f"result{ending}", folder / ".theirs.part.mp4"
    foreign.write_bytes(b"of somebody else")
    with child(out, again=True) as process:
        assert process.stdout.readline() == "ready\n" and process.stdout.readline() == "done\n"
        time.sleep(random.Random(seed).uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    if out.exists():  # a folder may be caught between two names; its next start brings it back
        assert frames_of(out) == FRAMES
    else:
        assert not ending
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} <= {out.name}
    assert animate(out, overwrite=True).num_frames == FRAMES == frames_of(out)
    assert hidden(folder) == [foreign.name] and foreign.read_bytes() == b"of somebody else"


def test_a_killed_render_leaves_a_whole_result_or_none(tmp_path):
    kill_at_random(tmp_path, ".mp4", seed=int(time.time()))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("seed", range(8))
def test_killed_at_many_moments(tmp_path, ending, seed):
    kill_at_random(tmp_path, ending, seed)


@pytest.mark.slow
def test_killed_in_the_middle_of_the_first_frames(tmp_path):
    """Nothing has the final name, and neither has what the generator does to its own process."""
    out = tmp_path / "result.mp4"
    with child(out, generator="dies") as process:
        assert process.wait() == -signal.SIGKILL
    assert not out.exists() and hidden(tmp_path), "it was killed before it wrote anything"
    animate(out)
    assert [path.name for path in tmp_path.iterdir()] == [out.name] and frames_of(out) == FRAMES


def test_a_claim_ends_with_its_process(tmp_path):
    lock = tmp_path / ".result.mp4.lock"
    code = f"import time; from visiongen.claims import claim; c = claim({str(lock)!r}); print('held', flush=True); "
    code = code.replace(repr(str(lock)), f"__import__('pathlib').Path({str(lock)!r})") + "time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert is_claimed(lock) and claim(lock) is None
        with pytest.raises(MediaError, match=rf"written by another render \(process {process.pid}\)"):
            with claimed(tmp_path / "result.mp4"):
                raise AssertionError
        process.kill()
    assert lock.exists() and not is_claimed(lock)
    with claimed(tmp_path / "result.mp4"):
        assert is_claimed(lock)
    assert not lock.exists()


def test_only_one_of_many_has_the_claim(tmp_path):
    lock, inside, most = lock_file(tmp_path / "a"), [], []

    def work():
        for _ in range(200):
            if (mine := claim(lock)) is not None:
                inside.append(1)
                most.append(len(inside))
                inside.pop()
                mine.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert set(most) == {1} and not lock.exists()


def test_scratch_of_killed_processes_is_removed_and_that_of_living_ones_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "from visiongen.scratch import scratch_folder\nwith scratch_folder() as f: print(f, flush=True); input()"
    start = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(start, env={**os.environ, "TMPDIR": str(tmp_path)}, **pipes) as process:
        theirs = Path(process.stdout.readline().strip())
        assert theirs.parent == tmp_path and remove_leftovers(tmp_path) == 0 and theirs.is_dir()
        process.kill()
    (tmp_path / "visiongen-work-link").symlink_to(FAULTS)
    with scratch_folder() as mine:
        assert mine.is_dir() and not theirs.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["visiongen-work-link"] and FAULTS.is_dir()


# --- the same result asked for twice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_result_twice_at_once(tmp_path, monkeypatch, ending):
    """The second one is refused in a sentence, and the first one is not touched."""
    out, go = tmp_path / f"result{ending}", tmp_path / "go"
    monkeypatch.setenv("FAULTS_GO", str(go))
    testing.sample_motion(FRAMES)
    first = threading.Thread(target=animate, args=(out,), kwargs={"generator": "slow"})
    first.start()
    try:
        while not Path(f"{go}.waits").exists():
            time.sleep(0.01)
        with pytest.raises(MediaError, match="being written by another render"):
            animate(out, overwrite=True)
        assert not out.exists()
    finally:
        go.touch()
        first.join()
    assert frames_of(out) == FRAMES and not hidden(tmp_path)


def test_two_formats_of_one_name_do_not_mix_their_sound(tmp_path):
    """A film with sound as MP4 and as WebM, side by side in one folder: both have sound."""
    motion = testing.sample_motion(FRAMES)
    assert motion.clip.has_audio
    threads = [threading.Thread(target=animate, args=(tmp_path / f"a{end}",)) for end in (".mp4", ".webm")]
    names: set[str] = set()
    [thread.start() for thread in threads]
    while any(thread.is_alive() for thread in threads):
        names |= {name for name in os.listdir(tmp_path) if name.endswith(".wav")}
    assert all(any(end in name for name in names) for end in (".mp4", ".webm")), "each has its own file for the sound"
    assert all(media.probe(tmp_path / f"a{end}").has_audio for end in (".mp4", ".webm"))


# --- no room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"), GPU),
        (RuntimeError("CUDA error: out of memory"), GPU),
        (MemoryError(), RAM),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
            RAM,
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), RAM),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; make room or choose another one"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk may only be read; choose another one"),
        (OSError(errno.ENOENT, "No such file"), None),
        (RuntimeError("out of luck"), None),
        (ValueError("cannot allocate memory"), None),
    ],
)
def test_what_ran_out_is_told(error, says):
    assert shortage(error) == says
    wrapped = PluginError("x")
    wrapped.__cause__ = error
    assert shortage(wrapped) == says


def test_opencv_and_torch_say_it_the_way_we_think():
    with pytest.raises(cv2.error) as caught:
        cv2.resize(np.zeros((1, 1), np.uint8), (1 << 30, 1 << 30))
    assert shortage(caught.value) == RAM
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert shortage(caught.value) == RAM


@pytest.mark.parametrize(("generator", "says"), [("gpu-full", GPU), ("memory-full", RAM)])
def test_memory_that_runs_out_is_one_sentence_and_leaves_nothing(tmp_path, generator, says):
    with pytest.raises(PluginError) as caught:
        animate(tmp_path / "a.mp4", generator=generator)
    message = f"generator '{generator}' of visiongen-faults 1.0 failed after 2 of {FRAMES} frames: {says}"
    assert str(caught.value) == message and not os.listdir(tmp_path)


def limited_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))


def command(*words: object, **how) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "visiongen.cli", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, **how)


@pytest.mark.slow
def test_a_full_disk_on_the_command_line(tmp_path):
    """No file may become larger than 20 kB; the command ends with one sentence and leaves nothing."""
    words = [
        sample("cartoon.png"),
        sample("driving.mp4"),
        "-o",
        tmp_path / "a.mp4",
        "--generator",
        "warp",
        "--end",
        0.4,
    ]
    done = command("animate", *words, preexec_fn=limited_files)
    assert done.returncode == 1 and not os.listdir(tmp_path)
    assert done.stderr.strip().splitlines()[-1].startswith("visiongen: ") and "larger than the disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_may_only_be_read(tmp_path):
    """For root, who may write anywhere, it is a disk that may only be read."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root:
        mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(tmp_path)]
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("needs the right to mount a disk that may only be read")
    else:
        tmp_path.chmod(0o555)
    try:
        with pytest.raises(MediaError, match=r"a\.mp4|may not be written to|may only be read") as caught:
            animate(tmp_path / "a.mp4")
        with pytest.raises(MediaError, match="cannot write the motion template"):
            visiongen.save_motion(testing.sample_motion(FRAMES), tmp_path / "m.npz")
        assert "\n" not in str(caught.value) and not os.listdir(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True) if is_root else tmp_path.chmod(0o755)


# --- inputs and helpers that vanish -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["landmarks", "render"])
def test_the_clip_is_deleted_while_it_is_used(tmp_path, stage):
    """Either the work is done, since what was open stays readable, or one sentence names the file; nothing half."""
    driving, out = tmp_path / "clip.mp4", tmp_path / "a.mp4"
    shutil.copy(sample("driving.mp4"), driving)

    def progress(now, done, total):
        if now == stage:
            driving.unlink(missing_ok=True)

    def work():
        return visiongen.animate(
            sample("cartoon.png"), driving, out, generator="warp", end=0.4, device="cpu", progress=progress
        )

    if stage == "render":
        assert work().num_frames == frames_of(out) == 10
    else:
        with pytest.raises(MediaError, match=r"clip\.mp4"):
            work()
    assert not driving.exists() and not hidden(tmp_path) and out.exists() == (stage == "render")


def children(of: int, name: str) -> list[int]:
    """Process ids below `of` whose program is called so."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        program, parent = text[text.index("(") + 1 : text.rindex(")")], int(text.rpartition(")")[2].split()[1])
        if parent == of and program.startswith(name):
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_ffmpeg_dies_while_it_reads_the_sound(tmp_path, monkeypatch):
    """The film is whole."""
    go, out, before = tmp_path / "go", tmp_path / "a.mp4", set(children(os.getpid(), "ffmpeg"))
    monkeypatch.setenv("FAULTS_GO", str(go))
    testing.sample_motion(FRAMES)
    work = threading.Thread(target=animate, args=(out,), kwargs={"generator": "slow"})
    work.start()
    while not Path(f"{go}.waits").exists():
        time.sleep(0.01)
    killed, begun = set(), time.monotonic()
    while not killed and time.monotonic() < begun + 20:  # the sound is begun when the first frame is written
        killed = set(children(os.getpid(), "ffmpeg")) - before
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    go.touch()
    work.join()
    assert killed, "no ffmpeg was at work"
    assert frames_of(out) == FRAMES
    assert not set(children(os.getpid(), "ffmpeg")) - before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_sound_that_breaks_off_is_told(tmp_path, caplog):
    before = set(children(os.getpid(), "ffmpeg"))
    with cut_sound(media.probe(sample("driving.mp4")), tmp_path / "a.mp4") as ready:
        blocks = ready()
        next(blocks)
        for pid in set(children(os.getpid(), "ffmpeg")) - before:
            os.kill(pid, signal.SIGKILL)
        assert list(blocks)
    assert "breaks off" in caplog.text and not os.listdir(tmp_path)


# --- evaluations ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """A manifest of three pieces of work on one small clip."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "head.mp4", moving_head(6))
    names = [{"clip": "head.mp4", "name": name} for name in "abc"]
    (folder / "m.json").write_text(json.dumps({"clips": names}))
    return folder / "m.json"


def evaluation(manifest: Path, out: Path, *more: object) -> list[str]:
    words = ["evaluate", manifest, "--methods", "copy", "warp", "--metrics", "l1", "--skip-ceiling", "--out", out]
    return [sys.executable, "-m", "visiongen.cli", *map(str, [*words, "--device", "cpu", *more])]


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_where_it_was(clips, tmp_path):
    out = tmp_path / "out"
    with subprocess.Popen(evaluation(clips, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (out / "films" / "a.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert not (out / "report.html").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "films").iterdir() if path.name.startswith("a.")}
    assert len(kept) == 3
    assert cli.main(evaluation(clips, out)[3:]) == 0
    assert len(json.loads((out / "figures.json").read_text())["clips"]) == 3
    assert {name: (out / "films" / name).stat().st_mtime_ns for name in kept} == kept, "nothing is made twice"
    assert not hidden(out / "films") and not hidden(out)


@pytest.mark.slow
def test_workers_of_an_evaluation_do_not_outlive_it_and_a_killed_one_is_told(clips, tmp_path):
    start = evaluation(clips, tmp_path / "out", "--workers", 2)
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len(workers := children(process.pid, "python")) < 3:  # two workers and multiprocessing's own helper
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        until = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
            time.sleep(0.1)
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len(workers := children(process.pid, "python")) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(max(workers), signal.SIGKILL)
        _, errors = process.communicate()
    assert process.returncode == 1 and "run the same command again" in errors and "Traceback" not in errors


@pytest.mark.slow
def test_an_evaluation_on_a_full_disk_says_so(clips, tmp_path):
    done = subprocess.run(evaluation(clips, tmp_path / "out"), capture_output=True, text=True, preexec_fn=limited_files)
    assert done.returncode == 1 and "cannot be written" in done.stderr and "Traceback" not in done.stderr
