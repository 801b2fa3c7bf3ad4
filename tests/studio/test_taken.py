"""Files are taken once, also where a run of the page is broken off."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from studio import media_inputs, taken
from visiongen.errors import VisionGenError


class BrokenOff(BaseException):
    """What Streamlit raises in a run that it ends."""


class State(dict):
    """A session's state in which runs end at the touch `ends_at`, counted from now."""

    ends_at = -1

    def _touch(self) -> None:
        self.ends_at -= 1
        if self.ends_at == -1:
            raise BrokenOff

    def __setitem__(self, key, value):
        self._touch()
        super().__setitem__(key, value)

    def get(self, key, default=None):
        self._touch()
        return super().get(key, default)

    def setdefault(self, key, default=None):
        self._touch()
        return super().setdefault(key, default)


@pytest.fixture
def state(monkeypatch):
    """The state of a session, without Streamlit."""
    kept = State()
    fake = SimpleNamespace(session_state=kept, spinner=lambda _: contextlib.nullcontext())
    monkeypatch.setattr(taken, "st", fake)
    monkeypatch.setattr(media_inputs, "st", fake)
    for name in ("get_store", "session_id"):
        monkeypatch.setattr(media_inputs, name, lambda: None)
    monkeypatch.setattr(media_inputs, "get_queue", lambda: SimpleNamespace(ask=None))
    return kept


def test_the_same_file_is_added_once_and_another_one_again(state):
    added = []
    for file_id in ("a", "a", "b", "b", "a"):
        assert taken.take("slot", file_id, lambda i=file_id: added.append(i) or i).kept == file_id
    assert added == ["a", "b", "a"]


def test_a_file_that_cannot_be_used_says_why_as_often_as_it_is_asked(state):
    def add():
        raise VisionGenError("not a picture")

    assert [taken.take("slot", "a", add).problem for _ in range(2)] == ["not a picture"] * 2


@pytest.mark.parametrize("fails", [False, True])
def test_wherever_a_run_is_broken_off_the_next_one_has_the_file(state, fails):
    def add(data, name, **where):
        added.append(data)
        if fails:
            raise VisionGenError("no clip")
        return SimpleNamespace(name=name, seconds=3.0)

    given = SimpleNamespace(file_id="1", name="clip.mp4", getvalue=lambda: b"film")
    for touch in range(20):
        state.clear()
        added: list[bytes] = []
        state.ends_at = touch
        with contextlib.suppress(BrokenOff):
            media_inputs._take("driving", given, "upload", add)
        was_broken = state.ends_at == -1
        state.ends_at = -1
        media_inputs._take("driving", given, "upload", add)
        assert added == [b"film"], f"broken off at touch {touch}"
        assert dict.get(state, "driving_problem") == ("no clip" if fails else "")
        assert fails or (dict.get(state, "driving").name, dict.get(state, "piece")) == ("clip.mp4", (0.0, 3.0))
        if not was_broken:
            return
    pytest.fail("there were more than 20 touches")
