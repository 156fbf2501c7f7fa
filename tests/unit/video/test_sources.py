"""Video from files: every frame is read, invalid sources are refused, and no password is shown or written."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.settings import load_settings
from core.video.sources import (
    SourceUnusable,
    frames_of_file,
    has_secret,
    length_s,
    source_of,
    without_secret,
)
from core.video.stream_credentials import address_of, shown, store_address
from core.video.writing import VideoWriter
from tests.unit.video.counting_video import write_counting

SECRET = "rtsp://guard:hunter2@10.0.0.7:554/cam?token=abc"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".y4m", ".mjpeg"])
def test_a_written_video_reads_back_frame_by_frame(tmp_path, suffix: str) -> None:
    write_counting(tmp_path / f"grey{suffix}")
    frames = list(frames_of_file(source_of(str(tmp_path / f"grey{suffix}"))))
    assert len(frames) == 12
    assert [frame.at for frame in frames] == sorted({frame.at for frame in frames}) and frames[0].at == 0
    levels = [float(frame.rgb.mean()) for frame in frames]
    assert levels == pytest.approx([20 + 15 * n for n in range(12)], abs=6)
    if suffix in (".mp4", ".mkv"):
        assert frames[-1].at == pytest.approx(1.1, abs=0.01)
        assert length_s(source_of(str(tmp_path / f"grey{suffix}"))) == pytest.approx(1.2, abs=0.15)


def test_an_odd_size_is_written_and_a_fault_leaves_no_file(tmp_path) -> None:
    write_counting(tmp_path / "odd.mp4", 2, (65, 49))
    assert next(frames_of_file(source_of(str(tmp_path / "odd.mp4")))).rgb.shape == (48, 64, 3)
    with pytest.raises(RuntimeError, match="half way"), VideoWriter(tmp_path / "no.mp4", (64, 48), Fraction(10)) as to:
        to.add(np.zeros((48, 64, 3), np.uint8), 0.0)
        raise RuntimeError("half way")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.mp4"]
    with pytest.raises(SettingsInvalid, match=r"'\.gif'"):
        VideoWriter(tmp_path / "no.gif", (64, 48), Fraction(10))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no file"),
        ("nothing.mp4", "no file nothing.mp4"),
        ("/dev/video99", "no camera"),
        ("99", "no camera"),
        ("file:///etc/passwd", "can't begin with file://"),
        ("concat://a|b", "can't begin with concat://"),
        ("rtsp:///path", "has no host"),
        ("/tmp", "ordinary file"),
    ],
)
def test_what_is_no_source_is_said(text: str, what: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceUnusable, match=what):
        source_of(text)


def test_a_text_file_and_a_cut_off_one_are_refused_in_words(tmp_path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(SourceUnusable, match=r"text\.mp4 isn't video"):
        next(frames_of_file(source_of(str(tmp_path / "text.mp4"))))
    write_counting(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:700])
    with pytest.raises(SourceUnusable):
        list(frames_of_file(source_of(str(tmp_path / "cut.mp4"))))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ffconcat"])
def test_a_list_of_files_under_a_film_s_name_reads_none_of_them(tmp_path, suffix: str) -> None:
    write_counting(tmp_path / "another.mp4")
    for text in ("ffconcat version 1.0\nfile another.mp4\n", "#EXTM3U\n#EXTINF:1,\nanother.mp4\n#EXT-X-ENDLIST\n"):
        (tmp_path / f"film{suffix}").write_text(text)
        with pytest.raises(SourceUnusable, match="isn't video"):
            list(frames_of_file(source_of(str(tmp_path / f"film{suffix}"))))


def test_a_playlist_cannot_reach_the_network_or_other_protocols(tmp_path) -> None:
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n")
    with pytest.raises(SourceUnusable):
        list(frames_of_file(source_of(str(tmp_path / "list.m3u8"))))


def test_a_password_is_neither_shown_nor_written_into_a_config(own_data_dir) -> None:
    assert without_secret(SECRET) == "rtsp://guard:...@10.0.0.7:554/cam"
    assert has_secret(SECRET) and not has_secret("rtsp://10.0.0.7/cam")
    assert source_of(SECRET).shown == without_secret(SECRET)
    settings = load_settings()
    written = store_address(settings, SECRET)
    assert "hunter2" not in written and "abc" not in written
    assert store_address(settings, SECRET) == written
    assert address_of(settings, written) == SECRET
    assert shown(written) == without_secret(SECRET)
    assert (own_data_dir / "cameras.json").stat().st_mode & 0o077 == 0
    assert store_address(settings, "rtsp://10.0.0.7/cam") == "rtsp://10.0.0.7/cam"
    (own_data_dir / "cameras.json").unlink()
    with pytest.raises(SettingsInvalid, match="no longer stored"):
        address_of(settings, written)
