"""The Data sets page makes sets: from a folder, by a split, from the public; and refuses in words."""

from __future__ import annotations

import io
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.dataset.errors import BuildRefused, SourceInvalid
from core.dataset.library import datasets_root
from core.dataset.run_config import DemoConfig
from core.errors import SettingsInvalid, StorageFailed
from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from dashboard.datasets.create import scan_source
from dashboard.datasets.split_form import shares_of
from dashboard.runs.form import typed_path
from tests.app.conftest import button


def test_a_build_starts_with_what_was_chosen(open_page, demo, launched):
    app = open_page("dataset", dataset_section="build")
    app.radio(key="dataset_mode_chosen").set_value("both")
    app.number_input(key="dataset_seed_chosen").set_value(7)
    app.selectbox(key="dataset_build_chosen_camera").set_value("051")
    button(app, "Build the split").click().run()
    [(kind, config)] = launched
    assert kind == "build" and not app.exception
    assert config["mode"] == "both" and config["seed"] == 7 and config["only"] == {"camera": "051"}
    assert config["source"] == str(demo.root) and str(config["out"]).endswith("datasets/demo-both")
    assert config["shares"] == {"train": 0.8, "val": 0.1, "test": 0.1}


def test_a_name_that_leads_elsewhere_is_refused(open_page, demo, launched):
    app = open_page("dataset", dataset_section="build")
    app.text_input(key="dataset_called_chosen").set_value("../../evil")
    button(app, "Build the split").click().run()
    assert "can't name a data set" in app.error[0].value.replace("\\", "") and launched == []


def test_a_folder_is_looked_at_then_taken_in(open_page, launched, tmp_path, astronaut):
    for who in ("Ada", "Grace"):
        (tmp_path / "people" / who).mkdir(parents=True)
        (tmp_path / "people" / who / "1.png").write_bytes(astronaut)
    app = open_page("dataset")
    app.text_input(key="dataset_path").set_value(str(tmp_path / "people"))
    button(app, "Scan the source").click().run()
    assert "Recognised as photographs" in app.info[0].value and "2 people, 2 images" in app.info[0].value
    button(app, "Import photographs").click().run()
    [(kind, config)] = launched
    assert kind == "ingest" and config["source"] == str(tmp_path / "people") and config["check"] is True
    assert str(config["out"]).endswith("datasets/people") and config["shard_mb"] is None


def test_shards_are_looked_at_then_taken_in_and_written(open_page, launched, tmp_path, astronaut):
    for number in range(2):
        with tarfile.open(tmp_path / f"people-{number}.tar", "w") as archive:
            for name, content in ((f"{number}.png", astronaut), (f"{number}.cls", str(number).encode())):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    app = open_page("dataset")
    app.text_input(key="dataset_path").set_value(str(tmp_path / "people-{0..1}.tar"))
    button(app, "Scan the source").click().run()
    assert "2 tar shards with 2 people, named by the file .cls" in app.info[0].value.replace("\\", "")
    app.radio(key="dataset_storage").set_value(256)
    button(app, "Import photographs").click().run()
    [(kind, config)] = launched
    assert kind == "ingest" and config["source"] == str(tmp_path / "people-{0..1}.tar") and config["shard_mb"] == 256
    assert str(config["out"]).endswith("datasets/people")


@pytest.mark.parametrize("layout", ["crops", "notes"])
def test_crops_are_aligned_again_where_that_is_chosen(open_page, launched, tmp_path, layout: str):
    source = tmp_path / "source"
    folders = ["Ada", "Grace"] if layout == "crops" else ["train/hr_images", "train/vlr_images"]
    for folder in folders:
        (source / folder).mkdir(parents=True)
        Image.new("RGB", (112, 112)).save(source / folder / "Ada__1.png")
    app = open_page("dataset")
    app.text_input(key="dataset_path").set_value(str(source))
    button(app, "Scan the source").click().run()
    assert f"Recognised as {layout}" in app.info[0].value
    if layout == "crops":
        app.checkbox(key="dataset_ingest_again").check()
    else:
        button(app, "Build the split")
        app.segmented_control(key="dataset_notes_use").set_value("align").run()
    button(app, "Import photographs" if layout == "crops" else "Align and import").click().run()
    [(kind, config)] = launched
    assert kind == "ingest" and config["align_again"] is True and not app.exception


@pytest.mark.parametrize("typed", ["", "  ", "photographs", "~nobody-of-this-name/x", "/\0/x"])
def test_what_is_no_path_is_said_to_be_none(typed: str):
    with pytest.raises(SourceInvalid) as caught:
        typed_path(typed)
    assert caught.value.next_step


def test_a_quoted_path_and_one_that_is_too_long(tmp_path):
    assert typed_path(f"'{tmp_path}'") == tmp_path
    with pytest.raises((StorageFailed, SourceInvalid)):
        scan_source("/" + "x" * 3000, None, "", {})


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
    button(app, "Scan the source").click().run()
    expected = {
        "empty": "holds no images",
        "case": "differ only in case, spacing",
        "column": "no column",
        "gone": "There is no",
        "permission": "Permission denied",
    }
    [error] = app.error
    assert expected[fault] in error.value.replace("\\", "") and not app.exception


def test_two_runs_towards_one_place_are_refused(own_data_dir, monkeypatch):
    from core.jobs.run_dir import create_run
    from dashboard.runs.datasets import start_dataset_run

    out = str(datasets_root(load_settings()) / "demo")
    create_run(runs_root(load_settings()), "demo", "demo", {"out": out})  # queued by this process
    with pytest.raises(BuildRefused, match="A run for demo"):
        start_dataset_run(DemoConfig(out=Path(out)))
    assert len(list_runs(runs_root(load_settings()))) == 1


def test_shares_leave_somebody_on_each_side():
    assert shares_of(10, 10) == {"train": 0.8, "val": 0.1, "test": 0.1}
    for val, test in ((0, 0), (60, 40)):
        with pytest.raises(SettingsInvalid):
            shares_of(val, test)


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


@pytest.mark.parametrize(("number", "name"), [(0, "lfw"), (1, "olivetti")])
def test_a_public_set_is_fetched_by_a_button(open_page, launched, own_data_dir, number: int, name: str):
    app = open_page("dataset", dataset_way="public")
    [each for each in app.button if each.label == "Download"][number].click().run()
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
        "dashboard.runs.datasets.launch", lambda *args, **options: runs.append(launch(*args, **options)) or runs[0]
    )
    app = open_page("dataset", dataset_way="public")
    [each for each in app.button if each.label == "Download"][1].click().run()
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
