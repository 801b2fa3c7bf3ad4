"""Has bad files read in processes of their own, with limits, and sees what they touch.

``python tests/bad_file_runs.py`` is the server: it imports everything once, and reads each file in a fork of itself.
"""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import ctypes
import http.server
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bad_file_readers import READERS, check_sentence, warm_up
from bad_files import BadFile, Trap, write
from bad_pictures import picture
from bad_videos import video

MEMORY = 1536 << 20
"""Bytes that reading a file may take, beyond what the program takes by itself."""
CPU_SECONDS, WALL_SECONDS = 20, 120
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn",
              "os.spawn", "os.symlink", "os.link", "webbrowser.open")  # fmt: skip
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "shutil.move", "shutil.rmtree")
_OPEN_OR_CHANGED = 0x1 | 0x2 | 0x20 | 0x100 | 0x200  # inotify: read, written, opened, created, deleted


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one file with one reader."""

    result: str
    """read, refused, or a fault: raised, died, too slow, memory, touched."""
    message: str = ""
    seconds: float = 0.0
    """Of the CPU."""
    megabytes: float = 0.0
    """By which memory grew, at most."""

    @property
    def is_fine(self) -> bool:
        """Read, or refused in a sentence."""
        return self.result in ("read", "refused")


# --- the server -------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Reads tasks from standard input, one JSON object a line, and answers in the same way."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warm_up()
    for line in sys.stdin:
        answers.write(json.dumps(_in_fork(json.loads(line))) + "\n")
        answers.flush()


def _in_fork(task: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            answer = _limited(task)
        except BaseException as error:
            answer = {"result": "raised", "message": f"harness: {error!r}"}
        os.write(writing, json.dumps(answer).encode()[:60000])
        os._exit(0)
    os.close(writing)
    ready, *_ = select.select([reading], [], [], WALL_SECONDS)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    answer = os.read(reading, 1 << 16) if ready else b""
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if answer:
        return json.loads(answer)
    if not ready or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"result": "too slow", "message": f"not done after {CPU_SECONDS} s of CPU or {WALL_SECONDS} s"}
    return {
        "result": "died",
        "message": signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}",
    }


def _limited(task: dict[str, Any]) -> dict[str, Any]:
    from visiongen.errors import VisionGenError

    path, work = Path(task["path"]), Path(task["work"])
    touched: list[str] = []
    os.chdir(work)
    os.environ.update(HOME=str(work), TMPDIR=str(work), XDG_CONFIG_HOME=str(work), XDG_CACHE_HOME=str(work))
    tempfile.tempdir = str(work)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY,) * 2)
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    sys.addaudithook(_watch(touched, work, task["trap"], str(path.parent)))
    try:
        READERS[task["reader"]](path, work)
        answer = {"result": "read", "message": ""}
    except VisionGenError as error:
        answer = {"result": "refused", "message": str(error)}
        try:
            check_sentence(str(error))
        except AssertionError as fault:
            answer = {"result": "raised", "message": f"no sentence: {fault}"}
        if type(error.__cause__) is MemoryError:  # not FFmpeg's, which refuses sizes that it does not believe
            answer = {"result": "memory", "message": str(error)}
    except MemoryError as error:
        answer = {"result": "memory", "message": repr(error)}
    except BaseException as error:
        answer = {"result": "raised", "message": f"{type(error).__name__}: {str(error)[:1000]}"}
    if touched and answer["result"] in ("read", "refused"):
        answer = {"result": "touched", "message": "; ".join(touched[:5])}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {**answer, "seconds": time.process_time() - begun, "megabytes": grown / 1024}


def _is_encoder(command: Any, given: str) -> bool:
    """MoviePy's ffmpeg, which writes the copy that browsers play: it is handed frames, and never the file itself."""
    words = list(map(os.fsdecode, command)) if isinstance(command, list | tuple) else []
    return bool(words) and "imageio_ffmpeg" in words[0] and not any(given in word for word in words)


