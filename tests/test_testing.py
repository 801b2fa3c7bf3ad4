"""The contract tests: all built-in components pass them, and every rule is broken once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from builders import moving_head, write_clip

from visiongen import Component, FrameBatch, MediaError, WeightsError, hookspecs, plugins, save_motion, testing
from visiongen.testing import BrokenContract

BUILT_IN = plugins.build_manager(installed=()).components


def component(kind: str, made, name: str = "faulty", **fields) -> Component:
    return Component(name=name, summary="", load=lambda options, *, device: made, **fields)


def rule_broken(assert_contract, kind: str, made, *arguments, **fields) -> str:
    with pytest.raises(BrokenContract) as caught:
        assert_contract(component(kind, made, **fields), *arguments)
    message = str(caught.value)
    assert message.startswith(f"{kind} 'faulty' breaks the rule \"") and '": ' in message
    return message


# --- the built-ins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN["generator"])
def test_built_in_generators_keep_the_contract(name):
    testing.assert_generator_contract(BUILT_IN["generator"][name])


@pytest.mark.parametrize("name", BUILT_IN["enhancer"])
def test_built_in_enhancers_keep_the_contract(name):
    testing.assert_enhancer_contract(BUILT_IN["enhancer"][name])


@pytest.mark.parametrize("name", BUILT_IN["exporter"])
def test_built_in_exporters_keep_the_contract(name):
    testing.assert_exporter_contract(BUILT_IN["exporter"][name])


@pytest.mark.parametrize("name", BUILT_IN["metric"])
def test_built_in_metrics_keep_the_contract(name):
    try:
        testing.assert_metric_contract(BUILT_IN["metric"][name])
    except WeightsError as error:
        pytest.skip(str(error))


def test_the_video_source_keeps_the_contract(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", moving_head(6))
    testing.assert_motion_source_contract(BUILT_IN["motion-source"]["video"], clip)


def test_the_template_source_keeps_the_contract(tmp_path):
    save_motion(testing.sample_motion(), tmp_path / "template.npz")
    testing.assert_motion_source_contract("template", tmp_path / "template.npz")


@pytest.mark.parametrize("module", plugins.BUILT_INS)
def test_built_in_plugins_are_light(module):
    testing.assert_light_plugin(module)


# --- the inputs -------------------------------------------------------------------------------------------------------


def test_the_samples_belong_together():
    portrait, motion = testing.sample_job(5)
    assert max(portrait.image.shape) == 160 and len(motion) == 5 and motion.clip is not None
    assert motion.visible.all() and np.allclose(np.diff(motion.times), 1 / float(motion.clip.fps))
    batches = testing.sample_batches(5, height=60, width=80)
    assert [batch.pixels.shape for batch in batches] == [(3, 60, 80, 3), (2, 60, 80, 3)]
    eyes = testing.sample_landmarks(5, height=60, width=80)[:, [33, 263]]
    assert ((eyes[..., :2] > 0) & (eyes[..., :2] < [80, 60])).all() and (eyes[:, 0, 0] < eyes[:, 1, 0]).all()


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, visiongen.testing as t; dir(t); print(*({'torch', 'mediapipe', 'av', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- broken generators ------------------------------------------------------------------------------------------------


class Still:
    """A sound generator, to be spoilt."""

    def render(self, portrait, motion):
        for time in motion.times:
            yield FrameBatch(pixels=portrait.crop[None], times=[time])


def spoilt(render) -> object:
    return type("Spoilt", (Still,), {"render": render})()


def too_few(self, portrait, motion):
    yield from list(Still().render(portrait, motion))[1:]


def endless(self, portrait, motion):
    while True:
        yield FrameBatch(pixels=portrait.crop[None], times=[0.0])


def halved(self, portrait, motion):
    for batch in Still().render(portrait, motion):
        yield replace(batch, pixels=batch.pixels[:, ::2, ::2])


def bare(self, portrait, motion):
    for batch in Still().render(portrait, motion):
        yield batch.pixels


def at_once(self, portrait, motion):
    yield FrameBatch(pixels=np.repeat(portrait.crop[None], len(motion), 0), times=motion.times)


def listed(self, portrait, motion):
    return list(Still().render(portrait, motion))


def moody(self, portrait, motion):
    self.mood = getattr(self, "mood", 0) + 50
    for batch in Still().render(portrait, motion):
        yield replace(batch, pixels=np.full_like(batch.pixels, self.mood))


def shared(self, portrait, motion):
    self.portrait = portrait
    for time in motion.times:
        yield FrameBatch(pixels=self.portrait.crop[None], times=[time])


def picky(self, portrait, motion):
    if len(motion) == 1:
        raise ZeroDivisionError("no second frame")
    yield from Still().render(portrait, motion)


def greedy(self, portrait, motion):
    assert motion.clip.path.exists()
    yield from Still().render(portrait, motion)


def test_a_sound_generator_passes():
    testing.assert_generator_contract(component("generator", Still(), "still"))


@pytest.mark.parametrize(
    ("render", "rule", "found"),
    [
        (too_few, "one frame of the crop's size for every time", "gave time"),
        (endless, "one frame of the crop's size for every time", "gave time 0 s to frame 1"),
        (halved, "one frame of the crop's size for every time", "px instead of"),
        (bare, "one frame of the crop's size for every time", "which is no FrameBatch"),
        (at_once, "at most 64 frames are held", "came with 199 others"),
        (listed, "at most 64 frames are held", "gave a list, not an iterator"),
        (moody, "the same input gives the same frames", "differs by 50 grey levels"),
        (shared, "two renderings at once", "differs by"),
        (picky, "a motion of one frame is rendered", "ZeroDivisionError: no second frame"),
        (greedy, 'with needs="motion"', "AttributeError"),
    ],
)
def test_a_faulty_generator_is_told_which_rule_it_breaks(render, rule, found):
    message = rule_broken(testing.assert_generator_contract, "generator", spoilt(render))
    assert rule in message and found in message


def test_a_generator_that_needs_pixels_must_say_when_there_are_none():
    message = rule_broken(testing.assert_generator_contract, "generator", Still(), needs="pixels")
    assert "raised nothing instead of UnsupportedMotionError" in message


@dataclass
class Thawed:
    speed: float = 1.0


def test_offers_are_checked():
    assert "is not frozen" in rule_broken(testing.assert_generator_contract, "generator", Still(), options=Thawed)
    assert "is no Generator" in rule_broken(testing.assert_generator_contract, "generator", object())


# --- broken enhancers -------------------------------------------------------------------------------------------------


class Same:
    """A sound enhancer."""

    def enhance(self, batches, portrait):
        try:
            yield from batches
        finally:
            if close := getattr(batches, "close", None):
                close()


class Hoarder:
    """Keeps all."""

    def enhance(self, batches, portrait):
        yield from list(batches)


class Batchwise:
    """Its result depends on the batches."""

    def enhance(self, batches, portrait):
        for batch in batches:
            yield replace(batch, pixels=(batch.pixels * 0.5 + batch.pixels.mean(0) * 0.5).astype(np.uint8))


class Leaking:
    """State of one stream in the object."""

    past = None

    def enhance(self, batches, portrait):
        self.past = None
        for batch in batches:
            mixed = batch.pixels.copy()
            for frame in mixed:
                if self.past is not None:
                    frame[:] = frame // 2 + self.past // 2
                self.past = frame
            yield replace(batch, pixels=mixed)


class Swallower:
    """Hides errors of others; "as many frames" is kept where there are none."""

    def enhance(self, batches, portrait):
        try:
            yield from batches
        except RuntimeError:
            pass


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (Hoarder(), "holds at most 16 frames back"),
        (Batchwise(), "does not depend on how frames are batched"),
        (Leaking(), "two streams at once"),
        (Swallower(), "an error of whoever makes the frames is passed on"),
        (type("Bad", (), {"enhance": lambda self, batches, portrait: [1, 2]})(), "as many frames"),
    ],
)
def test_a_faulty_enhancer_is_told_which_rule_it_breaks(made, rule):
    testing.assert_enhancer_contract(component("enhancer", Same()))
    assert rule in rule_broken(testing.assert_enhancer_contract, "enhancer", made)


# --- broken exporters -------------------------------------------------------------------------------------------------


class Direct:
    """Writes under the final name from the start."""

    def export(self, batches, path, *, fps, sound, provenance):
        count = 0
        try:
            with path.open("wb") as file:
                for batch in batches:
                    file.write(batch.pixels.tobytes())
                    count += len(batch)
        except OSError as error:
            raise MediaError(f"cannot write {path}") from error
        return count


class Uncounted(Direct):
    def export(self, batches, path, **how):
        super().export(batches, path, **how)


class Phantom:
    def export(self, batches, path, **how):
        return sum(map(len, batches))


class Messy:
    def export(self, batches, path, **how):
        (path.parent / "notes.txt").touch()
        path.touch()
        return sum(map(len, batches))


class Impatient:
    def export(self, batches, path, **how):
        path.touch()
        return len(next(iter(batches)))


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (Direct(), "appears under its name only when it is whole"),
        (Uncounted(), "returned None, not the number of frames"),
        (Phantom(), "there is no such file"),
        (Messy(), "notes.txt lies beside"),
        (Impatient(), "took only 3 of 6 frames"),
    ],
)
def test_a_faulty_exporter_is_told_which_rule_it_breaks(made, rule):
    assert rule in rule_broken(testing.assert_exporter_contract, "exporter", made, suffixes=(".raw",))


class Head:
    """A sound exporter of motion: the head's rotations."""

    def export_motion(self, portrait, motion, path, *, fps, provenance):
        try:
            path.write_bytes(motion.rotation.tobytes())
        except OSError as error:
            raise MediaError(f"cannot write {path}: {error}") from error
        return len(motion)


