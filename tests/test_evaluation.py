"""`visiongen evaluate` on a real small clip: inputs, figures, tables, the report, and that nothing is made twice."""

import csv
import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import astronaut, moving_head, write_clip

from visiongen import media
from visiongen.cli import main
from visiongen.errors import MediaError, PluginError, VisionGenError
from visiongen.evaluation import EvaluationConfig, evaluate, read_jobs
from visiongen.evaluation.comparison import compare, judged
from visiongen.evaluation.summary import interval
from visiongen.metrics import quick_metrics

FRAMES = 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "head.mp4", moving_head(FRAMES))
    return folder


@pytest.fixture(scope="module")
def results(clips, tmp_path_factory) -> Path:
    """A whole evaluation with copy and warp, of one good clip and one without a face."""
    folder = tmp_path_factory.mktemp("evaluation")
    manifest = clips.parent / f"{folder.name}.csv"
    write_clip(folder / "wall.mp4", np.full((FRAMES, 64, 64, 3), 90, np.uint8))
    manifest.write_text(f"clip,class\n{clips / 'head.mp4'},nods\n{folder / 'wall.mp4'},\n")
    out = folder / "out"
    assert main(["evaluate", str(manifest), "--methods", "copy", "warp", "--out", str(out)]) == 0
    return out


def test_copy_is_beaten_by_the_warp_and_neither_passes_the_ceiling(results):
    figures = json.loads((results / "figures.json").read_text())
    summary = figures["summary"]
    assert list(summary) == ["copy", "warp", "ceiling"]
    # The clip was made with this very warp, so it must come near, and nearer than a picture that stands still.
    for better, worse in (("warp", "copy"), ("ceiling", "warp")):
        assert summary[better]["akd"]["mean"] < summary[worse]["akd"]["mean"]
        assert summary[better]["ssim"]["mean"] > summary[worse]["ssim"]["mean"]
    assert summary["copy"]["motion_ratio"]["mean"] < 0.1 < 0.9 < summary["warp"]["motion_ratio"]["mean"]
    assert "frechet_encoder" in summary["warp"] and summary["warp"]["ssim"]["n"] == 1
    (clip,) = figures["clips"]
    assert clip["class"] == "nods" and clip["frames"] == FRAMES
    assert len(clip["methods"]["warp"]["curves"]["akd"]) == FRAMES
    speed = figures["speed"]["warp"]
    assert all(0 < speed["ms"][stage]["p50"] <= speed["ms"][stage]["p95"] for stage in ("generate", "paste", "encode"))
    assert speed["peak_mb"] > 50 and figures["protocol"]["device"] == "cpu"
    assert figures["protocol"]["generators"].startswith("warp (visiongen ")


def test_a_clip_without_a_face_costs_only_itself(results):
    figures = json.loads((results / "figures.json").read_text())
    assert list(figures["failures"]) == ["wall"] and "face" in figures["failures"]["wall"]
    assert "wall" in (results / "table.md").read_text().split("## Not judged")[1]


def test_tables(results):
    table = (results / "table.md").read_text()
    assert re.search(r"\| warp \| 0\.\d{3} \| 0\.\d{4} \|", table) and "### nods (1)" in table
    rows = list(csv.DictReader((results / "figures.csv").open()))
    assert [row["method"] for row in rows] == ["copy", "warp", "ceiling"]
    assert float(rows[1]["akd"]) > 0 and rows[0]["clip"] == "head.mp4"


def test_the_report_needs_nothing_from_outside(results):
    page = (results / "report.html").read_text()
    assert "@@" not in page.split("</script>", 1)[1]  # all of the frame is filled in
    own = page.replace(page[page.index("<script>") : page.index("</script>")], "")  # all but Plotly itself
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", own) and "Plotly.react" in own
    assert "showSendToCloud: false" in own, "no button that uploads a chart"
    assert len(page) > 3_000_000  # Plotly is inside
    assert own.count("data:image/jpeg;base64,") >= 3  # a strip of the clip, and worst frames of two methods
    for heading in (
        "Summary",
        "At a glance",
        "By class",
        "Frame by frame",
        "Worst frames",
        "Speed",
        "Clips",
        "Protocol",
    ):
        assert f"<h2>{heading}</h2>" in own
    data = re.search(r"const data = (\{.*\});\n", own).group(1)
    assert json.loads(data.replace("<\\/", "</"))["methods"] == ["copy", "warp", "ceiling"]