def _watch(touched: list[str], work: Path, trap: str, given: str) -> Any:
    """An audit hook that notes what Python touches outside of `work`."""
    allowed = (str(work) + os.sep, "/dev/null", "/dev/shm/", "/proc/self/")

    def note(event: str, arguments: tuple) -> None:
        if event == "subprocess.Popen" and _is_encoder(arguments[1], given):
            return
        if event in _FORBIDDEN:
            touched.append(f"{event} {arguments[:2]!r}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path, flags = os.path.abspath(os.fsdecode(arguments[0])), arguments[2] or 0
            if path.startswith(trap) or (flags & _WRITES and not path.startswith(allowed)):
                touched.append(f"open {path!r} {flags:#x}")
        elif event in _CHANGES and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if not (path + os.sep).startswith(allowed):
                touched.append(f"{event} {path!r}")

    return note


# --- the other side ---------------------------------------------------------------------------------------------------


class Watch:
    """Which files of a folder any process opens, reads or changes; Linux's inotify."""

    def __init__(self, folder: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._file = library.inotify_init1(os.O_NONBLOCK)
        assert library.inotify_add_watch(self._file, os.fsencode(folder), _OPEN_OR_CHANGED) > 0

    def seen(self) -> bool:
        """Whether anything happened since it was last asked."""
        try:
            return bool(os.read(self._file, 1 << 16))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Ends it."""
        os.close(self._file)


class Runner:
    """Reads bad files below a folder; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        secret = folder / "trap"
        secret.mkdir(parents=True)
        for name, data in (("secret.mp4", video("mp4")), ("secret.png", picture("PNG")), ("secret.txt", b"a secret")):
            (secret / name).write_bytes(data)
        self.hits: list[str] = []
        self._web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self.trap = Trap(folder=str(secret), url=f"http://127.0.0.1:{self._web.server_port}")
        self._watch = Watch(secret)
        self._log = (folder / "server.log").open("wb")
        self._server: subprocess.Popen | None = None
        self._count = 0

    def _handler(self) -> type:
        hits = self.hits

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hits.append(self.path)
                self.send_error(404)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stdin.close()
            self._server.wait(30)
            self._server.stdout.close()
        self._web.shutdown()
        self._web.server_close()
        self._watch.close()
        self._log.close()

    def _ask(self, task: dict[str, Any]) -> dict[str, Any]:
        if self._server is None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            self._server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                                            text=True, env=environment)  # fmt: skip
        self._server.stdin.write(json.dumps(task) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def outcome(self, one: BadFile, reader: str) -> Outcome:
        """Writes a bad file, has it read, and looks at what was left behind; all of it is removed."""
        self._count += 1
        place = self.folder / f"{self._count:05d}"
        work = place / "work"
        work.mkdir(parents=True)
        path = write(one, place / "given")
        before = _listing(place / "given")
        self.hits.clear()
        self._watch.seen()
        found = Outcome(**self._ask({"reader": reader, "path": str(path), "work": str(work), "trap": self.trap.folder}))
        faults = [f"asked the server for {hit}" for hit in self.hits]
        faults += ["the folder with secrets was opened"] * self._watch.seen()
        faults += ["the file's own folder was changed"] * (_listing(place / "given") != before)
        faults += [f"made {one.name}" for one in work.rglob("*made*")]
        faults += [f"new in the folder above: {one}" for one in os.listdir(place) if one not in ("given", "work")]
        shutil.rmtree(place)
        if one.refuse and found.result == "read":
            faults.append("read, though it should be refused")
        return Outcome(result="touched", message="; ".join(faults)) if faults and found.is_fine else found


def _listing(folder: Path) -> dict[bytes, tuple[int, int]]:
    with os.scandir(os.fsencode(folder)) as entries:
        return {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in entries}


if __name__ == "__main__":
    serve()
