"""Batches as a user runs them: what is wrong is said before anything starts, a bad job costs itself, a stop costs little."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from visiongen import cli, media, plugins, save_motion, testing
from visiongen.batch.command import BatchFlags, defaults_of
from visiongen.batch.engines import Crew, LocalEngine, Outcome
from visiongen.batch.journal import Journal, job_key
from visiongen.batch.manifest import read_manifest
from visiongen.batch.run import Places, run_batch
from visiongen.batch.values import check_values, converted, known_options, option_name
from visiongen.errors import MediaError, VisionGenError
from visiongen.samples import sample

FAULTS = Path(__file__).parent / "fault_plugin"
FRAMES = 5
QUICK = {"generator": "warp", "crop": True, "size": 64, "device": "cpu"}


@pytest.fixture
def folder(tmp_path):
    """A picture, a short motion, and no results."""
    (tmp_path / "a.jpg").write_bytes(sample("astronaut.jpg").read_bytes())
    save_motion(testing.sample_motion(FRAMES), tmp_path / "m.npz")
    return tmp_path


@pytest.fixture
def faults(monkeypatch):
    """The generators of tests/fault_plugin, here and in workers."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAULTS)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(FAULTS)])))
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "faults")
    plugins._host.cache_clear()
    yield
    plugins._host.cache_clear()


def manifest(folder: Path, *rows: dict, name: str = "jobs.json") -> Path:
    """Rows with the folder's picture and motion where they name no others."""
    path = folder / name
    path.write_text(json.dumps([{"portrait": "a.jpg", "driving": "m.npz", **row} for row in rows]))
    return path


def read(path: Path, **defaults):
    return read_manifest(path, defaults={**QUICK, **defaults}, known=known_options())


def done(path: Path, crew: Crew | None = None, **defaults) -> list[dict]:
    """The jobs of a manifest as in the report, after they were done."""
    engine = LocalEngine(crew or Crew(cpu=True))
    places = Places(report=path.with_suffix(".report.json"))
    return run_batch(read(path, **defaults), engine, places, about={"engine": "local"})


def frames_of(path: Path) -> int:
    return sum(len(batch) for batch in media.read_frames(media.probe(path)))


# --- values -----------------------------------------------------------------------------------------------------------


def test_every_flag_of_animate_is_an_option():
    known = known_options()
    assert {"size", "reference_frame", "enhancers", "pose", "vae-gan.weights"} <= set(known.types)
    assert option_name("reference-frame", known) == option_name(" Reference_Frame ", known) == "reference_frame"
    with pytest.raises(VisionGenError, match="did you mean 'smoothing'"):
        option_name("smothing", known)


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("size", "256", 256),
        ("end", "1.5", 1.5),
        ("end", None, None),
        ("crop", "yes", True),
        ("crop", "0", False),
        ("reference_frame", "auto", "auto"),
        ("reference_frame", "7", 7),
        ("enhancers", "colour; sharpen", ["colour", "sharpen"]),
        ("device", "cpu", "cpu"),
    ],
)
def test_texts_become_values(name, text, value):
    assert converted(name, text, known_options()) == value


@pytest.mark.parametrize(
    "name, text", [("size", "big"), ("size", 1.5), ("end", "nan"), ("crop", "maybe"), ("device", "tpu"), ("seed", True)]
)
def test_what_is_no_value_is_said(name, text):
    with pytest.raises(VisionGenError, match=f"^{name} is .* but must be "):
        converted(name, text, known_options())


def test_a_job_is_checked_as_a_whole():
    values = {"portrait": "a.jpg", "driving": "m.npz", "out": "x.mp4"}
    assert check_values({**values, "pose": 0.5, "crop": True}, known_options())["settings"].pose == 0.5
    for wrong in (
        {"pose": 7.0},
        {"mp4.crf": 99},
        {"generator": "none"},
        {"out": "x.xyz"},
        {"full": True, "crop": True},
    ):
        with pytest.raises(VisionGenError):
            check_values({**values, **wrong}, known_options())


