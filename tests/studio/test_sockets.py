"""What the server writes leaves at once."""

from __future__ import annotations

import socket

from studio.sockets import listening, send_at_once


def nodelay(one: socket.socket) -> bool:
    """Whether it holds nothing back."""
    return bool(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_connections_of_a_listening_socket_hold_nothing_back():
    with socket.socket() as server, socket.socket() as other, socket.socket(type=socket.SOCK_DGRAM):
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert server in listening() and other not in listening()
        send_at_once()
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                assert nodelay(accepted)
                assert not nodelay(client) and not nodelay(other), "only what the server accepts"
    assert server not in listening(), "closed"
