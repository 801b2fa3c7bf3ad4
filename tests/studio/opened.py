"""Opens in AppTest what is folded up on a page, whose content is made only then."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def opened(app: AppTest, key: str, state: bool | str = True) -> AppTest:
    """The page with an expander open, or with a tab in front, in this run and the next one.

    AppTest does not send this state by itself, as browsers do. A page that runs a second time within the run, because an answer
    came that it waited for, has lost it by then; so it is asked for until it holds.

    Args:
        app: The page.
        key: Of the expander or the tabs.
        state: Of tabs: the name of the one.
    """
    for _ in range(5):
        app.session_state[key] = state
        app.run()
        if app.session_state[key] == state:
            break
    else:
        raise AssertionError(f"{key} does not stay {state!r}")
    app.session_state[key] = state
    return app
