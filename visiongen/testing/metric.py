"""The rules of a metric."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from visiongen.hookspecs import Comparison, Component, FramePair, Metric, MetricRun, Score, SetMetric
from visiongen.testing.inputs import sample_batches, sample_landmarks
from visiongen.testing.rules import broken, component_of, keeps, loaded

_FRAMES, _SIZE = 12, 128
_SLACK = 1e-6


def assert_metric_contract(component: Component | str, *, options: Any = None, device: str = "cpu") -> None:
    """A metric keeps all rules; raises `BrokenContract` otherwise.

    Args:
        component: Its name, or the component as it is offered.
        options: Instead of its defaults.
        device: "cpu" or "cuda".
    """
    component = component_of("metric", component)
    metric, who = loaded("metric", component, options, device)
    scores = _scores(metric, who)
    truth, poor = _film(noise=0.0), _film(noise=12.0)
    best = _measured(metric, who, scores, "a film is measured", truth)
    worse = _measured(metric, who, scores, "a film is measured", poor)
    _knows_the_truth(who, scores, best, worse)
    _keeps_films_apart(metric, who, truth, poor, best)
    blind = [replace(pair, generated_landmarks=None) for pair in truth]
    _measured(metric, who, scores, "frames without a face are taken", blind)
    _measured(metric, who, scores, "a film of one frame is taken", truth[:1])
    _measured(metric, who, scores, "a film without frames is taken", [])
    other = [replace(pair, real=pair.real[: _SIZE * 3 // 4]) for pair in poor]
    _measured(metric, who, scores, "a driver of another size is taken, or start gives None", other, same_person=False)
    if isinstance(metric, SetMetric):
        _speaks_of_a_set(metric, who, scores, [truth, poor])


def _film(*, noise: float) -> list[FramePair]:
    """Pairs in which the generated film is the real one with noise, grey levels, on pixels and (less) on landmarks."""
    random = np.random.default_rng(0)
    real = np.concatenate([batch.pixels for batch in sample_batches(_FRAMES, height=_SIZE, width=_SIZE)])
    points = sample_landmarks(_FRAMES, height=_SIZE, width=_SIZE)
    generated = np.clip(real + noise * random.standard_normal(real.shape), 0, 255).astype(np.uint8)
    moved = points + 0.1 * noise * random.standard_normal(points.shape).astype(np.float32)
    return [
        FramePair(
            time=number / 25,
            generated=generated[number],
            real=real[number],
            generated_landmarks=moved[number],
            real_landmarks=points[number],
            is_source=number == 0,
        )
        for number in range(_FRAMES)
    ]


def _scores(metric: Metric, who: str) -> dict[str, Score]:
    rule = "scores has at least one Score, with names of their own"
    with keeps(who, rule):
        scores = list(metric.scores)
        if not scores or not all(isinstance(one, Score) for one in scores):
            raise broken(who, rule, f"scores is {scores!r}")
        names = [one.name for one in scores]
        if wrong := [name for name in names if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name)]:
            raise broken(who, rule, f"{wrong[0]!r} does not consist of lower case letters, digits and underscores")
        if len(set(names)) < len(names):
            raise broken(who, rule, f"a name appears twice in {names}")
        if wrong := [one.better for one in scores if one.better not in ("higher", "lower", "one", "none")]:
            raise broken(who, rule, f"better is {wrong[0]!r}, not 'higher', 'lower', 'one' or 'none'")
    return {one.name: one for one in scores}


def _started(metric: Metric, film: Sequence[FramePair], *, same_person: bool = True) -> MetricRun | None:
    """A run, or None where the metric has nothing to say."""
    pair = film[0] if film else _film(noise=0.0)[0]
    return metric.start(
        Comparison(
            fps=25.0, portrait=pair.generated, portrait_landmarks=pair.generated_landmarks, same_person=same_person
        )
    )


def _measured(
    metric: Metric,
    who: str,
    scores: dict[str, Score],
    rule: str,
    film: Sequence[FramePair],
    *,
    same_person: bool = True,
) -> dict[str, float]:
    """The result of a run, empty where the metric has nothing to say."""
    with keeps(who, rule):
        run = _started(metric, film, same_person=same_person)
        if run is None:
            return {}
        for number, pair in enumerate(film):
            value = run.add(pair)
            if value is not None and not isinstance(value, int | float | np.number):
                raise broken(who, rule, f"add gave {value!r} for frame {number}, not a number or None")
        result, again = run.result(), run.result()
        if unknown := sorted(set(result) - set(scores)):
            raise broken(who, rule, f"result holds {unknown[0]!r}, which scores does not name")
        if wrong := [name for name, value in result.items() if not math.isfinite(value)]:
            raise broken(who, rule, f"{wrong[0]} is {result[wrong[0]]}; leave out what cannot be told")
        if result != again:
            raise broken(who, rule, "result gives something else when it is asked twice")
    return dict(result)


def _knows_the_truth(who: str, scores: dict[str, Score], best: dict[str, float], worse: dict[str, float]) -> None:
    rule = "no film scores better than the real one itself"
    distance = {"higher": lambda value: -value, "lower": lambda value: value, "one": lambda value: abs(value - 1)}
    for name in best.keys() & worse.keys():
        if far := distance.get(scores[name].better):
            if far(best[name]) > far(worse[name]) + _SLACK * (1 + abs(best[name])):
                raise broken(
                    who,
                    rule,
                    f"{name} is {best[name]:g} for the real film and {worse[name]:g} for one with noise, but "
                    f"better={scores[name].better!r}",
                )


def _keeps_films_apart(
    metric: Metric, who: str, truth: Sequence[FramePair], poor: Sequence[FramePair], wanted: dict[str, float]
) -> None:
    rule = "two films at once do not disturb each other"
    with keeps(who, rule):
        runs = [_started(metric, film) for film in (truth, poor)]
        if runs[0] is None or runs[1] is None:
            return
        for pairs in zip(truth, poor):
            for run, pair in zip(runs, pairs):
                run.add(pair)
        got = runs[0].result()
        if got.keys() != wanted.keys() or not all(math.isclose(got[n], wanted[n], rel_tol=1e-4) for n in got):
            raise broken(who, rule, f"it gave {got} instead of {wanted}")


def _speaks_of_a_set(
    metric: SetMetric, who: str, scores: dict[str, Score], films: Sequence[Sequence[FramePair]]
) -> None:
    rule = "statistics of films give scores of the whole set"
    with keeps(who, rule):
        statistics = []
        for film in films:
            run = _started(metric, film)
            if run is None:
                return
            for pair in film:
                run.add(pair)
            statistics.append(run.statistics())
        result = metric.over_all(statistics)
        if unknown := sorted(set(result) - set(scores)):
            raise broken(who, rule, f"over_all gives {unknown[0]!r}, which scores does not name")
