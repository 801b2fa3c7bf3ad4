"""The WebSocket of the page Live: camera pictures in, moved portraits out, one child process for each connection.

The page asks `issue_ticket` for a ticket that names what shall be moved and for whom; the browser shows it when it
connects. A connection from another page's origin is refused: browsers let any page open WebSockets to this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from studio.gate import is_same_origin
from studio.live_protocol import CameraPicture, read_message, write_message
from studio.processes import surroundings
from studio.settings import Settings, without_ending
from studio.store import Store
from visiongen.errors import VisionGenError

PATH = "/api/live"
MOST_SESSIONS, MOST_PER_CLIENT = 3, 2
"""At once, in all and of one browser; each takes a process with a network and two threads."""
IDLE_SECONDS = 600.0
"""A connection over which nothing came for so long makes room for others."""
TICKET_SECONDS = 12 * 3600.0
_MOST_TICKETS = 200
_LARGEST_PICTURE = 1 << 20
_END_SECONDS, _WRITE_SECONDS = 2.0, 900.0
"""What a process has to end in when its page is gone; so long where it still writes and measures a recording."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What one page may do over the WebSocket."""

    settings: Settings
    """Portrait, generator and motion; the driving clip is not used."""
    session: str
    store: Store
    size: int = 256
    """Side of what is moved, px."""
    issued: float = 0.0


_tickets: dict[str, Ticket] = {}
_lock = threading.Lock()
_open_sessions = 0
_open_of: Counter[str] = Counter()
"""Client -> its open sessions."""
_endings: set[asyncio.Task] = set()
"""Of processes whose page is gone; asyncio itself does not hold on to them."""
_unfinished: set[str] = set()
"""Runs of recordings that are still being written or measured."""


def issue_ticket(settings: Settings, *, session: str, store: Store, size: int = 256) -> str:
    """A secret with which the browser may connect, also again after a break."""
    now = time.monotonic()
    with _lock:
        for old in [key for key, one in _tickets.items() if now - one.issued > TICKET_SECONDS]:
            del _tickets[old]
        while len(_tickets) >= _MOST_TICKETS:
            del _tickets[next(iter(_tickets))]
        key = secrets.token_urlsafe(24)
        _tickets[key] = Ticket(settings=settings, session=session, store=store, size=size, issued=now)
    return key


def update_ticket(key: str, settings: Settings) -> None:
    """Changes what a ticket is for; a connection that is open asks for it with ``{"do": "settings"}``."""
    with _lock:
        if key in _tickets:
            old = _tickets[key]
            _tickets[key] = Ticket(
                settings=settings, session=old.session, store=old.store, size=old.size, issued=old.issued
            )


def ticket(key: str) -> Ticket | None:
    """What a secret stands for, None for one that was never issued or is too old."""
    with _lock:
        found = _tickets.get(key)
    return found if found is not None and time.monotonic() - found.issued <= TICKET_SECONDS else None


def drop_tickets(session: str | None) -> None:
    """Tickets of a client (None: of all) are worth nothing any more."""
    with _lock:
        for key in [key for key, one in _tickets.items() if session in (None, one.session)]:
            del _tickets[key]


def is_unfinished(run: str) -> bool:
    """The recording of this run is still being written or measured."""
    return run in _unfinished


def routes() -> list[WebSocketRoute]:
    """For `studio.app`."""
    return [WebSocketRoute(PATH, live_socket)]


async def live_socket(socket: WebSocket) -> None:
    """One connection, from its handshake to its end."""
    granted = ticket(socket.query_params.get("ticket", ""))
    if not is_same_origin(socket.headers.get("origin"), socket.headers.get("host")) or granted is None:
        await socket.close(code=1008)
        return
    await socket.accept()
    if reason := _take_place(granted.session):
        await socket.send_json({"event": "error", "message": reason})
        await socket.close(code=1013)
        return
    try:
        process = LiveProcess(granted)
    except BaseException:
        _leave_place(granted.session)
        raise
    try:
        await _serve(socket, process, socket.query_params["ticket"])
    finally:
        # Not waited for: a studio that is being closed would wait for every recording that is still written.
        ending = asyncio.create_task(_ended(process, granted.session))
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)


