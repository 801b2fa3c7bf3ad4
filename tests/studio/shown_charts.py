"""The charts that a page shows in AppTest."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def shown_charts(app: AppTest) -> list[dict[str, Any]]:
    """What `studio.components.chart` sends to the browser, its figure read."""
    sent = [one.proto for one in app.get("bidi_component") if one.proto.component_name == "visiongen_chart"]
    return [{**data, "figure": json.loads(data["figure"])} for data in (json.loads(one.json) for one in sent)]
