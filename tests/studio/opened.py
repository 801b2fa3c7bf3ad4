"""Opens in AppTest what is folded up on a page, whose content is made only then."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def opened(app: AppTest, key: str, state: bool | str = True) -> AppTest:
    """The page with an expander open, or with a tab in front, in this run and the next one.

    Args:
        app: The page.
        key: Of the expander or the tabs.
        state: Of tabs: the name of the one.
    """
    app.session_state[key] = state
    app.run()
    app.session_state[key] = state  # AppTest does not send it by itself, as browsers do
    return app