def test_exporters_of_motion_have_rules_too():
    testing.assert_exporter_contract(component("exporter", Head(), suffixes=(".rot",), writes="motion"))

    class Random(Head):
        def export_motion(self, portrait, motion, path, **how):
            count = super().export_motion(portrait, motion, path, **how)
            path.write_bytes(os.urandom(8))
            return count

    message = rule_broken(testing.assert_exporter_contract, "exporter", Random(), suffixes=(".rot",), writes="motion")
    assert "the same motion gives the same file" in message
    assert "is no MotionExporter" in rule_broken(
        testing.assert_exporter_contract, "exporter", Phantom(), writes="motion"
    )


# --- broken metrics ---------------------------------------------------------------------------------------------------


class Difference:
    """A sound metric: mean absolute difference."""

    better = "lower"

    @property
    def scores(self):
        return [hookspecs.Score(name="difference", title="Difference", better=self.better)]

    def start(self, comparison):
        return DifferenceRun() if comparison.same_person else None


class DifferenceRun:
    def __init__(self):
        self.values = []

    def add(self, pair):
        self.values.append(float(np.abs(pair.generated.astype(float) - pair.real).mean()))
        return self.values[-1]

    def result(self):
        return {"difference": float(np.mean(self.values))} if self.values else {}


class UpsideDown(Difference):
    better = "higher"


