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
from studio.settings import Settings
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
        await _serve(socket, granted, socket.query_params["ticket"])
    finally:
        _leave_place(granted.session)


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


async def _serve(socket: WebSocket, granted: Ticket, key: str) -> None:
    process = LiveProcess(granted)
    outgoing: asyncio.Queue = asyncio.Queue()
    process.begin(asyncio.get_running_loop(), outgoing)
    sender = asyncio.create_task(_send(socket, outgoing, granted, key))
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
        await asyncio.to_thread(process.close)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # closed by the other side
            await socket.close()


def _command(process: LiveProcess, wanted: dict[str, Any], key: str) -> None:
    do = wanted["do"]
    if do in ("calibrate", "record"):
        process.send("J", {"do": do})
    elif do == "stop-recording":
        process.stop_recording()
    elif do == "settings" and (now := ticket(key)) is not None:
        process.send("J", {"do": "settings", "settings": now.settings.to_dict()})


async def _send(socket: WebSocket, outgoing: asyncio.Queue, granted: Ticket, key: str) -> None:
    while (message := await outgoing.get()) is not None:
        kind, content = message
        if kind == "F":
            await socket.send_bytes(content)
            continue
        event = json.loads(content)
        if event["event"] in ("recorded", "not-recorded"):
            event = await asyncio.to_thread(finish_recording, granted.store, event)
        await socket.send_json(event)


def finish_recording(store: Store, event: dict[str, Any]) -> dict[str, Any]:
    """Makes the run of a recording done or failed, and says so to the page."""
    run = event["run"]
    try:
        if event["event"] == "not-recorded":
            store.delete(run)
            return event
        store.update(
            run, state="done", frames=event["frames"], fps=Fraction(event["fps"]), size=tuple(event["size"]),
        )  # fmt: skip
    except VisionGenError as error:
        return {"event": "not-recorded", "run": run, "message": str(error)}
    return event


class LiveProcess:
    """The child process of one connection."""

    def __init__(self, granted: Ticket) -> None:
        self._granted = granted
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

    def begin(self, loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue) -> None:
        """Starts the session; what the process tells goes to `outgoing`, None at its end."""
        threading.Thread(target=self._listen, args=(loop, outgoing), daemon=True).start()
        self.send("J", {"do": "start", "settings": self._granted.settings.to_dict(), "size": self._granted.size})

    def send(self, kind: str, content: bytes | dict[str, Any]) -> None:
        """Sends a message; nothing happens where the process has ended, which the listener tells."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            write_message(self._process.stdin, kind, content)

    def stop_recording(self) -> None:
        """Has what was recorded written as a new run."""
        settings = self._granted.settings
        name = Path(settings.portrait_name).stem
        run = self._granted.store.create(settings, self._granted.session, title=f"{name} · live")
        camera = settings.replace(driving=str(run.folder / "driving.mp4"), driving_name="camera")
        self._granted.store.update(run.id, settings=camera, state="running")
        self.send("J", {"do": "stop-recording", "run": run.id, "folder": str(run.folder)})

    def _listen(self, loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue) -> None:
        told_error = False
        with contextlib.suppress(OSError, ValueError):
            while (message := read_message(self._process.stdout)) is not None:
                told_error |= message[0] == "J" and json.loads(message[1])["event"] == "error"
                loop.call_soon_threadsafe(outgoing.put_nowait, message)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if not told_error:
                text = "the live process ended unexpectedly; start the camera again"
                event = json.dumps({"event": "error", "message": text}).encode()
                loop.call_soon_threadsafe(outgoing.put_nowait, ("J", event))
            loop.call_soon_threadsafe(outgoing.put_nowait, None)

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError):
            if not self._log.stat().st_size:
                self._log.unlink()
