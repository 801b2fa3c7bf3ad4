"""Quick questions to the worker that no page waits for: asked, answered later, remembered; the newest counts."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from visiongen.errors import VisionGenError
from visiongen.workers import WorkerDied

logger = logging.getLogger(__name__)
_KEPT = 32


@dataclass(frozen=True)
class Answer:
    """What became of a question: still open, answered, or failed."""

    values: dict[str, Any] | None = None
    problem: str = ""
    """Why there is no answer, in one sentence."""
    may_pass: bool = False
    """The problem lay not in the question: the worker died."""
    progress: str = ""
    """How far an open question is, for people; "" where it has not begun."""

    @property
    def is_open(self) -> bool:
        """Nobody knows yet."""
        return self.values is None and not self.problem


class Desk:
    """Asks one question after the other in a thread. A newer question of a slot takes the place of one that waits."""

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        """
        Args:
            ask: Called with a task and ``on_event``; see `studio.jobs.JobQueue.ask`.
        """
        self._ask = ask
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._asking, self._progress = "", ""
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="studio-desk", daemon=True)
        self._thread.start()

    def ask(self, task: dict[str, Any], *, slot: str) -> Answer:
        """The answer to a question, or that it is still open; call it again until it is not.

        Args:
            task: For `studio.worker`; equal tasks have one answer.
            slot: Who asks for what, such as "<session> preview".
        """
        key = json.dumps(task, sort_keys=True)
        with self._condition:
            if key in self._answers:
                self._answers.move_to_end(key)
                answer = self._answers[key]
                if answer.may_pass:  # told once; who asks again may have better luck
                    del self._answers[key]
                return answer
            if key == self._asking:
                return Answer(progress=self._progress)
            self._waiting[slot] = (key, task)
            self._condition.notify()
            return Answer()

    def close(self) -> None:
        """No more questions."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def _note(self, event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            of = f" of {event['total']}" if event["total"] else ""
            self._progress = f"Reading the clip, once: {event['done']}{of} frames"

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                _, (key, task) = self._waiting.popitem(last=False)
                self._asking, self._progress = key, ""
            try:
                answer = Answer(values=self._ask(task, on_event=self._note))
            except VisionGenError as error:
                answer = Answer(problem=str(error), may_pass=isinstance(error, WorkerDied))
            except Exception as error:
                logger.exception("question %s", task.get("do"))
                answer = Answer(problem=f"{task.get('do')} failed: {type(error).__name__}: {error}")
            with self._condition:
                self._asking = ""
                self._answers[key] = answer
                while len(self._answers) > _KEPT:
                    self._answers.popitem(last=False)
