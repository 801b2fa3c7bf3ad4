"""The server's socket: what is written leaves at once."""

from __future__ import annotations

import gc
import socket


def listening() -> list[socket.socket]:
    """The TCP sockets of this process that wait for connections."""
    found = []
    for one in gc.get_objects():
        if type(one) is not socket.socket or one.fileno() < 0 or one.type != socket.SOCK_STREAM:
            continue
        is_tcp = one.family in (socket.AF_INET, socket.AF_INET6)
        if is_tcp and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.append(one)
    return found


def send_at_once() -> None:
    """Connections of this server no longer hold a small piece back until the one before it is confirmed.

    asyncio switches that off, but not for a socket that Streamlit opened itself and handed over. Browsers confirm up to
    40 ms late: a script, whose head and body are two pieces, took as long, and of a hundred scripts six come at a time.
    """
    for one in listening():
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
