"""`visiongen evaluate` on a real small clip: the table, its figures, and that nothing is computed twice."""

import json

import pytest
from builders import moving_head, write_clip

from visiongen.errors import MediaError, VisionGenError
from visiongen.evaluation import EvaluationConfig, evaluate


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "head.mp4", moving_head(16))
    return folder


def test_copy_is_beaten_by_the_warp_and_figures_are_kept(clips, tmp_path):
    config = EvaluationConfig(clips=clips, methods=("copy", "warp"), out=tmp_path / "q.md", work=tmp_path / "work")
    table = evaluate(config).read_text()
    assert "| warp |" in table and "## Per class" in table
    (row,) = json.loads((tmp_path / "q.json").read_text())
    assert row["frames"] == 16
    # The clip was made with this very warp, so it must come near, and nearer than a picture that stands still.
    assert row["scores"]["warp"]["AKD"] < row["scores"]["copy"]["AKD"]
    assert row["scores"]["warp"]["SSIM"] > row["scores"]["copy"]["SSIM"]
    written = (tmp_path / "work" / "head.warp.mp4").stat().st_mtime_ns
    evaluate(config)
    assert (tmp_path / "work" / "head.warp.mp4").stat().st_mtime_ns == written


def test_another_judge(clips, tmp_path):
    judge = tmp_path / "judge.py"
    judge.write_text("import json\nprint(json.dumps({'SSIM': 0.5, 'L1': 0.1}))\n")
    out = evaluate(EvaluationConfig(clips=clips, methods=("copy",), out=tmp_path / "q.md", judge=judge))
    assert "| copy | 0.500 | 0.1000 |" in out.read_text()
    judge.write_text("import sys\nsys.exit('no idea')\n")
    with pytest.raises(VisionGenError, match="no idea"):
        evaluate(EvaluationConfig(clips=clips, methods=("copy",), out=tmp_path / "q.md", judge=judge))


def test_no_clips(tmp_path):
    with pytest.raises(MediaError, match="no video clips"):
        evaluate(EvaluationConfig(clips=tmp_path, out=tmp_path / "q.md"))


def test_benchmark_measures_a_whole_job(clips):
    from visiongen.benchmark import BenchmarkConfig, benchmark

    config = BenchmarkConfig(
        portrait=clips / "head.mp4", driving=clips / "head.mp4", generators=("warp",), sizes=(64,), device="cpu"
    )
    with pytest.raises(VisionGenError, match="warp at 64"):  # a video is not a portrait
        benchmark(config)
    import cv2

    frame = cv2.VideoCapture(str(clips / "head.mp4")).read()[1]
    cv2.imwrite(str(clips / "head.png"), frame)
    table = benchmark(
        BenchmarkConfig(portrait=clips / "head.png", driving=clips / "head.mp4", generators=("warp",), sizes=(64,))
    )
    cells = [cell.strip() for cell in table.strip().splitlines()[-1].split("|")[1:-1]]
    assert cells[:3] == ["64", "warp", "16"] and float(cells[5]) > 0 and float(cells[8]) > 50
