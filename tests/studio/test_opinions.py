"""Blind opinions: pairs, means and intervals."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from studio.compare_data import same_input, settings_that_differ
from studio.opinions import (
    CRITERIA,
    half_width,
    mean_opinions,
    method_of,
    next_pair,
    opinions_figure,
    pairs,
    ratings_csv,
)
from studio.project import export_project
from studio.settings import Part
from studio.store import Rating, Store


def rating(run: str, opponent: str, score: int, session: str = "me") -> Rating:
    return Rating(run_id=run, scores=dict.fromkeys(CRITERIA, score), session=session, created=0.0, opponent=opponent)


def test_runs_of_an_opened_project_are_paired(finished_run, tmp_path):
    other = replace(finished_run, id="b", settings=finished_run.settings.replace(generator=Part(name="vae-gan")))
    unpacked = Store(tmp_path / "other").import_project(export_project([finished_run, other], tmp_path / "p.zip"), "me")
    assert unpacked[0].settings.portrait != unpacked[1].settings.portrait, "each has a copy of its own"
    (one,) = pairs(unpacked)
    assert same_input(*one)
    assert settings_that_differ(*(run.settings for run in one)).keys() == {"Generator"}
    picture = Path(unpacked[0].settings.portrait)
    picture.write_bytes(picture.read_bytes() + b"another")
    assert pairs(unpacked) == [] and not same_input(*one)


@pytest.fixture
def films(finished_run):
    """Three films of one input by three methods, one of another input, one that failed."""
    made = []
    for name, part in (("a", Part(name="warp")), ("b", Part(name="vae-gan")),
                       ("c", Part(name="vae-gan", options={"painting": 0.5}))):  # fmt: skip
        made.append(replace(finished_run, id=name, settings=finished_run.settings.replace(generator=part)))
    other = replace(
        finished_run, id="d", settings=finished_run.settings.replace(start=0.1, generator=Part(name="vae-gan"))
    )
    return [*made, other, replace(made[1], id="e", state="failed")]


def test_only_films_of_one_input_by_different_methods_are_compared(films):
    assert {(a.id, b.id) for a, b in pairs(films)} == {("a", "b"), ("a", "c"), ("b", "c")}
    assert method_of(films[2]) == "vae-gan (painting 0.5)"
    assert pairs(films[:1]) == []


def test_the_pair_seen_least_comes_next_and_sides_are_random(films):
    found = pairs(films)
    seen = [rating("a", "b", 3), rating("b", "a", 3), rating("c", "a", 3), rating("a", "c", 2)]
    drawn = {tuple(run.id for run in next_pair(found, seen, "me", chance=random.Random(n))) for n in range(30)}
    assert drawn == {("b", "c"), ("c", "b")}
    others = {frozenset(run.id for run in next_pair(found, seen, "you", chance=random.Random(n))) for n in range(30)}
    assert len(others) == 3, "what somebody else rated does not count"
    assert next_pair([], [], "me", chance=random.Random(0)) is None


def test_the_interval_is_students():
    scores = [3, 4, 4, 5, 2, 4]
    low, high = stats.t.interval(0.95, len(scores) - 1, loc=sum(scores) / 6, scale=stats.sem(scores))
    assert half_width(scores) == pytest.approx((high - low) / 2)
    assert math.isnan(half_width([4]))
    assert half_width([4, 4, 4]) == 0


def test_means_are_by_method_and_criterion():
    given = [rating("a", "b", 2), rating("b", "a", 5), rating("a2", "b", 4), rating("gone", "b", 1)]
    found = {(one.method, one.criterion): one for one in mean_opinions(given, {"a": "warp", "a2": "warp", "b": "net"})}
    assert set(found) == {(m, c) for m in ("warp", "net") for c in (*CRITERIA, "all")}
    assert found["warp", "realism"].mean == 3 and found["warp", "all"].count == 2
    assert found["net", "all"].mean == 5 and math.isnan(found["net", "all"].half_width)
    assert len(opinions_figure(list(found.values())).data) == 2


def test_the_table_names_nobody():
    text = ratings_csv([rating("a", "b", 2, "secret"), rating("b", "a", 5, "other")], {"a": "warp"})
    assert "secret" not in text and "other" not in text
    assert text.splitlines()[1].split(",")[3] == "1" and text.splitlines()[2].split(",")[3] == "2"
