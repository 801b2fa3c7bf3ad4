"""The page Metrics: runs and saved reports, charts and exports."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
from shown_charts import shown_charts

from studio.figures_metrics import frames_figure, report_html, scores_figure
from studio.measurements import Measurement, frames_csv, interval, of_report, of_run, ordered, score_text, summary_csv
from studio.run_choice import titles_of
from studio.score_bars import score_bars
from visiongen.errors import MediaError

PAGE = "app_pages/metrics.py"


@pytest.fixture
def report() -> dict:
    """As `visiongen evaluate` writes it."""

    def clip(name: str, offset: float) -> dict:
        methods = {
            method: {"scores": {"ssim": value + offset, "akd": 2 - value}, "curves": {"ssim": [None, value, value + offset]},
                     "speed": {}}
            for method, value in (("warp", 0.7), ("vae-gan", 0.8))
        }  # fmt: skip
        return {"name": name, "clip": name, "class": "calm", "frames": 3, "fps": 25, "methods": methods}

    return {"title": "t", "clips": [clip("one", 0.0), clip("two", 0.1)]}


def test_a_run_brings_its_numbers(finished_run):
    found = of_run(finished_run)
    assert found.scores and found.scores == {k: v for k, v in finished_run.summary.items()}
    assert found.fps == float(finished_run.fps)
    assert all(len(values) <= finished_run.frames for values in found.series.values())


def test_a_report_gives_means_over_films_and_each_film(report):
    films = of_report(json.dumps(report).encode(), "report.json")
    assert list(films) == ["All films (2)", "one", "two"]
    warp, net = films["All films (2)"]
    assert (warp.name, warp.films) == ("warp", 2)
    assert net.scores["ssim"] == pytest.approx(0.85) and warp.scores["akd"] == pytest.approx(1.3)
    low, high = net.intervals["ssim"]
    assert 0.8 - 1e-9 <= low <= 0.85 <= high <= 0.9 + 1e-9
    curve = films["two"][0].series["ssim"]
    assert math.isnan(curve[0]) and curve[2] == pytest.approx(0.8)


def test_a_table_as_csv_says_the_same(report):
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["name", "clip", "portrait", "class", "frames", "method", "ssim", "akd", "generate_ms_p50"])
    for clip in report["clips"]:
        for method, entry in clip["methods"].items():
            writer.writerow([clip["name"], clip["clip"], "", "calm", 3, method, *entry["scores"].values(), 12.5])
    a = of_report(rows.getvalue().encode(), "report.csv")
    b = of_report(json.dumps(report).encode(), "report.json")
    assert list(a) == list(b)
    for one, other in zip(a["All films (2)"], b["All films (2)"]):
        assert one.scores == pytest.approx(other.scores)


@pytest.mark.parametrize(
    "data, name",
    [
        (b"", "a.json"), (b"{}", "a.json"), (b"[]", "a.json"), (b"[1]", "a.json"), (b'{"clips": []}', "a.json"),
        (b"\xff\xfe\x00", "a.json"), (b"x,y\n1,2\n", "a.csv"), (b'{"clips": [{"name": "x", "methods": {"m": {}}}]}', "a.json"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_told(data, name):
    with pytest.raises(MediaError, match=f"{name} is no report"):
        of_report(data, name)


def test_the_interval_covers_the_mean_and_is_always_the_same():
    values = np.random.default_rng(1).normal(5, 1, 40)
    low, high = interval(values)
    assert low < values.mean() < high and (low, high) == interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / math.sqrt(40), rel=0.15)


@pytest.fixture
def two() -> list[Measurement]:
    first = Measurement(name="a, \"b\"", scores={"ssim": 0.8, "own_score": 2.0},
                        series={"ssim": np.array([math.nan, 0.5, 0.75])})  # fmt: skip
    return [first, Measurement(name="<c>", scores={"ssim": 0.9}, series={"ssim": np.array([0.25])}, fps=50)]


def test_exports_can_be_read_again(two):
    rows = list(csv.DictReader(io.StringIO(summary_csv(two))))
    assert [row["name"] for row in rows] == ['a, "b"', "<c>"]
    assert rows[0]["own_score"] == "2" and rows[1]["own_score"] == ""
    frames = list(csv.DictReader(io.StringIO(frames_csv(two))))
    assert [(row["frame"], row["ssim"]) for row in frames] == [("0", ""), ("1", "0.5"), ("2", "0.75"), ("0", "0.25")]
    assert frames[2]["seconds"] == "0.0800"


def test_the_page_to_take_away_stands_by_itself(two):
    page = report_html([scores_figure(two, ["ssim"])], title="<T>", notes=["n & m"], table=summary_csv(two))
    assert "<script src=" not in page and "Plotly.newPlot" in page
    assert '"showSendToCloud": false' in page, "no button that uploads a chart"
    assert "&lt;T&gt;" in page and "n &amp; m" in page and "<td>&lt;c&gt;</td>" in page
    assert page.partition("</table>")[0].count("<td>") == 2 * 4, "a comma in a name makes no new cell"


def test_charts_show_every_measurement(two):
    bars = scores_figure(two, ["own_score", "ssim"])
    assert len(bars.data) == 3
    assert sorted(bar.name for bar in bars.data if bar.showlegend) == ["<c>", 'a, "b"'], "each once in the legend"
    lines = frames_figure(two, ["ssim"])
    assert len(lines.data) == 2 and list(lines.data[0].x) == pytest.approx([0, 0.04, 0.08])


def bars_of(page: str) -> list[list[tuple[str, float, float]]]:
    """Chart -> (kind, left, width in % of the axis) of everything that is drawn in it."""
    pattern = r'<span class="(bar|interval)" style="left:([\d.]+)%;width:([\d.]+)%">'
    return [[(kind, float(left), float(width)) for kind, left, width in re.findall(pattern, chart)]
            for chart in page.split("<figure>")[1:]]  # fmt: skip


def test_bars_are_as_long_as_scores_are_high(two):
    page = score_bars(two, ["own_score", "ssim"])
    own, ssim = bars_of(page)
    assert own == [("bar", 0, 100)], "the other one was not measured"
    assert ssim == [("bar", 0, 88.89), ("bar", 0, 100)]
    assert "&lt;c&gt;" in page and "<c>" not in page
    assert 'title="a, &quot;b&quot;: 0.8000"' in page and "</span>0.800</span>" in page
    assert "&lt;c&gt;: not measured" in page


def test_bars_of_scores_below_zero_begin_at_zero():
    below, above = (Measurement(name=str(value), scores={"own": value}) for value in (-1.0, 3.0))
    assert bars_of(score_bars([below, above], ["own"])) == [[("bar", 0, 25), ("bar", 25, 75)]]


def test_intervals_are_lines_on_the_bars_and_fit_in():
    sure = Measurement(name="sure", scores={"own": 2.0}, intervals={"own": (1.0, 4.0)})
    page = score_bars([sure], ["own"])
    assert bars_of(page) == [[("bar", 0, 50), ("interval", 25, 75)]]
    assert "(1.0000 to 4.0000)" in page


def test_the_most_telling_scores_come_first():
    assert ordered(["zzz", "akd", "ksr", "ssim", "abc"]) == ["ssim", "ksr", "akd", "abc", "zzz"]


def test_runs_of_one_minute_are_told_apart(finished_run):
    later = dataclasses.replace(finished_run, id="later", created=finished_run.created // 60 * 60 + 1)
    first = dataclasses.replace(finished_run, created=finished_run.created // 60 * 60)
    other = dataclasses.replace(finished_run, id="other", title="Other")
    titles = titles_of([first, later, other])
    assert titles[first.id].endswith(":00") and titles["later"] == titles[first.id][:-2] + "01"
    assert titles["other"].count(":") == 1


def test_scores_have_their_digits_and_no_minus_before_zero():
    assert score_text("ssim", 0.81) == "0.810" and score_text("ssim", -0.0001) == "0.000"
    assert score_text("ssim", 0.81234, more=1) == "0.8123" and score_text("ssim", None) == "–"


def test_runs_are_shown_side_by_side(studio, finished_run):
    page = studio(PAGE, run=finished_run.id, early="")  # nothing but what is seen
    assert not page.exception and not page.error
    assert finished_run.id in page.multiselect(key="metrics.runs").value
    assert [tab.label for tab in page.tabs] == ["Summary", "Frame by frame", "All numbers", "Export"]
    bars = [one.proto.body for one in page.get("html") if "<figure>" in one.proto.body]
    assert len(bars) == 1 and "KSR" in bars[0] and not shown_charts(page) and not page.dataframe
    page.session_state["metrics.tab"] = "Frame by frame"
    page.run()
    assert shown_charts(page)
    page.session_state["metrics.tab"] = "All numbers"
    page.run()
    (numbers,) = [one.proto.body for one in page.get("html") if "<table" in one.proto.body]
    assert "KSR ↑" in numbers and f"{finished_run.summary['ksr']:.3f}" in numbers and "Share of landmark" in numbers
    assert not shown_charts(page)
    page.multiselect(key="metrics.runs").set_value([]).run()
    assert "Choose one or more runs" in page.info[0].value


def test_a_report_is_shown_and_a_wrong_one_explained(studio, finished_run, report):
    page = studio(PAGE)
    page.session_state["metrics.source"] = "Report"
    page.run()
    page.file_uploader(key="metrics.upload").set_value(
        ("r.json", json.dumps(report).encode(), "application/json")
    ).run()
    assert not page.exception and not page.error
    assert page.selectbox(key="metrics.film").options == ["All films (2)", "one", "two"]
    page.file_uploader(key="metrics.upload").set_value(("r.json", b"{}", "application/json")).run()
    assert "no report" in page.error[0].value and not page.exception