def test_nothing_is_made_twice_and_what_changed_is_made_again(clips, tmp_path):
    def run(**changes):
        evaluate(EvaluationConfig(**(config | changes)))
        times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("*.mp4")}
        return times, json.loads((tmp_path / "work/head.json").read_text())

    config = {"clips": clips, "methods": ("copy",), "metrics": ("l1",), "out": tmp_path / "q.md", "work": tmp_path / "work",
              "skip_ceiling": True, "frames": 4}  # fmt: skip
    first, record = run()
    again, same = run()
    assert first == again and record == same
    more, record = run(metrics=("l1", "psnr"))  # scores anew, the film stays
    assert more == first and set(record["methods"]["copy"]["scores"]) == {"l1", "psnr"}
    shorter, _ = run(frames=3)
    assert shorter != first
    (tmp_path / "work/head.json").write_text('{"cut')  # a run that was killed
    _, record = run(frames=3)
    assert record["methods"]["copy"]["scores"]["l1"] > 0


def test_two_evaluations_do_not_share_a_folder(clips, tmp_path):
    work = tmp_path / "work"
    config = EvaluationConfig(
        clips=clips, methods=("copy",), metrics=("l1",), out=tmp_path / "q.md", work=work, skip_ceiling=True, frames=3
    )
    second = []

    def meanwhile(*_) -> None:
        with pytest.raises(
            MediaError, match=f"{work} is being written by another .*process {os.getpid()}.* --work"
        ) as told:
            evaluate(config)
        second.append(told)

    evaluate(config, progress=meanwhile)
    assert second
    evaluate(config)  # afterwards it is free
    assert not list(work.glob(".*"))


def test_portraits_driven_by_others(clips, tmp_path):
    pictures = tmp_path / "portraits"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "her.png"), astronaut()[..., ::-1])
    metrics = ("l1", "ksr", "motion", "detection", "pose-relative", "identity-proxy")
    config = EvaluationConfig(
        clips=clips, portraits=pictures, methods=("copy", "warp"), metrics=metrics, out=tmp_path / "r.html", frames=6
    )
    assert evaluate(config) == tmp_path / "r.html"
    figures = json.loads((tmp_path / "r.json").read_text())
    (clip,) = figures["clips"]
    assert clip["name"] == "her+head" and "1 pair of a portrait" in figures["protocol"]["data"]
    summary = figures["summary"]
    assert set(summary) == {"copy", "warp"} and "l1" not in summary["warp"]  # no truth to compare pixels with
    assert summary["warp"]["apd_relative"]["mean"] < summary["copy"]["apd_relative"]["mean"]
    assert summary["warp"]["motion_ratio"]["mean"] > 0.5 > summary["copy"]["motion_ratio"]["mean"]
    assert summary["copy"]["identity_proxy"]["mean"] > summary["warp"]["identity_proxy"]["mean"] > 0.3


@pytest.mark.slow
def test_clips_in_parallel(clips, tmp_path):
    (tmp_path / "m.json").write_text(
        json.dumps({"clips": [{"clip": str(clips / "head.mp4"), "name": n} for n in "ab"]})
    )
    config = EvaluationConfig(
        clips=tmp_path / "m.json", methods=("copy",), metrics=("l1",), out=tmp_path / "q.md", skip_ceiling=True, workers=2,
        frames=3, outside=True,
    )  # fmt: skip
    seen = []
    evaluate(config, progress=lambda *state: seen.append(state))
    a, b = json.loads((tmp_path / "q.json").read_text())["clips"]
    assert (a["name"], b["name"]) == ("a", "b") and a["methods"] == b["methods"]
    assert seen == [("evaluate", 1, 2), ("evaluate", 2, 2)]


# --- a judge, and agreement with the independent one ------------------------------------------------------------------


def test_another_judge(clips, tmp_path):
    judge = tmp_path / "judge.py"
    judge.write_text("import json\nprint(json.dumps({'SSIM': 0.5, 'L1': 0.1, 'missing': 0.25, 'frames': 3}))\n")
    config = EvaluationConfig(
        clips=clips, methods=("copy",), out=tmp_path / "q.md", judge=judge, skip_ceiling=True, frames=3
    )
    out = evaluate(config)
    assert "| copy | 0.500 | 0.1000 |" in out.read_text() and "the script judge.py" in out.read_text()
    scores = json.loads((tmp_path / "q.json").read_text())["clips"][0]["methods"]["copy"]["scores"]
    assert scores == {"ssim": 0.5, "l1": 0.1, "detection_rate": 0.75}
    judge.write_text("import sys\nsys.exit('no idea')\n")
    with pytest.raises(VisionGenError, match=r"all 1 clips failed.*no idea"):
        evaluate(config)


