"""``visiongen serve``: listens until it is stopped."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import tyro

from visiongen.errors import MediaError, VisionGenError
from visiongen.scratch import scratch_folder
from visiongen.service.settings import ServiceSettings, token

_MOST_CONNECTIONS = 100


def run(arguments: list[str]) -> int:
    """Serves; returns after Ctrl-C or SIGTERM."""
    settings = tyro.cli(ServiceSettings, prog="visiongen serve", args=arguments)
    try:
        import uvicorn
    except ImportError as error:
        raise VisionGenError("visiongen serve needs uvicorn: pip install 'visiongen[serve]'") from error
    from visiongen.service.app import build_app, emptied
    from visiongen.service.jobs import JobQueue

    listener = _listener(settings)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(listener))
        try:
            folder = emptied(settings.data if settings.data else stack.enter_context(scratch_folder()))
        except OSError as error:
            raise MediaError(f"--data {settings.data}: cannot be made ({error.strerror}); choose another") from error
        jobs = JobQueue(settings, folder.resolve())
        stack.callback(jobs.close)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        guarded = "a token is needed" if token() else "without a token, for this machine only"
        print(f"visiongen serves on http://{shown}:{port} ({guarded}); Ctrl-C ends it", flush=True)
        config = uvicorn.Config(
            build_app(settings, jobs), log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS, timeout_keep_alive=10, timeout_graceful_shutdown=5,
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):  # raised once more when all is closed; that is how a service ends
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listener(settings: ServiceSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        VisionGenError: It cannot.
    """
    where = f"{settings.host} port {settings.port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        if os.name != "nt" and sys.platform != "cygwin":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_MOST_CONNECTIONS)  # whoever reads our line may ask at once, and waits until we are ready
    except OSError as error:
        reason = error.strerror or error
        raise VisionGenError(
            f"the service cannot listen on {where} ({reason}); choose another --port or --host"
        ) from error
    return listener