class NotANumber(Difference):
    def start(self, comparison):
        run = DifferenceRun()
        run.result = lambda: {"difference": float("nan")}
        return run


class Unnamed(Difference):
    def start(self, comparison):
        run = DifferenceRun()
        run.result = lambda: {"distance": 1.0}
        return run


class OneRun(Difference):
    def __init__(self):
        self.run = DifferenceRun()

    def start(self, comparison):
        self.run.values.clear()
        return self.run


class Absolute(Difference):
    def start(self, comparison):
        return DifferenceRun()


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (UpsideDown(), "no film scores better than the real one itself"),
        (NotANumber(), "leave out what cannot be told"),
        (Unnamed(), "'distance', which scores does not name"),
        (OneRun(), "two films at once"),
        (Absolute(), "a driver of another size"),
    ],
)
def test_a_faulty_metric_is_told_which_rule_it_breaks(made, rule):
    testing.assert_metric_contract(component("metric", Difference()))
    assert rule in rule_broken(testing.assert_metric_contract, "metric", made)


# --- broken motion sources --------------------------------------------------------------------------------------------


class Recorded:
    """A sound source, to be spoilt: text files with the number of frames of the sample motion to give."""

    def extract(self, path, *, start, end, progress):
        from visiongen.motion_sources.template import motion_between

        try:
            count = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise MediaError(f"{path} cannot be read: {error}") from error
        if progress:
            progress(count, count)
        return self.changed(motion_between(testing.sample_motion(count), start, end, name=path.name))

    def changed(self, motion):
        return motion


class Skewed(Recorded):
    def changed(self, motion):
        return replace(motion, rotation=motion.rotation * 1.1)


class Late(Recorded):
    def changed(self, motion):
        return replace(motion, times=motion.times + 1)


class Whole(Recorded):
    def extract(self, path, *, start, end, progress):
        return super().extract(path, start=0, end=None, progress=progress)


class Silent(Recorded):
    def extract(self, path, *, start, end, progress):
        return super().extract(path, start=start, end=end, progress=None)


class Careless(Recorded):
    def extract(self, path, *, start, end, progress):
        path.read_text(encoding="ascii")
        return super().extract(path, start=start, end=end, progress=progress)


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (Skewed(), "rotations that are not orthonormal"),
        (Late(), "a piece has the frames between start and end"),
        (Whole(), "instead of 2"),
        (Silent(), "it was not called"),
        (Careless(), "FileNotFoundError"),
    ],
)
def test_a_faulty_motion_source_is_told_which_rule_it_breaks(tmp_path, made, rule):
    sample = tmp_path / "sample.count"
    sample.write_text("6")
    testing.assert_motion_source_contract(component("motion-source", Recorded()), sample)
    assert rule in rule_broken(testing.assert_motion_source_contract, "motion-source", made, sample)


# --- light ------------------------------------------------------------------------------------------------------------


def test_a_plugin_that_imports_too_much_is_told_so(tmp_path, monkeypatch):
    (tmp_path / "heavy_plugin.py").write_text("import cv2\n")
    (tmp_path / "broken_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BrokenContract, match="it imports cv2; import them in the function given as `load`"):
        testing.assert_light_plugin("heavy_plugin")
    with pytest.raises(BrokenContract, match="'broken_plugin' breaks the rule"):
        testing.assert_light_plugin("broken_plugin")


def test_every_kind_has_a_contract_test():
    kinds = {kind.replace("-", "_") for kind in plugins.PROTOCOLS}
    assert {f"assert_{kind}_contract" for kind in kinds} <= set(testing.__all__)
    assert Path(testing.__file__).parent.name == "testing"
