"""Fetching: files placed by hand go through the same ingest; offline it says so and how to go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from core.dataset.fetch import FetchFailed, faces_of, fetch
from core.dataset.manifest import read_dataset
from core.errors import SettingsInvalid


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address leads to a port where nobody answers."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.mark.parametrize(("name", "place"), [("lfw", "lfw_home/lfw_funneled"), ("olivetti", "olivettifaces.mat")])
@pytest.mark.filterwarnings("ignore:Retry downloading")
def test_offline_it_says_so_and_how_to_place_files(
    offline: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, place: str
) -> None:
    with pytest.raises(FetchFailed, match="offline") as caught:
        fetch(name, tmp_path / "out", downloads=tmp_path / "downloads")
    assert place in caught.value.next_step and str(tmp_path / "downloads") in caught.value.next_step
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().out == ""


def test_offline_the_command_is_one_line_and_code_2(offline: None, capsys: pytest.CaptureFixture[str]) -> None:
    from core.cli import run

    assert run(["dataset", "fetch", "olivetti"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "offline" in err and "put olivettifaces.mat into" in err


def test_photographs_placed_by_hand_are_ingested(offline: None, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lfw_home" / "lfw_funneled"
    shutil.copytree(people, folder)
    done = fetch("lfw", tmp_path / "out", downloads=tmp_path, sizes=(16, 32))
    assert (done.accepted, done.rejected) == (12, 3)
    assert read_dataset(tmp_path / "out").info.name == "lfw"


@pytest.mark.filterwarnings("ignore:Retry downloading")
def test_an_archive_that_was_unpacked_in_part_is_not_taken_for_whole(
    offline: None, people: Path, tmp_path: Path
) -> None:
    shutil.copytree(people, tmp_path / "lfw_home" / "lfw_funneled")
    (tmp_path / "lfw_home" / "lfw-funneled.tgz").write_bytes(b"")
    with pytest.raises(FetchFailed):
        fetch("lfw", tmp_path / "out", downloads=tmp_path)


def test_small_pictures_go_through_the_detector_too(offline: None, portrait: np.ndarray, tmp_path: Path) -> None:
    from PIL import Image

    from core.images import resize

    for person in ("s01", "s02"):
        (tmp_path / "olivetti" / person).mkdir(parents=True)
        Image.fromarray(resize(portrait[20:230, 50:260], 64)).save(tmp_path / "olivetti" / person / "01.png")
    done = fetch("olivetti", tmp_path / "out", downloads=tmp_path)
    assert done.accepted == 2
    frame = read_dataset(tmp_path / "out").frame
    assert (frame["yaw_deg"] != "").all()


def test_another_file_of_that_name_is_refused(offline: None, tmp_path: Path) -> None:
    (tmp_path / "olivettifaces.mat").write_bytes(b"something else")
    with pytest.raises(FetchFailed, match="as published"):
        fetch("olivetti", tmp_path / "out", downloads=tmp_path)


def test_the_table_of_faces_is_turned_upright() -> None:
    upright = np.arange(64 * 64).reshape(64, 64) % 251
    [face] = faces_of(upright.T.reshape(-1, 1))
    assert np.array_equal(face[..., 0], upright)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="lfw or olivetti"):
        fetch("celeba", tmp_path / "out", downloads=tmp_path)
