"""What the tests of the Training page share: how it is opened and read."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest


def opened(open_page: Any, run: Any = None, **query: str) -> AppTest:
    """The page at one run, or at the list."""
    app = open_page("training", query={**({"run": run.id} if run else {}), **query})
    assert not app.exception
    return app


def bars(app: AppTest) -> list[str]:
    return [plainly(each.proto.text) for each in app.get("progress")]


def plainly(text: str) -> str:
    return text.replace("\\", "").replace("\u2060", "")


def asked_for(app: AppTest, name: str) -> str | list[str]:
    """What the address says; one value as it is."""
    value = app.query_params[name]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def primary(app: AppTest) -> list[str]:
    return [each.label for each in app.button if each.proto.type == "primary"]
