"""What reaches the user's screen: our own messages, not those of the libraries underneath."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside, what C++ libraries write to file descriptor 2 and what Python warns about disappears.

    MediaPipe, TensorFlow Lite and absl log there whatever they are told. ``sys.stderr`` goes on to the screen.
    """
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        try:
            python_writes_there = sys.stderr.fileno() == 2
            sys.stderr.flush()
            saved = os.dup(2)
        except (OSError, ValueError, AttributeError):  # closed, or none at all: nothing to keep clean
            yield
            return
        stack.callback(os.close, saved)
        if python_writes_there:
            ours = os.fdopen(os.dup(saved), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
            stack.enter_context(ours)
            stack.enter_context(contextlib.redirect_stderr(ours))
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        stack.callback(os.dup2, saved, 2)
        yield


class _ScreenHandler(logging.Handler):
    """One line a message on ``sys.stderr``, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        note = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        line = f"visiongen: {note}{self.format(record)}"
        tqdm = sys.modules.get("tqdm")
        if tqdm is not None:
            tqdm.tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)


def show_log(level: str) -> None:
    """Shows what the package logs from this level on, once however often it is called."""
    log = logging.getLogger("visiongen")
    if not any(isinstance(handler, _ScreenHandler) for handler in log.handlers):
        log.addHandler(_ScreenHandler())
        log.propagate = False
    log.setLevel(level)
