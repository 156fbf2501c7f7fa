"""Data sets: empty, made, leaking, filtered, rejected, built, removed. On real data sets of a few drawn people."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from core.dataset.build import build
from core.dataset.check import check
from core.dataset.errors import BuildRefused, SourceInvalid
from core.dataset.findings import Finding
from core.dataset.library import datasets_root
from core.dataset.manifest import Dataset, read_dataset, write_dataset
from core.dataset.rejects import reject_row, rejects_bytes
from core.dataset.scan import scan
from core.dataset.synthetic import make_demo
from core.dataset.verdicts import keep_verdict
from core.errors import SettingsInvalid, StorageFailed
from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from dashboard.dataset_build import shares_of
from dashboard.dataset_check import ROWS_SHOWN, evidence
from dashboard.dataset_degrade import recipe_text
from dashboard.dataset_faces import filtered, triples_html
from dashboard.dataset_make import look, typed_path
from dashboard.dataset_reads import choices, pair_table, vlr_sizes
from dashboard.dataset_rejected import rejects_html
from tests.app.conftest import button, png, shown

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn people of six images each, closed-set."""
    root = tmp_path_factory.mktemp("drawn") / "demo"
    make_demo(root, 4, 6)
    return root


@pytest.fixture
def demo(drawn: Path, own_data_dir: Path) -> Dataset:
    """The same in this test's own data folder."""
    root = own_data_dir / "datasets" / "demo"
    shutil.copytree(drawn, root)
    return read_dataset(root)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the page would start, instead of a process."""
    calls: list[tuple[str, dict[str, object]]] = []

    def instead(settings, kind, config, *, slug):
        calls.append((kind, dict(config)))

    monkeypatch.setattr("dashboard.dataset_work.launch", instead)
    return calls


def checked(dataset: Dataset) -> Dataset:
    keep_verdict(load_settings(), dataset, check(dataset))
    return dataset


def html_with(app, mark: str) -> str:
    [found] = [each.proto.body for each in app.get("html") if mark in each.proto.body and "<img" in each.proto.body]
    return found


def leaking(demo: Dataset, own_data_dir: Path) -> Dataset:
    """An identity-disjoint set into whose train some images of a val person were put."""
    root = own_data_dir / "datasets" / "leaking"
    build(scan(demo.root), root, mode="identity-disjoint", shares={"train": 0.5, "val": 0.5})
    made = read_dataset(root)
    frame = made.frame.copy()
    pairs = sorted(frame.loc[(frame["split"] == "val") & (frame["kind"] == "hr"), "pair"])[:2]
    frame.loc[frame["pair"].isin(pairs), "split"] = "train"
    return write_dataset(root, frame, made.info)


def test_an_empty_page_names_the_next_step_and_makes_the_demo_in_one_click(open_page, launched):
    app = open_page("dataset")
    assert not app.exception and not app.error and "No data set yet" in shown(app)
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Make the demo"]
    button(app, "Make the demo").click().run()
    [(kind, config)] = launched
    assert kind == "demo" and config["identities"] == 24 and str(config["out"]).endswith("datasets/demo")


def test_a_checked_demo_is_fit_and_labelled_as_drawn_wherever_its_figures_show(open_page, demo):
    checked(demo)
    app = open_page("dataset")
    assert not app.exception and not app.error
    assert "Fit for training" in app.success[0].value
    text = shown(app)
    assert text.count("Drawn faces, nobody's photograph") >= 3  # badge, verdict, charts
    assert "demo (closed-set, drawn faces)" in app.selectbox(key="dataset_chosen").options
    for section in ("faces", "degrade"):
        assert "Drawn faces, nobody's photograph" in shown(open_page("dataset", dataset_section=section))


def test_an_unchecked_set_asks_for_its_check(open_page, demo, launched):
    app = open_page("dataset")
    assert "Not checked yet" in app.warning[0].value
    assert [each.label for each in app.button if each.proto.type == "primary"] == ["Check it now"]
    button(app, "Check it now").click().run()
    assert launched == [("check", {"root": str(demo.root)})]


def test_a_leaking_set_is_red_says_the_effect_and_shows_the_images(open_page, demo, own_data_dir):
    made = checked(leaking(demo, own_data_dir))
    app = open_page("dataset", query={"set": "leaking"})
    [error] = app.error
    assert "Training on this data set would lie" in error.value
    assert "validation will look better than it is on strangers" in error.value
    assert any(each.label.startswith("People in two splits") for each in app.expander)
    app = open_page("dataset", query={"set": "leaking"}, dataset_finding_0_identity_overlap=True)
    hr = made.frame[made.frame["kind"] == "hr"]
    [person] = hr.groupby("identity")["split"].nunique().loc[lambda sides: sides > 1].index
    assert f"{person} · train" in shown(app) and f"{person} · val" in shown(app) and not app.exception


def test_a_verdict_of_an_earlier_manifest_isn_t_shown(open_page, demo):
    checked(demo)
    frame = demo.frame.copy()
    frame.loc[0, "source"] = "changed"
    write_dataset(demo.root, frame, demo.info)
    assert "Not checked yet" in open_page("dataset").warning[0].value


def test_faces_are_shown_in_three_sizes_and_filtered(open_page, demo):
    app = open_page("dataset", dataset_section="faces")
    html = html_with(app, "<figure")
    assert html.count("<figure") == 24 and html.count("class='ef-pixels'") == 24 and html.count("<img") == 72
    assert "24 images of 4 people" in shown(app)
    app.selectbox(key="dataset_person").set_value("002").run()
    assert "6 of 24 images of 1 person" in shown(app)
    app.selectbox(key="dataset_only_session").set_value("02").run()
    assert "1 of 24 image" in shown(app) and not app.exception
    app.selectbox(key="dataset_only_camera").set_value("050").run()
    assert "No image fits" in app.info[0].value


def test_filters_are_columns_that_have_few_values(demo):
    table = pair_table(demo)
    assert set(choices(table)) == {"session", "recording", "camera", "illumination"}
    assert vlr_sizes(demo) == [16, 24, 32] and len(table) == 24
    assert filtered(table, {"identity": "001", "split": "val"})["identity"].tolist() == ["001"]
    assert all((demo.root / path).is_file() for path in table["vlr_16"])


def test_what_cannot_be_read_leaves_the_others_standing_and_names_are_text(demo):
    table = pair_table(demo).head(2).copy()
    table["identity"] = NASTY
    (demo.root / table.iloc[0]["hr"]).write_bytes(b"no picture")
    html = triples_html(demo, table, 16)
    assert html.count("ef-noface") == 1 and html.count("<figure") == 2
    assert NASTY not in html and "&lt;img" in html


def test_rejected_photographs_are_listed_with_reason_and_picture(open_page, demo, tmp_path):
    import numpy as np

    from core.dataset.photograph import Photograph, Rejected

    photo = tmp_path / "far.png"
    photo.write_bytes(png(np.full((300, 200, 3), 90, np.uint8)))
    rows = [
        reject_row(Photograph(photo, "Ada", "far", "Ada/far.png"), Rejected("no_face", "No face was found.")),
        reject_row(Photograph(tmp_path / "gone", NASTY, "gone", "x/gone"), Rejected("unreadable", "It is empty.")),
    ]
    (demo.root / "rejected.csv").write_bytes(rejects_bytes(rows))
    app = open_page("dataset", dataset_section="rejected")
    text = shown(app)
    assert "2 photographs couldn't be used" in text and "No face was found." in text
    html = rejects_html(pd.DataFrame(rows))
    assert html.count("<img") == 1 and "can't be shown" in html and NASTY not in html


def test_both_degradations_are_drawn_and_the_camera_again(open_page, demo):
    app = open_page("dataset", dataset_section="degrade")
    html = html_with(app, "ef-source")
    assert all(f"{method} {px} px" in html for method in ("bicubic", "camera") for px in (16, 24, 32))
    before = [each.value for each in app.caption if "This camera" in each.value]
    button(app, "Draw the camera again").click().run()
    after = [each.value for each in app.caption if "This camera" in each.value]
    assert before != after and "seed 1" in after[0] and not app.exception
    said = recipe_text({"blur_px": [1.25, 0.5], "kernel": "area", "shot": 0.001, "gamma": 2.2, "quality": 40})
    assert said == "blur 1.2 by 0.5 px of 112, area reduction, shot noise 0.0010, gamma 2.2, JPEG quality 40"


def test_a_build_starts_with_what_was_chosen(open_page, demo, launched):
    app = open_page("dataset", dataset_section="build")
    app.radio(key="dataset_mode_chosen").set_value("both")
    app.number_input(key="dataset_seed_chosen").set_value(7)
    app.selectbox(key="dataset_build_chosen_camera").set_value("051")
    button(app, "Build").click().run()
    [(kind, config)] = launched
    assert kind == "build" and not app.exception
    assert config["mode"] == "both" and config["seed"] == 7 and config["only"] == {"camera": "051"}
    assert config["source"] == str(demo.root) and str(config["out"]).endswith("datasets/demo-both")
    assert config["shares"] == {"train": 0.8, "val": 0.1, "test": 0.1}


def test_a_name_that_leads_elsewhere_is_refused(open_page, demo, launched):
    app = open_page("dataset", dataset_section="build")
    app.text_input(key="dataset_called_chosen").set_value("../../evil")
    button(app, "Build").click().run()
    assert "can't name a data set" in app.error[0].value.replace("\\", "") and launched == []


def test_a_folder_is_looked_at_then_taken_in(open_page, launched, tmp_path, astronaut):
    for who in ("Ada", "Grace"):
        (tmp_path / "people" / who).mkdir(parents=True)
        (tmp_path / "people" / who / "1.png").write_bytes(astronaut)
    app = open_page("dataset")
    app.text_input(key="dataset_path").set_value(str(tmp_path / "people"))
    button(app, "Look what it holds").click().run()
    assert "Recognised as photographs" in app.info[0].value and "2 people, 2 images" in app.info[0].value
    button(app, "Take them in").click().run()
    [(kind, config)] = launched
    assert kind == "ingest" and config["source"] == str(tmp_path / "people") and config["check"] is True
    assert str(config["out"]).endswith("datasets/people")


@pytest.mark.parametrize("typed", ["", "  ", "photographs", "~nobody-of-this-name/x", "/\0/x"])
def test_what_is_no_path_is_said_to_be_none(typed: str):
    with pytest.raises(SourceInvalid) as caught:
        typed_path(typed)
    assert caught.value.next_step


def test_a_quoted_path_and_one_that_is_too_long(tmp_path):
    assert typed_path(f"'{tmp_path}'") == tmp_path
    with pytest.raises((StorageFailed, SourceInvalid)):
        look("/" + "x" * 3000, None, "", {})


@pytest.mark.parametrize("fault", ["empty", "case", "column", "gone", "permission"])
def test_bad_folders_are_answered_in_words(fault: str, open_page, tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    if fault == "case":
        for who in ("Ada", "ada"):
            (source / who).mkdir()
            (source / who / f"{who}.png").write_bytes(b"x")
    elif fault == "column":
        source = tmp_path / "people.csv"
        source.write_text("path,who\n1.png,Ada\n")
    elif fault == "gone":
        source = tmp_path / "gone"
    elif fault == "permission":

        def refuse(self):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", refuse)
    app = open_page("dataset")
    app.text_input(key="dataset_path").set_value(str(source))
    button(app, "Look what it holds").click().run()
    expected = {
        "empty": "holds no images", "case": "differ only in upper and lower case", "column": "no column",
        "gone": "There is no", "permission": "Permission denied",
    }  # fmt: skip
    [error] = app.error
    assert expected[fault] in error.value.replace("\\", "") and not app.exception


def test_removing_asks_first_and_takes_only_the_data_set(open_page, demo, own_data_dir):
    checked(demo)
    beside = own_data_dir / "datasets" / "other"
    shutil.copytree(demo.root, beside)
    app = open_page("dataset", query={"set": "demo"})
    button(app, "Remove this data set").click().run()
    assert demo.root.is_dir() and "96 images of 4 people" in shown(app)
    button(app, "Remove for good").click().run()
    assert not app.exception and not demo.root.exists() and beside.is_dir()
    assert "demo was removed" in app.success[0].value and not list((own_data_dir / "cache").rglob("*.json"))


def test_a_damaged_set_says_so_and_others_stay_usable(open_page, demo, own_data_dir):
    broken = own_data_dir / "datasets" / "broken"
    broken.mkdir()
    (broken / "dataset.json").write_text("{")
    app = open_page("dataset", query={"set": "broken"})
    assert "valid JSON" in app.error[0].value and not app.exception
    app.selectbox(key="dataset_chosen").set_value("demo").run()
    assert not app.error and not app.exception


def test_two_runs_towards_one_place_are_refused(own_data_dir, monkeypatch):
    import dashboard.dataset_work as work
    from core.jobs.run_dir import create_run

    out = str(datasets_root(load_settings()) / "demo")
    create_run(runs_root(load_settings()), "demo", "demo", {"out": out})  # queued by this process
    with pytest.raises(BuildRefused, match="at work on demo"):
        work.start("build", {"out": out})
    assert len(list_runs(runs_root(load_settings()))) == 1


def test_shares_leave_somebody_on_each_side():
    assert shares_of(10, 10) == {"train": 0.8, "val": 0.1, "test": 0.1}
    for val, test in ((0, 0), (60, 40)):
        with pytest.raises(SettingsInvalid):
            shares_of(val, test)


def test_evidence_shows_both_sides_of_an_overlap():
    rows = pd.DataFrame({"identity": ["a"] * 30 + ["b"] * 30, "split": (["train"] * 29 + ["val"]) * 2})
    shown_rows = evidence(Finding("identity_overlap", "error", "x", rows))
    assert len(shown_rows) == 4 and set(shown_rows["split"]) == {"train", "val"}
    assert len(evidence(Finding("wrong_pair", "error", "x", rows))) == ROWS_SHOWN


def test_the_page_knows_a_run_that_failed_and_lets_go_of_it(open_page, own_data_dir):
    from core.jobs.run_dir import create_run
    from core.jobs.state import stored_state, write_state

    out = datasets_root(load_settings()) / "faces"
    run = create_run(runs_root(load_settings()), "ingest", "faces", {"out": str(out), "source": "/x"})
    write_state(
        run.path, replace(stored_state(run.path), status="failed", error="The disk is full.", next_step="Free space.")
    )
    (out.parent / ".faces.ingest" / "root").mkdir(parents=True)
    app = open_page("dataset")
    assert "The disk is full" in app.error[0].value and button(app, "Resume")
    button(app, "Remove the run").click().run()
    assert not run.path.exists() and not (out.parent / ".faces.ingest").exists() and not app.exception


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


@pytest.mark.parametrize(("number", "name"), [(0, "lfw"), (1, "olivetti")])
def test_a_public_set_is_fetched_by_a_button(open_page, launched, own_data_dir, number: int, name: str):
    app = open_page("dataset", dataset_way="public")
    [each for each in app.button if each.label == "Fetch"][number].click().run()
    [(kind, config)] = launched
    assert kind == "fetch" and not app.exception and config["name"] == name and config["check"] is True
    assert config["out"] == str(own_data_dir / "datasets" / name)
    assert config["downloads"] == str(own_data_dir / "downloads")


def test_fetching_offline_says_so_and_where_to_put_the_files(open_page, own_data_dir, monkeypatch):
    """The button starts the real process, and every address leads to a port where nobody answers."""
    from core.jobs.launch import launch

    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    runs = []
    monkeypatch.setattr(
        "dashboard.dataset_work.launch", lambda *args, **options: runs.append(launch(*args, **options)) or runs[0]
    )
    app = open_page("dataset", dataset_way="public")
    [each for each in app.button if each.label == "Fetch"][1].click().run()
    assert not app.exception
    [run] = runs
    wait_until_ended(run)
    app.run()
    [error] = app.error
    said = error.value.replace("\\", "")
    assert "couldn't be downloaded" in said and "offline" in said
    assert f"put olivettifaces.mat into {own_data_dir / 'downloads'}" in said
    assert button(app, "Resume") and not (own_data_dir / "datasets" / "olivetti").exists()


def wait_until_ended(run) -> None:
    from core.jobs.processes import is_alive

    while is_alive((state := run.state()).pid, state.process_start) and state.live:
        time.sleep(0.05)
    assert run.state().status == "failed"
