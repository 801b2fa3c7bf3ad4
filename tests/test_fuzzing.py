"""Every parser of ours on what nobody thought of: it reads, or it refuses in one sentence. Longer with ``-m slow``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bad_documents import header, packed, template
from bad_file_readers import check_sentence
from bad_packages import members, record, tensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.measurements import of_report
from studio.settings import Settings
from studio.store import Store
from visiongen import MotionSettings, plugins
from visiongen.cli import main
from visiongen.errors import VisionGenError
from visiongen.evaluation.inputs import EvaluationConfig, read_jobs
from visiongen.motion import load_motion

FORMATS = Path(__file__).parent / "data" / "formats"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def changed(good: dict) -> st.SearchStrategy:
    """A good document in which some values are anything, or are missing."""
    values = st.dictionaries(st.sampled_from(sorted(good)), JSON | st.just(...), min_size=1, max_size=3)
    return values.map(lambda new: {k: v for k, v in {**good, **new}.items() if v is not ...})


def edited(good: bytes) -> st.SearchStrategy:
    """Good bytes with some replaced, and perhaps cut off."""
    edits = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=6)

    def apply(drawn: tuple) -> bytes:
        data = bytearray(good)
        for place, value in drawn[0]:
            data[place] = value
        return bytes(data[: drawn[1]])

    return st.tuples(edits, st.sampled_from([len(good)] * 3 + [len(good) // 2, len(good) - 30])).map(apply)


def reads_or_refuses(reader, *arguments):
    try:
        return reader(*arguments)
    except VisionGenError as error:
        check_sentence(str(error))
        return None


@pytest.fixture(params=[25, pytest.param(1500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def examples(request):
    """Runs a property on so many examples; the short run draws the same ones each time."""
    count = request.param

    def run(strategy: st.SearchStrategy, check, *, share: float = 1.0) -> None:
        relaxed = settings(max_examples=max(5, int(share * count)), deadline=None, derandomize=count < 100, database=None,
                           suppress_health_check=list(HealthCheck))  # fmt: skip
        relaxed(given(strategy)(lambda value: check(value)))()

    return run


def test_motion_templates(examples, tmp_path):
    def check(data):
        path = tmp_path / "a.npz"
        path.write_bytes(data)
        reads_or_refuses(load_motion, path)

    examples(edited(template()), check)
    examples(changed(json.loads(header())).map(lambda head: template(json.dumps(head))), check)


def test_manifests(examples, tmp_path):
    (tmp_path / "a.mp4").touch()
    row = {"clip": "a.mp4", "portrait": "a.mp4", "name": "n", "class": "c", "start": 0.5, "end": 2}

    def check(content):
        for path, text in ((tmp_path / "m.json", json.dumps(content)), (tmp_path / "m.csv", f"clip,name\n{content}\n")):
            path.write_text(text, encoding="utf-8", errors="replace")
            jobs = reads_or_refuses(read_jobs, EvaluationConfig(clips=path)) or []
            assert all(job.clip.parent == tmp_path and "/" not in job.name for job in jobs)

    examples(JSON | st.lists(changed(row), min_size=1, max_size=3), check)


def test_projects(examples, tmp_path):
    store = Store(tmp_path / "studio")

    def check(content):
        path = tmp_path / "a.zip"
        path.write_bytes(content)
        for run in reads_or_refuses(store.import_project, path, "me") or []:
            assert Path(run.settings.portrait).parent == run.folder
            store.delete(run.id)
        assert not store.runs()

    examples(edited(packed(members())), check)
    examples(changed(record()).map(lambda run: packed(members(run))), check)


def test_settings_and_presets(examples):
    good = Settings(portrait="a.png", driving="b.mp4").to_dict()

    def check(values):
        found = reads_or_refuses(Settings.from_dict, values)
        if found is not None:
            assert Settings.from_dict(json.loads(json.dumps(found.to_dict()))) == found
            reads_or_refuses(found.command_line)

    examples(changed(good), check)
    examples(changed(good["motion"]).map(lambda motion: {**good, "motion": motion}), check)


def test_checkpoints(examples, tmp_path):
    from visiongen.models import weights

    content, card = (
        (FORMATS / "weights-2.safetensors").read_bytes(),
        json.loads((FORMATS / "weights-2.json").read_text()),
    )
    path = tmp_path / "w.safetensors"

    def check(pair):
        import hashlib

        data, described = pair
        path.write_bytes(data)
        if isinstance(described, dict) and described.get("sha256") == card["sha256"]:
            described = {**described, "sha256": hashlib.sha256(data).hexdigest()}  # so that the content is looked at
        path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8", errors="replace")
        reads_or_refuses(weights.load, path)

    examples(st.tuples(edited(content), st.just(card)), check, share=0.3)
    configs = changed(card["config"]).map(lambda config: {**card, "config": config})
    examples(st.tuples(st.just(content), changed(card) | configs), check, share=0.3)
    examples(st.tuples(JSON.map(tensors), st.just(card)), check, share=0.3)


def test_reports(examples):
    good = {"name": "a", "fps": 25, "methods": {"warp": {"scores": {"ssim": 0.8}, "curves": {"ssim": [0.8, None]}}}}

    def check(content):
        reads_or_refuses(of_report, json.dumps(content).encode("utf-8", "replace"), "a.json")
        reads_or_refuses(of_report, f"name,method,ssim\n{content}\n".encode("utf-8", "replace"), "a.csv")

    examples(JSON | changed(good).map(lambda clip: {"clips": [clip]}), check)


def test_flags(examples, capfd):
    """Words after ``visiongen animate`` that are no good: exit code 1 or 2, and no fault of ours reported."""
    names = [f"--{component}.{option}" for component in plugins.exporters() for option in ("crf", "fps", "none-such")]
    words = st.sampled_from(
        [*names, "--pose", "--start", "--end", "--generator", "--enhancers", "--size", "--seed", "-o", "--"]
    )
    values = st.text(max_size=6) | st.sampled_from(
        ["1e999", "nan", "-1", "9" * 400, "", "\x00", "--", "none-such", "$(touch made)"]
    )

    def check(given_words):
        flat = [word for pair in given_words for word in pair]
        assert main(["animate", "no-such.png", "no-such.mp4", "-o", "no-such-folder/out.mp4", *flat]) in (0, 1, 2)
        told = capfd.readouterr()
        assert "unexpected" not in told.err and "Traceback" not in told.err, (flat, told.err)

    examples(st.lists(st.tuples(words, values), min_size=1, max_size=2), check, share=0.2)


def test_motion_settings_are_checked():
    with pytest.raises((VisionGenError, ValueError, TypeError)):
        Settings.from_dict({"portrait": "a", "driving": "b", "motion": {"pose": float("nan")}})
    assert MotionSettings() == Settings.from_dict({"portrait": "a", "driving": "b", "motion": {}}).motion
