"""The Accuracy page at one run's part, and what it says."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from tests.app.conftest import shown


def opened(open_page: Any, run: Any = None, part: str = "", **state: Any) -> AppTest:
    """The page at one run's part, or at the list."""
    app = open_page("accuracy", query={"run": run.id} if run else {}, **state)
    assert not app.exception
    if part:
        app.segmented_control(key="accuracy_part").set_value(part).run()
        assert not app.exception
    return app


def plainly(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")


def said(app: AppTest) -> str:
    return plainly(shown(app))
