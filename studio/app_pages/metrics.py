"""Metrics: runs and saved reports side by side, as numbers, bars and curves, and to take away."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from studio.components.chart import chart
from studio.empty_page import Example, empty_page
from studio.figures_metrics import frames_figure, report_html, scores_figure
from studio.html_table import html_table
from studio.measurements import (
    FIRST,
    Measurement,
    frames_csv,
    heading,
    of_report,
    of_run,
    ordered,
    score_of,
    score_text,
    summary_csv,
)
from studio.run_choice import titles_of
from studio.score_bars import score_bars
from studio.session import current_run, get_store
from studio.store import Run
from visiongen.errors import VisionGenError

_SOURCES = ("Runs", "Report")
_MOST_AT_FIRST = 3
_NOTES = (
    "SSIM: Wang 2004, gaussian, sigma 1.5, data range 255. AKD: mean distance of 468 face landmarks, px. KSR: share of "
    "landmark-frames that follow the driver steadily (acceleration within 0.02, place within 0.04 inter-ocular distances "
    "at 25 frames a second).",
    "SSIM, PSNR, L1 and AKD compare with the driving clip itself and exist only where the portrait is one of its frames. "
    "Likeness is a proxy of texture, not face recognition.",
)


def measured_runs() -> list[Run]:
    """Finished runs with numbers, newest first."""
    return [run for run in get_store().runs(states=("done",)) if run.summary]


def named(runs: Sequence[Run]) -> list[Measurement]:
    """Their measurements, under names that differ."""
    found: list[Measurement] = []
    for run in runs:
        base = f"{run.title} · {run.settings.generator.name}"
        taken = {one.name for one in found}
        name = next(one for one in (base, *(f"{base} ({n})" for n in range(2, 99))) if one not in taken)
        try:
            found.append(of_run(run, name=name))
        except VisionGenError as error:
            st.warning(str(error))
    return found


def chosen_runs() -> list[Measurement]:
    """Runs that the user picks."""
    runs = {run.id: run for run in measured_runs()}
    if not runs:
        empty_page(
            "monitoring", "How good is a result?",
            "SSIM, KSR, stability and likeness of every run, as bars, as curves frame by frame and as a table to take away. "
            "Nothing was measured yet.",
            example=Example(label="Render the example"),
        )  # fmt: skip
        return []
    now = current_run()
    first = [now.id] if now is not None and now.id in runs else []
    first += [one for one in runs if one not in first][: _MOST_AT_FIRST - len(first)]
    kept = [one for one in st.session_state.get("metrics.runs", first) if one in runs]
    st.session_state["metrics.runs"] = kept
    titles = titles_of(runs.values())
    picked = st.multiselect("Runs", list(runs), format_func=titles.get, key="metrics.runs",
                            persist_state="session", placeholder="Choose one or more runs",
                            help="Their numbers are shown side by side.")  # fmt: skip
    if not picked:
        st.info("Choose one or more runs above.")
    return named([runs[one] for one in picked])


def chosen_report() -> list[Measurement]:
    """One film, or all films, of a saved report."""
    given = st.file_uploader("Report of `visiongen evaluate`", type=["json", "csv"], key="metrics.upload",
                             max_upload_size=64)  # fmt: skip
    if given is not None:
        try:
            st.session_state["metrics.report"] = (given.name, of_report(given.getvalue(), given.name))
        except VisionGenError as error:
            st.error(str(error))
            st.session_state.pop("metrics.report", None)
    if "metrics.report" not in st.session_state:
        st.info("Give the .json or .csv that `visiongen evaluate CLIPS --out report.html` writes beside its report.")
        return []
    name, films = st.session_state["metrics.report"]
    film = st.selectbox(f"Film of {name}", list(films), key="metrics.film")
    methods = [one.name for one in films[film]]
    picked = st.pills("Methods", methods, default=methods, selection_mode="multi", key=f"metrics.methods {name}")
    return [one for one in films[film] if one.name in picked]


def table(found: Sequence[Measurement], names: Sequence[str]) -> str:
    """HTML of all scores as numbers, each with what it says."""
    rows = [(heading(name), *(score_text(name, one.scores.get(name)) for one in found)) for name in names]
    heads = ("Score", *(one.name for one in found))
    return html_table(heads, rows, notes=[score_of(name).summary for name in names], numbers=True)


def show(found: Sequence[Measurement]) -> None:
    """Charts, table and downloads."""
    names = ordered(name for one in found for name in one.scores)
    curves = ordered(name for one in found for name in one.series)
    # Only what is looked at is made: charts and tables are what takes time here.
    tabs = st.tabs(["Summary", "Frame by frame", "All numbers", "Export"], key="metrics.tab", on_change="rerun")
    shows = (
        lambda: _bars(found, names),
        lambda: _curves(found, curves),
        lambda: _numbers(found, names),
        lambda: _downloads(found, names, curves),
    )
    for tab, show_tab in zip(tabs, shows, strict=True):
        if tab.open:
            with tab:
                show_tab()


def _bars(found: Sequence[Measurement], names: Sequence[str]) -> None:
    main = [name for name in FIRST if name in names] or names[:6]
    st.html(score_bars(found, main))
    if any(one.intervals for one in found):
        st.caption("Lines at the bars: 95 % confidence of the mean over films, by bootstrap.")


def _numbers(found: Sequence[Measurement], names: Sequence[str]) -> None:
    st.html(table(found, names))
    st.caption("Arrows point to the better values.")
    for note in _NOTES:
        st.caption(note)


def _curves(found: Sequence[Measurement], curves: Sequence[str]) -> None:
    if not curves:
        st.info("There are no values per frame here: means over films have none, and a CSV report has no curves. Choose a "
                "single film of a .json report, or a run.")  # fmt: skip
        return
    first = [name for name in ("ssim", "ksr", "stability", "identity_proxy", "akd") if name in curves][:3] or curves[:2]
    picked = st.pills("Curves", curves, default=first, selection_mode="multi", format_func=heading,
                      key=f"metrics.curves {','.join(curves)}")  # fmt: skip
    if picked:
        chart(frames_figure(found, picked), label="Scores, frame by frame", key="metrics.lines")


def _downloads(found: Sequence[Measurement], names: Sequence[str], curves: Sequence[str]) -> None:
    def page() -> bytes:
        figures = [scores_figure(found, names)]
        if curves:
            figures.append(frames_figure(found, curves))
        return report_html(figures, title="VisionGen 3D: metrics", notes=_NOTES, table=summary_csv(found)).encode()

    st.write("The table and the curves as CSV, or a page with all charts that opens in any browser without network.")
    with st.container(horizontal=True):
        st.download_button("Summary, CSV", summary_csv(found).encode(), "metrics.csv", "text/csv", on_click="ignore")
        st.download_button("Frames, CSV", frames_csv(found).encode(), "metrics-frames.csv", "text/csv", on_click="ignore",
                           disabled=not curves)  # fmt: skip
        st.download_button("Report, HTML", page, "metrics.html", "text/html", on_click="ignore")


st.title("Metrics", anchor=False)
st.session_state.setdefault("metrics.source", _SOURCES[0])
source = st.segmented_control("Numbers of", _SOURCES, key="metrics.source", required=True, persist_state="session")
found = chosen_runs() if source == "Runs" else chosen_report()
if found:
    show(found)