# --- manifests --------------------------------------------------------------------------------------------------------


def test_csv_and_json_say_the_same(folder):
    as_json = manifest(folder, {"out": "x.mp4", "end": 0.2}, {"out": "y.gif", "size": 96})
    (folder / "jobs.csv").write_text(
        "\ufeffPortrait,driving,out,end,size\na.jpg,m.npz,x.mp4,0.2,\na.jpg,m.npz,y.gif,,96\n", encoding="utf-8"
    )
    first, second = read(as_json), read(folder / "jobs.csv")
    assert [row.values for row in first] == [row.values for row in second]
    assert [row.values["size"] for row in first] == [64, 96]
    assert all(Path(row.values["portrait"]).is_absolute() for row in first)


def test_options_of_components_count_where_they_are_used(folder):
    rows = read(manifest(folder, {"out": "x.mp4"}, {"out": "y.gif"}), **{"mp4.crf": 30})
    assert [row.values.get("mp4.crf") for row in rows] == [30, None]


@pytest.mark.parametrize(
    "row, words",
    [
        ({}, "row 2: no out"),
        ({"out": "y.mp4", "sise": 4}, "row 2: there is no option 'sise'; did you mean 'size'"),
        ({"out": "y.mp4", "size": "x"}, "row 2: size is 'x', but must be a whole number"),
        ({"out": "y.mp4", "portrait": "b.jpg"}, "row 2: portrait b.jpg not found"),
        ({"out": "../y.mp4"}, "row 2: out ../y.mp4 is outside of the manifest's folder"),
        ({"out": "sub/../x.mp4"}, "row 2: out .*x.mp4 is also written by row 1"),
        ({"out": "a.jpg", "exporter": "mp4"}, "row 2: out .* would overwrite an input"),
        ({"out": "y.mp4", "gif.colours": 8}, "row 2: .*gif"),
        ({"out": "y.mp4", "generator": "wrap"}, "row 2: no generator named 'wrap'"),
        ({"out": "y.mp4", "pose": 9}, "row 2: motion settings: pose"),
    ],
)
def test_what_is_wrong_is_said_with_its_row_before_anything_starts(folder, row, words):
    path = manifest(folder, {"out": "x.mp4"}, row)
    with pytest.raises(MediaError, match=words):
        read(path)
    assert not (folder / "x.mp4").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", "{", '{"jobs": {}}', "[" * 9000])
def test_what_is_no_manifest_is_said(folder, text):
    path = folder / "jobs.json"
    path.write_text(text)
    with pytest.raises(MediaError, match=r"jobs\.json"):
        read(path)


def test_the_command_line_gives_defaults(folder):
    import tyro

    from visiongen.animate_command import parser_type

    known = known_options()
    arguments = ["jobs.json", "--size", "64", "--crop", "--enhancers", "sharpen", "--mp4.crf", "30", "--workers", "2"]
    flags = tyro.cli(parser_type(known.groups, BatchFlags), args=arguments)
    assert defaults_of(flags, known) == {"size": 64, "crop": True, "enhancers": ["sharpen"], "mp4.crf": 30}


def test_wrong_rows_end_the_command_with_one_sentence(folder, capsys):
    assert cli.main(["batch", str(manifest(folder, {"out": "x.mp4", "size": 3}))]) == 1
    assert "row 1" in capsys.readouterr().err


# --- journal ----------------------------------------------------------------------------------------------------------


def test_the_journal_knows_what_is_done(folder):
    (row,) = read(manifest(folder, {"out": "x.mp4"}))
    path, key = folder / "j.jsonl", job_key(row.values)
    with Journal(path) as journal:
        journal.begin(row.out, key)
        row.out.write_bytes(b"result")
        journal.end(row.out, key, "done", frames=3)
        with pytest.raises(MediaError, match="another batch"):
            Journal(path)
    with path.open("a") as file:
        file.write('{"state": "done", "out": "cut o')  # killed in the middle of a line
    with Journal(path) as journal:
        assert journal.is_done(row.out, key)["frames"] == 3
        assert journal.is_done(row.out, "other") is None
        journal.begin(folder / "z.mp4", "k")
        row.out.write_bytes(b"somebody else's")
        assert journal.is_done(row.out, key) is None and not journal.is_ours(row.out)
    assert json.loads(path.read_text().splitlines()[-1])["out"].endswith("z.mp4")


def test_a_key_changes_with_inputs_and_options_only(folder):
    first, again, other = read(manifest(folder, {"out": "x.mp4"}, {"out": "y.mp4"}, {"out": "z.mp4", "pose": 0.5}))
    assert job_key(first.values) == job_key(again.values) != job_key(other.values)
    before = job_key(first.values)
    (folder / "a.jpg").write_bytes(sample("astronaut.jpg").read_bytes() + b"\0")
    assert job_key(first.values) != before


class Counting:
    """An engine that only writes files: what `run_batch` asks of it is seen."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.asked: list[str] = []
        self._fails_at = fails_at

    def outcomes(self, rows):
        for row in rows:
            self.asked.append(row.out.name)
            yield Outcome(row=row, state="begun")
            if len(self.asked) == self._fails_at:
                row.out.write_bytes(b"written, but not noted down")
                raise KeyboardInterrupt
            row.out.write_bytes(b"x")
            yield Outcome(row=row, state="done", made={"frames": 1})


def test_a_stopped_batch_goes_on_where_it_was(folder):
    path = manifest(folder, *({"out": f"{name}.mp4"} for name in "abc"))
    places = Places(report=folder / "r.json")
    with pytest.raises(KeyboardInterrupt):
        run_batch(read(path), Counting(fails_at=2), places, about={})
    report = json.loads((folder / "r.json").read_text())
    assert [job["state"] for job in report["jobs"]] == ["done", "stopped", "stopped"]
    engine = Counting()
    jobs = run_batch(read(path), engine, places, about={})
    assert engine.asked == ["b.mp4", "c.mp4"]
    assert [job["state"] for job in jobs] == ["skipped", "done", "done"]
    run_batch(read(path), engine := Counting(), places, about={})
    assert engine.asked == []


# --- real workers -----------------------------------------------------------------------------------------------------


def test_a_batch_with_a_bad_job(folder):
    """The good ones are made by one warm process, the bad one is told with its reason, and all of it is reported."""
    (folder / "b.jpg").write_bytes(b"no picture")
    path = manifest(folder, {"out": "o/x.mp4"}, {"out": "y.mp4", "portrait": "b.jpg"}, {"out": "z.gif"})
    jobs = done(path)
    assert [job["state"] for job in jobs] == ["done", "failed", "done"]
    assert "b.jpg is not a picture" in jobs[1]["error"] and jobs[1]["attempts"] == 1
    assert frames_of(folder / "o/x.mp4") == FRAMES == jobs[2]["frames"]
    assert jobs[2]["seconds"] < jobs[0]["seconds"]  # the first one waits for libraries
    with (folder / "jobs.report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done", "failed", "done"] and rows[0]["width"] == "64"
    assert not [one for one in folder.iterdir() if one.name.startswith(".")]


@pytest.mark.slow
def test_a_job_that_kills_its_process_costs_only_itself(folder, faults):
    path = manifest(folder, {"out": "x.mp4"}, {"out": "y.mp4", "generator": "dies"}, {"out": "z.mp4"})
    jobs = done(path, Crew(cpu=True, retries=1))
    assert [job["state"] for job in jobs] == ["done", "failed", "done"]
    assert "SIGKILL" in jobs[1]["error"] and jobs[1]["attempts"] == 2


@pytest.mark.slow
def test_a_job_that_takes_too_long_is_given_up(folder, faults, monkeypatch):
    monkeypatch.setenv("FAULTS_GO", str(folder / "never"))
    path = manifest(folder, {"out": "x.mp4", "generator": "slow"}, {"out": "y.mp4"})
    jobs = done(path, Crew(cpu=True, retries=0, job_seconds=25))
    assert [job["state"] for job in jobs] == ["failed", "done"]
    assert "longer than 25 s" in jobs[0]["error"]


@pytest.mark.slow
def test_workers_are_replaced_and_memory_does_not_grow(folder):
    path = manifest(folder, *({"out": f"{number}.mp4"} for number in range(30)))
    jobs = done(path, Crew(cpu=True, workers=1, recycle=1000))
    memory = [job["memory_mb"] for job in jobs]
    assert max(memory[15:]) < 1.05 * max(memory[5:15])
    again = manifest(folder, *({"out": f"again-{number}.mp4"} for number in range(3)), name="again.json")
    fresh = done(again, Crew(cpu=True, recycle=1))
    assert all(job["state"] == "done" for job in fresh)
    assert min(job["seconds"] for job in fresh) > max(job["seconds"] for job in jobs[5:]) / 2


def command(path: Path) -> subprocess.Popen:
    """The command as a terminal starts it; what runs in the background may have been told to ignore Ctrl-C."""
    words = [sys.executable, "-m", "visiongen.cli", "batch", str(path), "--crop", "--size", "64", "--device", "cpu"]
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for names in found for child in names]


def wait_for(path: Path) -> None:
    until = time.monotonic() + 90
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_ctrl_c_a_killed_worker_and_a_killed_batch(folder, faults, monkeypatch):
    """Each of them in the middle of a job: nothing half-written stays, nothing done is done again, no process is left."""
    go, waits = folder / "go", folder / "go.waits"
    monkeypatch.setenv("FAULTS_GO", str(go))
    path = manifest(folder, {"out": "x.mp4", "generator": "warp"}, {"out": "y.mp4", "generator": "slow"})
    for end in (signal.SIGINT, signal.SIGKILL):
        with command(path) as process:
            wait_for(waits)
            workers = children(process.pid)
            os.kill(process.pid, end)
            process.communicate(timeout=60)
        assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL)
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
            time.sleep(0.05)
        assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)
        assert frames_of(folder / "x.mp4") == FRAMES and not (folder / "y.mp4").exists()
        waits.unlink()
    made = (folder / "x.mp4").stat().st_mtime_ns
    with command(path) as process:
        wait_for(waits)
        go.touch()  # for the second attempt
        os.kill(children(process.pid)[0], signal.SIGKILL)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    report = json.loads((folder / "jobs.report.json").read_text())
    assert [job["state"] for job in report["jobs"]] == ["skipped", "done"] and report["jobs"][1]["attempts"] == 2
    assert frames_of(folder / "y.mp4") == FRAMES and (folder / "x.mp4").stat().st_mtime_ns == made
    assert not [one.name for one in folder.iterdir() if one.name.startswith(".")]


@pytest.mark.slow
def test_a_local_ray_cluster_does_the_same(folder, faults):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'visiongen[ray]'")
    from visiongen.batch.ray_engine import RayEngine

    rows = [{"out": "x.mp4"}, {"out": "y.mp4", "generator": "dies"}, {"out": "z.mp4", "portrait": "b.jpg"}]
    (folder / "b.jpg").write_bytes(b"no picture")
    path = manifest(folder, *rows, {"out": "w.mp4"})
    places = Places(report=folder / "r.json")
    jobs = run_batch(read(path), RayEngine(Crew(workers=2, cpu=True)), places, about={"engine": "ray"})
    assert [job["state"] for job in jobs] == ["done", "failed", "failed", "done"]
    assert [job["attempts"] for job in jobs] == [1, 2, 1, 1]
    assert "actor was ended" in jobs[1]["error"] and "not a picture" in jobs[2]["error"]
    assert frames_of(folder / "w.mp4") == FRAMES