def _take_place(session: str) -> str:
    """Why there is no place for one more session of this client; "" where it has one now."""
    global _open_sessions
    with _lock:
        if _open_sessions >= MOST_SESSIONS:
            return f"{MOST_SESSIONS} live sessions are running; close one."
        if _open_of[session] >= MOST_PER_CLIENT:
            return f"{MOST_PER_CLIENT} live sessions are running in your browser; close one."
        _open_sessions += 1
        _open_of[session] += 1
    return ""


def _leave_place(session: str) -> None:
    global _open_sessions
    with _lock:
        _open_sessions -= 1
        _open_of[session] -= 1
        if not _open_of[session]:
            del _open_of[session]


async def _serve(socket: WebSocket, process: LiveProcess, key: str) -> None:
    outgoing: asyncio.Queue = asyncio.Queue()
    process.begin(asyncio.get_running_loop(), outgoing)
    sender = asyncio.create_task(_send(socket, outgoing))
    try:
        while not sender.done():
            receive = asyncio.create_task(socket.receive())
            await asyncio.wait({receive, sender}, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not receive.done():  # nothing came for long, or the process has ended
                receive.cancel()
                break
            message = receive.result()
            if message["type"] == "websocket.disconnect":
                break
            if (data := message.get("bytes")) is not None:
                if len(data) <= _LARGEST_PICTURE:
                    CameraPicture.unpack(data)
                    await asyncio.to_thread(process.send, "F", data)
            elif text := message.get("text"):
                await asyncio.to_thread(_command, process, json.loads(text), key)
    except (WebSocketDisconnect, OSError, ValueError, KeyError, RuntimeError) as error:
        logger.info("live: the connection ended (%s)", error)
    finally:
        sender.cancel()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # closed by the other side
            await socket.close()


async def _ended(process: LiveProcess, session: str) -> None:
    """Waits for a process whose page is gone: a recording is written to its end, also one that still ran."""
    try:
        await asyncio.to_thread(process.finish)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.gone.wait(), _WRITE_SECONDS if process.is_writing else _END_SECONDS)
    finally:
        process.close()
        _leave_place(session)


def _command(process: LiveProcess, wanted: dict[str, Any], key: str) -> None:
    do = wanted["do"]
    if do == "calibrate":
        process.send("J", {"do": do})
    elif do == "record":
        process.begin_recording()
    elif do == "stop-recording":
        process.stop_recording()
    elif do == "settings" and (now := ticket(key)) is not None:
        process.send("J", {"do": "settings", "settings": now.settings.to_dict()})


async def _send(socket: WebSocket, outgoing: asyncio.Queue) -> None:
    while (message := await outgoing.get()) is not None:
        kind, content = message
        if kind == "F":
            await socket.send_bytes(content)
        else:
            await socket.send_json(json.loads(content))


def finish_recording(store: Store, event: dict[str, Any]) -> dict[str, Any]:
    """Makes the run of a recording done or removes it, keeps what was measured, and says so to the page."""
    run = event["run"]
    try:
        if event["event"] == "not-recorded":
            store.delete(run)
        elif event["event"] == "measured":
            store.update(run, summary=event["summary"], warnings=tuple(event["warnings"]))
        else:
            store.update(
                run, state="done", frames=event["frames"], fps=Fraction(event["fps"]), size=tuple(event["size"]),
                warnings=tuple(event["warnings"]), device=event["device"], frames_per_second=event["frames_per_second"],
            )  # fmt: skip
    except VisionGenError as error:
        return {"event": "not-recorded", "run": run, "message": str(error)}
    return event


