"""The Data sets page remembers: the set in the address, and runs that ended meanwhile told once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from tests.app.conftest import button


def queried(app) -> str:
    """The set that the address names; a list of one or its text, by how it came there."""
    said = app.query_params["set"]
    return said[0] if isinstance(said, list) else said


def test_the_chosen_set_survives_a_reload(open_page, demo, own_data_dir):
    shutil.copytree(demo.root, own_data_dir / "datasets" / "zebra")
    app = open_page("dataset", query={"set": "demo"})
    app.selectbox(key="dataset_chosen").set_value("zebra").run()
    assert queried(app) == "zebra"
    for name in ("demo", "zebra"):
        app = open_page("dataset", query={"set": name})
        assert app.selectbox(key="dataset_chosen").value == name == queried(app)
    app = open_page("dataset", query={"set": "../<b>gone</b>"})
    assert not app.exception and app.selectbox(key="dataset_chosen").value in ("demo", "zebra")


def test_who_comes_back_to_the_page_sees_the_same_set(open_page, demo, own_data_dir):
    shutil.copytree(demo.root, own_data_dir / "datasets" / "zebra")
    for name in ("demo", "zebra"):
        app = open_page("dataset", query={"set": name})
        app.switch_page("../pages/help.py").run()
        app.switch_page("../pages/dataset.py").run()
        assert app.selectbox(key="dataset_chosen").value == name


def done_run(root: Path, kind: str = "build", minutes_ago: float = 1.0) -> None:
    """A run that made the data set at `root`, so long ago."""
    from datetime import timedelta

    from core.jobs.run_dir import create_run
    from core.jobs.state import now, stored_state, write_state

    run = create_run(runs_root(load_settings()), kind, root.name, {"out": str(root)})
    run.write_report({"out": str(root), "made": [str(root)], "text": "4 people."})
    ended = now() - timedelta(minutes=minutes_ago)
    write_state(run.path, replace(stored_state(run.path), status="done", started=ended, ended=ended))


def test_a_run_that_ended_as_the_page_was_reloaded_is_told_once(open_page, demo, own_data_dir):
    made = own_data_dir / "datasets" / "amber"
    shutil.copytree(demo.root, made)
    done_run(made)
    app = open_page("dataset")
    assert "amber is ready. 4 people." in app.success[0].value.replace("\\", "")
    assert app.selectbox(key="dataset_chosen").value == "amber"
    app.run()
    assert not any("is ready" in each.value for each in app.success)


def test_a_reload_that_names_another_set_stays_there_and_leads_to_the_new_one(open_page, demo, own_data_dir):
    made = own_data_dir / "datasets" / "amber"
    shutil.copytree(demo.root, made)
    done_run(made)
    app = open_page("dataset", query={"set": "demo"})
    assert "amber is ready" in app.success[0].value and app.selectbox(key="dataset_chosen").value == "demo"
    button(app, "Show amber").click().run()
    assert app.selectbox(key="dataset_chosen").value == "amber" and not app.exception


@pytest.mark.parametrize("case", ["long ago", "removed", "failed"])
def test_what_is_no_news_is_not_told(case: str, open_page, demo, own_data_dir):
    done_run(
        own_data_dir / "datasets" / ("gone" if case == "removed" else "demo"), minutes_ago=11 * (case != "removed")
    )
    if case == "failed":
        from core.jobs.state import now, stored_state, write_state

        [run] = list_runs(runs_root(load_settings()))
        write_state(run.path, replace(stored_state(run.path), status="failed", ended=now(), error="x", next_step="y"))
    app = open_page("dataset")
    assert not any("is ready" in each.value for each in app.success) and not app.exception
