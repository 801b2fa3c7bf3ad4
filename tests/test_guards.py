"""Plugins that go wrong while they work cost one sentence that names them, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import moving_head, write_clip

import visiongen
from visiongen import guards, plugins, testing
from visiongen.cli import main
from visiongen.errors import MediaError, PluginError
from visiongen.samples import PORTRAIT, sample

FAKES = Path(__file__).parent / "fake_plugins"


@pytest.fixture(autouse=True)
def at_work(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES / "at_work")])
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "at-work")
    plugins._host.cache_clear()
    yield
    plugins._host.cache_clear()


def animate(out: Path, **how) -> visiongen.Animation:
    # The picture is taken as it is: `animate` fits the motion anew.
    return visiongen.animate(
        testing.sample_portrait(96), testing.sample_motion(5), out, **{"generator": "warp", "full": False, **how}
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("crashes", "failed after 2 of 5 frames: RuntimeError: out of luck"),
        ("crashes-at-once", "failed before its first frame: KeyError: 'nothing'"),
        ("exits", "failed after 1 of 5 frames: SystemExit: good bye"),
        ("too-few", "gave 4 frames, but 5 were asked for"),
        ("too-many", "gave more than the 5 frames that were asked for"),
        ("none-at-all", "gave 0 frames, but 5 were asked for"),
        ("small", "px instead of"),
        ("flat", "failed after 0 of 5 frames: ValueError: pixels must have shape"),
        ("arrays", "after 0 frames, which is no FrameBatch"),
        ("no-iterator", "gave 7, which is no iterator of FrameBatch"),
        ("late", "gave time 1 s to frame 0, not 0 s"),
    ],
)
def test_a_generator_that_goes_wrong_is_named(tmp_path, name, found):
    with pytest.raises(PluginError) as caught:
        animate(tmp_path / "a.png.mp4", generator=name)
    assert str(caught.value).startswith(f"generator '{name}' of visiongen-at-work 1.0 ") and found in str(caught.value)
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [("doubling", "gave more than the 5 frames"), ("dividing", "failed after . of 5 frames: ZeroDivisionError")],
)
def test_an_enhancer_that_goes_wrong_is_named(tmp_path, name, found):
    with pytest.raises(PluginError, match=f"^enhancer '{name}' of visiongen-at-work 1.0 {found}"):
        animate(tmp_path / "a.mp4", enhancers=["sharpen", name, "colour"])
    assert list(tmp_path.iterdir()) == []


def test_a_generator_is_not_blamed_on_the_enhancer_after_it(tmp_path):
    with pytest.raises(PluginError, match=r"^generator 'crashes'"):
        animate(tmp_path / "a.mp4", generator="crashes", enhancers=["deflicker"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("liar", "says that it wrote 5 frames to .*, but there is no such file"),
        ("silent", "returned None, not the number of frames it wrote"),
        ("lazy", "took only . of 5 frames"),
        ("crashing", r"failed while it wrote a\.crashing: IndexError: list index out of range"),
    ],
)
def test_an_exporter_that_goes_wrong_is_named(tmp_path, name, found):
    with pytest.raises(PluginError, match=f"^exporter '{name}' of visiongen-at-work 1.0 {found}"):
        animate(tmp_path / f"a.{name}")


@pytest.mark.parametrize(
    ("name", "found"),
    [("not-a-motion", "gave {} for a.not-a-motion, which is no MotionTrack"), ("raising", "ValueError: no idea")],
)
def test_a_motion_source_that_goes_wrong_is_named(tmp_path, name, found):
    with pytest.raises(PluginError) as caught:
        visiongen.extract_motion(tmp_path / f"a.{name}")
    assert str(caught.value).startswith(f"motion-source '{name}' of visiongen-at-work 1.0 ")
    assert found in str(caught.value)


class Stop(Exception):
    """What a caller's progress function raises."""


@pytest.mark.parametrize("out", ["a.mp4", "a.gif", "frames"])
def test_stopping_is_nobodys_fault(tmp_path, out):
    def progress(stage, done, total):
        raise Stop

    with pytest.raises(Stop):
        animate(tmp_path / out, progress=progress, enhancers=["sharpen"])
    assert list(tmp_path.iterdir()) == []


def test_errors_meant_for_the_user_pass_as_they_are():
    with pytest.raises(MediaError, match=r"^no room$"):
        with guards.plugin_errors("exporter 'x'", "failed"):
            raise MediaError("no room")


def test_motions_that_cannot_be_are_refused():
    motion = testing.sample_motion(5)
    assert guards.check_motion(motion, Path("a"), who="x") is motion
    faults = {
        "not finite": {"offsets": np.full((5, 478, 3), np.nan)},
        "orthonormal": {"rotation": -motion.rotation},
        "rise": {"times": motion.times[::-1]},
        "positive": {"face_width": 0.0},
    }
    for found, change in faults.items():
        with pytest.raises(PluginError, match=found):
            guards.check_motion(replace(motion, **change), Path("a"), who="x")


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_an_endless_loop_can_be_stopped(tmp_path, signum, code):
    folder, hangs = tmp_path / "results", tmp_path / "hangs"
    folder.mkdir()
    visiongen.save_motion(testing.sample_motion(5), tmp_path / "motion.npz")
    inputs = [str(sample(PORTRAIT)), str(tmp_path / "motion.npz"), "-o", str(folder / "a.mp4")]
    process = subprocess.Popen(
        [sys.executable, "-m", "visiongen.cli", "animate", *inputs, "--generator", "hangs", "--crop"],
        env=os.environ | {"PYTHONPATH": str(FAKES / "at_work"), "AT_WORK_HANGS": str(hangs)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    try:
        deadline = time.monotonic() + 90
        while not hangs.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signum)
        assert process.wait(timeout=60) == code
    finally:
        process.kill()
        process.wait()
    assert list(folder.iterdir()) == []


def test_metrics_that_go_wrong_cost_only_their_own_numbers(tmp_path):
    clip = tmp_path / "head.mp4"
    write_clip(clip, moving_head(6))
    names = ("no-start", "no-add", "says-text", "says-list", "quits", "not-together")
    assert set(names) <= set(plugins.metrics())
    out = tmp_path / "out"
    flags = ["--methods", "copy", "--metrics", "l1", *names, "--out", str(out), "--skip-ceiling"]
    assert main(["evaluate", str(clip), *flags]) == 0
    figures = json.loads((out / "figures.json").read_text())
    assert figures["failures"] == {} and figures["summary"]["copy"]["l1"]["n"] == 1
    failed = figures["failed_metrics"]
    assert set(failed) == set(names)
    assert "LookupError: no model" in failed["no-start"] and "one over nothing" in failed["no-add"]
    assert "good bye" in failed["quits"] and "on all films together" in failed["not-together"]
    assert set(figures["summary"]["copy"]) == {"l1", "not_together"}  # what it said of single films stays
    for page in ("table.md", "report.html"):
        assert "metric &#x27;no-add&#x27;" in (text := (out / page).read_text()) or "metric 'no-add'" in text
    # A fault is not kept as a result: the next run asks again.
    kept = json.loads((out / "films" / "head.json").read_text())
    assert kept["methods"]["copy"]["score_key"] is None