class LiveProcess:
    """The child process of one connection."""

    def __init__(self, granted: Ticket) -> None:
        self._granted = granted
        self.gone = asyncio.Event()
        """The process has ended, and all that it told is known."""
        log = granted.store.root / "logs"
        log.mkdir(parents=True, exist_ok=True)
        # Threads that wait by spinning would cost more than they bring: small networks share few cores.
        where = surroundings()
        where["env"]["OMP_WAIT_POLICY"] = "PASSIVE"
        with (log / f"live-{os.getpid()}-{secrets.token_hex(3)}.log").open("wb") as stderr:
            self._log = Path(stderr.name)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "studio.live_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                **where,
            )
        self._writing = threading.Lock()
        self._is_recording = False
        self._runs: set[str] = set()

    @property
    def is_writing(self) -> bool:
        """A recording is not written and measured to its end yet."""
        return bool(self._runs)

    def begin(self, loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue) -> None:
        """Starts the session; what the process tells goes to `outgoing`, None at its end."""
        threading.Thread(target=self._listen, args=(loop, outgoing), daemon=True).start()
        self.send("J", {"do": "start", "settings": self._granted.settings.to_dict(), "size": self._granted.size})

    def send(self, kind: str, content: bytes | dict[str, Any]) -> None:
        """Sends a message; nothing happens where the process has ended, which the listener tells."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            write_message(self._process.stdin, kind, content)

    def begin_recording(self) -> None:
        """Keeps what passes from now on."""
        self._is_recording = True
        self.send("J", {"do": "record"})

    def stop_recording(self) -> None:
        """Has what was recorded written as a new run."""
        self._is_recording = False
        settings = self._granted.settings
        name = without_ending(settings.portrait_name)
        run = self._granted.store.create(settings, self._granted.session, title=f"{name} · live")
        camera = settings.replace(driving=str(run.folder / "driving.mp4"), driving_name="camera")
        self._granted.store.update(run.id, settings=camera, state="running")
        self._runs.add(run.id)
        _unfinished.add(run.id)
        self.send("J", {"do": "stop-recording", "run": run.id, "folder": str(run.folder)})

    def _listen(self, loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue) -> None:
        told_error = False
        with contextlib.suppress(OSError, ValueError):
            while (message := read_message(self._process.stdout)) is not None:
                if message[0] == "J":
                    event = self._noted(json.loads(message[1]))
                    told_error |= event["event"] == "error"
                    message = ("J", json.dumps(event).encode())
                loop.call_soon_threadsafe(outgoing.put_nowait, message)
        self._give_up_runs()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if not told_error:
                text = "the live process ended unexpectedly; start the camera again"
                event = json.dumps({"event": "error", "message": text}).encode()
                loop.call_soon_threadsafe(outgoing.put_nowait, ("J", event))
            loop.call_soon_threadsafe(outgoing.put_nowait, None)
            loop.call_soon_threadsafe(self.gone.set)

    def _noted(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event after what it says of a recording was kept, also where no page listens any more."""
        if event["event"] not in ("recorded", "not-recorded", "measured"):
            return event
        event = finish_recording(self._granted.store, event)
        if event["event"] != "recorded":
            self._runs.discard(event["run"])
            _unfinished.discard(event["run"])
        return event

    def _give_up_runs(self) -> None:
        """Recordings that the process left behind: a film that is there stays."""
        for run in list(self._runs):
            self._runs.discard(run)
            _unfinished.discard(run)
            found = self._granted.store.find(run)
            if found is not None and found.state == "running":
                with contextlib.suppress(VisionGenError):
                    problem = "the live process ended before the recording was written; record again"
                    self._granted.store.update(run, state="failed", problem=problem)

    def finish(self) -> None:
        """No more messages: the process ends when it has written what is recorded."""
        if self._is_recording:
            with contextlib.suppress(VisionGenError):  # a full disk: the recording is lost
                self.stop_recording()
        with self._writing, contextlib.suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Ends the process where it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            if not self._log.stat().st_size:
                self._log.unlink()
