"""A page knows when a browser has asked for a file."""

from __future__ import annotations

import asyncio
import threading
import time

from studio.fetched import Fetched, note, wait_until_fetched


def test_a_page_goes_on_when_the_file_is_asked_for():
    since = time.monotonic()
    asking = threading.Timer(0.05, note, ("/under/a/path/media/one",))
    asking.start()
    assert wait_until_fetched("/media/one", since=since, at_most=30)
    assert time.monotonic() - since < 20
    asking.join()


def test_it_goes_on_without_the_browser_too():
    note("/media/two")
    since = time.monotonic()
    note("/media/three")
    assert not wait_until_fetched("/media/two", since=since, at_most=0.05), "that was for another page"
    assert wait_until_fetched("/media/three", since=since, at_most=0)


def test_requests_pass_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    since = time.monotonic()
    web, socket = {"type": "http", "path": "/media/four"}, {"type": "websocket", "path": "/media/five"}
    for scope in (web, socket):
        asyncio.run(Fetched(app)(scope, "receive", "send"))
    assert seen == [(web, "receive", "send"), (socket, "receive", "send")]
    assert wait_until_fetched("/media/four", since=since, at_most=0)
    assert not wait_until_fetched("/media/five", since=since, at_most=0)
