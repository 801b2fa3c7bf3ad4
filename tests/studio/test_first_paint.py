"""What the browser paints before the studio is there."""

from __future__ import annotations

import asyncio

import pytest

from studio.first_paint import FirstPaint, with_first_content

PAGE = b'<html><head><title>Streamlit</title></head><body><div id="root"></div></body></html>'


def answer(content_type: bytes, body: list[bytes], *, status: int = 200, method: str = "GET") -> tuple[dict, bytes]:
    """Headers and body of what an application's answer becomes."""

    async def app(scope, receive, send):
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % sum(map(len, body))), (b"etag", b"x")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, part in enumerate(body, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(body)})

    sent: list[dict] = []

    async def send(message):
        sent.append(message)

    asyncio.run(FirstPaint(app)({"type": "http", "method": method}, None, send))
    return dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("cut", [1, 40, len(PAGE)])
def test_a_page_says_what_opens(cut):
    headers, body = answer(b"text/html; charset=utf-8", [PAGE[:cut], PAGE[cut:]])
    text = body.decode()
    assert text.index('id="root"') < text.index("The studio is opening") < text.index("</body>")
    assert "<title>VisionGen 3D</title>" in text
    assert int(headers[b"content-length"]) == len(body) and b"etag" not in headers  # of the page as it was


@pytest.mark.parametrize(
    ("content_type", "status", "method"),
    [(b"text/css", 200, "GET"), (b"text/html", 404, "GET"), (b"text/html", 200, "HEAD")],
)
def test_everything_else_passes_as_it_is(content_type, status, method):
    headers, body = answer(content_type, [PAGE], status=status, method=method)
    assert body == PAGE and headers[b"etag"] == b"x"


def test_a_page_of_another_shape_is_left_alone():
    assert with_first_content(b"<html><body>other</body></html>") == b"<html><body>other</body></html>"


def test_streamlit_still_has_the_place_for_it():
    from importlib import resources

    page = (resources.files("streamlit") / "static" / "index.html").read_bytes()
    assert with_first_content(page).count(b"The studio is opening") == 1
