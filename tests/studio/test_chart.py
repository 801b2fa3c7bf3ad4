"""Charts: their script, and what they do in a browser, read from what they send."""

from __future__ import annotations

import asyncio

import plotly.graph_objects as go
from shown_charts import shown_charts
from streamlit.testing.v1 import AppTest

from studio.plotly_script import PATH, routes


def test_the_script_is_plotlys_own_and_is_kept():
    (route,) = routes()
    answer = asyncio.run(route.endpoint(None))
    assert (
        route.path == PATH
        and answer.status_code == 200
        and answer.headers["content-type"].startswith("text/javascript")
    )
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "identity"  # else Streamlit packs 5 MB for every visitor
    assert b"plotly.js v" in answer.body[:500] and len(answer.body) > 1 << 20


def test_a_chart_sends_its_figure_and_its_name():
    def page():
        import plotly.graph_objects as go

        from studio.components.chart import chart

        chart(go.Figure(go.Scatter(x=[0, 1], y=[2, 3]), {"height": 170}), label="Scores", key="one", tools=False)
        chart(go.Figure(), label="Other", key="two", on_click=print, wheel=True)

    app = AppTest.from_function(page).run()
    assert not app.exception
    one, two = shown_charts(app)
    assert (one["label"], one["clicks"], one["tools"], one["wheel"], one["script"]) == (
        "Scores",
        False,
        False,
        False,
        PATH,
    )
    assert (two["clicks"], two["tools"], two["wheel"]) == (True, True, True)
    assert go.Figure(one["figure"]).layout.height == 170
