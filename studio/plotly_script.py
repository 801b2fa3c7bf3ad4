"""The script that draws charts: plotly.js as the package `plotly` has it, at an address that browsers keep."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = f"/api/plotly-{version('plotly')}.min.js"
"""Of another version another one: what is kept never gets old."""
_HEADERS = {
    "cache-control": "public, immutable, max-age=31536000",
    # Said, so that Streamlit does not compress it for every visitor, which takes half a second.
    "content-encoding": "identity",
}


@cache
def _script() -> bytes:
    spec = find_spec("plotly")  # without importing it
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()


async def _answer(request: Request) -> Response:
    return Response(_script(), media_type="text/javascript", headers=_HEADERS)


def routes() -> list[Route]:
    """For the server."""
    return [Route(PATH, _answer)]