@pytest.mark.data
def test_agreement_with_the_independent_judge(tmp_path):
    folder = os.environ.get("VISIONGEN_DATA")
    judge = Path(folder or "").parent / "tools/judge.py"
    if not folder or not judge.is_file():
        pytest.skip("needs VISIONGEN_DATA, and tools/judge.py beside it")
    real = sorted((Path(folder) / "val/clips").glob("*.mp4"))[0]
    clip = media.probe(real, end=0.8)
    frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
    film = write_clip(tmp_path / "film.mp4", [cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in frames])
    names = ("l1", "psnr", "ssim", "akd", "ksr")
    own = compare(clip, {"film": film}, frames[0], same_person=True, metrics=quick_metrics(names))["film"].scores
    other = judged(judge, real, film).scores
    for name in names:
        assert own[name] == pytest.approx(other[name], rel=5e-3), name


# --- what users get wrong ---------------------------------------------------------------------------------------------


def test_no_clips(tmp_path):
    with pytest.raises(MediaError, match="no video clips"):
        evaluate(EvaluationConfig(clips=tmp_path, out=tmp_path / "q.md"))
    with pytest.raises(MediaError, match="not found"):
        read_jobs(EvaluationConfig(clips=tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "text, message",
    [
        ("clip\nnowhere.mp4\n", "row 1: clip nowhere.mp4 not found"),
        ("film\nhead.mp4\n", "row 1: unknown column 'film'"),
        ("clip,start\nhead.mp4,soon\n", "start and end are seconds"),
        ("clip\n", "holds no rows"),
        ("name,clip\na,\n", "every row needs the column `clip`"),
    ],
)
def test_a_manifest_says_what_is_wrong_with_it(clips, text, message):
    manifest = clips / "list.csv"
    manifest.write_text(text)
    with pytest.raises(VisionGenError, match=re.escape(message)):
        read_jobs(EvaluationConfig(clips=manifest))


def test_a_manifest_stays_in_its_folder_unless_it_is_trusted(clips, tmp_path):
    for clip in (str(clips / "head.mp4"), f"../{clips.name}/../../{clips.parent.name}/{clips.name}/head.mp4"):
        (tmp_path / "m.json").write_text(json.dumps([{"clip": clip}]))
        with pytest.raises(VisionGenError, match=r"outside of the manifest's folder.*--outside"):
            read_jobs(EvaluationConfig(clips=tmp_path / "m.json"))
    (tmp_path / "m.json").write_text(json.dumps([{"clip": str(clips / "head.mp4")}]))
    (job,) = read_jobs(EvaluationConfig(clips=tmp_path / "m.json", outside=True))
    assert job.clip == clips / "head.mp4"


def test_manifests_name_pieces_portraits_and_classes(clips):
    manifest = clips / "list.csv"
    (clips / "p.png").touch()
    manifest.write_text("clip,portrait,start,end,class\nhead.mp4,p.png,0.1,0.4,nods\nhead.mp4,,,,\nhead.mp4,,,,\n")
    pair, own, twin = read_jobs(EvaluationConfig(clips=manifest))
    assert (pair.name, pair.portrait.name, pair.start, pair.end, pair.group) == ("p+head", "p.png", 0.1, 0.4, "nods")
    assert own.is_self and not pair.is_self and (own.name, twin.name) == ("head", "head-2")
    assert read_jobs(EvaluationConfig(clips=manifest, limit=1)) == [pair]


def test_unknown_names_and_wrong_values_are_told_before_the_work(clips, tmp_path, capsys):
    config = {"clips": clips, "out": tmp_path / "q.md"}
    with pytest.raises(PluginError, match="did you mean 'warp'"):
        evaluate(EvaluationConfig(**config, methods=("warpp",)))
    with pytest.raises(PluginError, match="did you mean 'ssim'"):
        evaluate(EvaluationConfig(**config, methods=("copy",), also=("sssim",)))
    with pytest.raises(VisionGenError, match="--frames is 0"):
        EvaluationConfig(**config, frames=0)
    with pytest.raises(VisionGenError, match=r"ends in \.html or \.md"):
        EvaluationConfig(clips=clips, out=tmp_path / "q.pdf")
    assert main(["evaluate", str(clips), "--methods", "copy", "--lpips.folder", "x"]) == 1
    assert "--lpips.* are options of the metric 'lpips', which is not used here" in capsys.readouterr().err


# --- statistics -------------------------------------------------------------------------------------------------------


def test_bootstrap_interval_of_a_mean():
    values = np.random.default_rng(5).normal(3, 1, 400)
    found = interval(values)
    assert found["mean"] == pytest.approx(values.mean()) and found == interval(values)
    # For so many values it must come near the normal interval.
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)
    assert interval([2.0]) == {"mean": 2.0, "low": None, "high": None, "n": 1}
