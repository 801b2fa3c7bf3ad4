"""Blind opinions: which films are shown beside each other, in what order, and what people thought of each generator."""

from __future__ import annotations

import csv
import io
import itertools
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from studio.figures import INTERVAL, PALETTE, framed
from studio.same_inputs import content_of
from studio.store import Rating, Run

CRITERIA = {
    "realism": "Does it look like a film of a real (or really drawn) face?",
    "identity": "Is it still the face of the portrait?",
    "smoothness": "Does it move evenly, without trembling, jumps or flicker?",
}
"""Criterion -> the question. Scores go from 1 (bad) to 5 (excellent), as in ITU-T P.910's absolute category rating."""
WORDS = {1: "1 bad", 2: "2 poor", 3: "3 fair", 4: "4 good", 5: "5 excellent"}


def method_of(run: Run) -> str:
    """What opinions are counted for: the generator with its options."""
    part = run.settings.generator
    options = ", ".join(f"{name} {value}" for name, value in sorted(part.options.items()))
    return f"{part.name} ({options})" if options else part.name


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Finished films of one portrait moved by one piece of one clip, but by different methods."""
    done = [run for run in runs if run.state == "done" and run.file("result.mp4") is not None]
    return [
        (a, b) for a, b in itertools.combinations(done, 2) if _inputs(a) == _inputs(b) and method_of(a) != method_of(b)
    ]


def _inputs(run: Run) -> tuple:
    one = run.settings
    return content_of(one.portrait), content_of(one.driving), one.start, one.end, one.face, one.full


def next_pair(
    found: Sequence[tuple[Run, Run]], ratings: Sequence[Rating], session: str, *, chance: random.Random
) -> tuple[Run, Run] | None:
    """The pair this person has rated least often, of equals any, and left and right by chance; None: there is none."""
    if not found:
        return None
    seen = Counter(frozenset((one.run_id, one.opponent)) for one in ratings if one.session == session)
    counts = [seen[frozenset((a.id, b.id))] for a, b in found]
    pair = list(chance.choice([pair for pair, count in zip(found, counts) if count == min(counts)]))
    chance.shuffle(pair)
    return pair[0], pair[1]


@dataclass(frozen=True, kw_only=True)
class MeanOpinion:
    """Mean opinion score of one method by one criterion."""

    method: str
    criterion: str
    mean: float
    half_width: float
    """Half of the 95 % confidence interval; NaN with fewer than two ratings."""
    count: int


def mean_opinions(ratings: Sequence[Rating], method_by_run: Mapping[str, str]) -> list[MeanOpinion]:
    """Means with 95 % confidence intervals (Student's t), by method and criterion; "all" is the mean of the criteria.

    Args:
        ratings: All there are.
        method_by_run: Run id -> method; ratings of other runs are left out.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        if (method := method_by_run.get(rating.run_id)) is None:
            continue
        for criterion, score in rating.scores.items():
            values.setdefault((method, criterion), []).append(float(score))
        values.setdefault((method, "all"), []).append(float(np.mean(list(rating.scores.values()))))
    return [
        MeanOpinion(
            method=method, criterion=criterion, mean=float(np.mean(scores)), half_width=half_width(scores),
            count=len(scores),
        )
        for (method, criterion), scores in sorted(values.items())
    ]  # fmt: skip


def half_width(scores: Sequence[float]) -> float:
    """Half of the 95 % confidence interval of a mean: t(0.975, n - 1) s / sqrt(n)."""
    from scipy.stats import t

    if len(scores) < 2:
        return math.nan
    return float(t.ppf(0.975, len(scores) - 1) * np.std(scores, ddof=1) / math.sqrt(len(scores)))


def opinions_figure(found: Sequence[MeanOpinion]) -> go.Figure:
    """Bars by criterion and method, from 1 to 5, with their intervals."""
    figure = go.Figure()
    methods = list(dict.fromkeys(one.method for one in found))
    for number, method in enumerate(methods):
        own = {one.criterion: one for one in found if one.method == method}
        shown = [one for one in (*CRITERIA, "all") if one in own]
        reach = [0.0 if math.isnan(own[one].half_width) else own[one].half_width for one in shown]
        figure.add_bar(
            x=shown, y=[own[one].mean - 1 for one in shown], base=1, name=method,
            marker={"color": PALETTE[number % len(PALETTE)]}, error_y={"type": "data", "array": reach, "color": INTERVAL},
            customdata=[[own[one].mean, own[one].count] for one in shown],
            hovertemplate=f"{method}, %{{x}}: %{{customdata[0]:.2f}} (%{{customdata[1]}} ratings)<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(range=[1, 5.4], tickvals=list(WORDS), title_text="mean opinion")
    figure.update_layout(barmode="group")
    return framed(figure, height=320, name="opinions")


def ratings_csv(ratings: Sequence[Rating], method_by_run: Mapping[str, str]) -> str:
    """A row for each rating; who rated is a number, not the session's name."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", "run", "opponent", "person", "unix_time", *CRITERIA])
    people: dict[str, int] = {}
    for one in ratings:
        person = people.setdefault(one.session, len(people) + 1)
        scores = [one.scores.get(name, "") for name in CRITERIA]
        method = method_by_run.get(one.run_id, "")
        writer.writerow([method, one.run_id, one.opponent or "", person, f"{one.created:.0f}", *scores])
    return out.getvalue()
