"""The desk: questions that no page waits for."""

from __future__ import annotations

import threading
import time

import pytest

from studio.desk import Answer, Desk
from visiongen.errors import MediaError
from visiongen.workers import WorkerDied


@pytest.fixture
def desk():
    """A desk whose worker waits for `gate` before it answers, and says what it was asked."""
    gate, asked = threading.Event(), []

    def ask(task, on_event):
        asked.append(task["name"])
        on_event({"event": "progress", "done": 3, "total": 9})
        gate.wait(10)
        if task["name"] == "bad":
            raise MediaError("no such file; choose another one")
        if task["name"] == "deadly":
            raise WorkerDied("it died; try again")
        return {"name": task["name"]}

    made = Desk(ask)
    made.gate, made.asked = gate, asked
    yield made
    gate.set()
    made.close()


def answered(desk: Desk, name: str, slot: str = "me") -> Answer:
    end = time.monotonic() + 10
    while (answer := desk.ask({"name": name}, slot=slot)).is_open:
        assert time.monotonic() < end
        time.sleep(0.01)
    return answer


def test_answers_are_remembered(desk):
    desk.gate.set()
    assert answered(desk, "a").values == {"name": "a"} == answered(desk, "a", "you").values
    assert desk.asked == ["a"]


def test_the_newest_question_of_a_slot_counts(desk):
    assert desk.ask({"name": "first"}, slot="me").is_open
    while not desk.asked:
        time.sleep(0.01)
    assert desk.ask({"name": "first"}, slot="me").progress == "Reading the clip, once: 3 of 9 frames"
    for name in ("second", "third", "fourth"):
        desk.ask({"name": name}, slot="me")
    desk.ask({"name": "other"}, slot="you")
    desk.gate.set()
    answered(desk, "fourth")
    answered(desk, "other", "you")
    assert desk.asked[0] == "first" and set(desk.asked) == {"first", "fourth", "other"}


def test_problems_are_told_and_deaths_forgotten(desk):
    desk.gate.set()
    for _ in range(2):
        assert answered(desk, "bad").problem.startswith("no such file")
        assert answered(desk, "deadly").problem.startswith("it died")
    assert desk.asked.count("bad") == 1 and desk.asked.count("deadly") == 2
