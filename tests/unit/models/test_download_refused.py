"""Downloads that a server refuses, passes on or sends elsewhere: waited out, tried at the next address, or told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from core.errors import SettingsInvalid
from core.models.download import Retries, fetch
from core.models.errors import DownloadFailed
from core.models.variants import VARIANTS, Variant
from tests.unit.models.file_server import CONTENT, Log, Site


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final_and_says_what_to_do_by_hand(get, site: Site, variant, tmp_path, status: int) -> None:
    site.statuses = [status] * 9
    with pytest.raises(DownloadFailed, match=str(status)) as caught:
        get()
    assert len(site.requests) == 1
    step = caught.value.next_step
    assert f"{site.url}/edgeface_xxs.pt" in step and variant.git_blob_id in step
    assert str(tmp_path / "edgeface_xxs.pt") in step


def test_a_passing_fault_of_the_server_is_waited_out(get, site: Site, log: Log) -> None:
    site.statuses = [503, 429, 200]
    assert get().read_bytes() == CONTENT
    assert log.pauses == [1.0, 2.0]


def test_the_next_address_is_tried_when_one_fails(
    site: Site, variant: Variant, tmp_path: Path, log: Log, monkeypatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    folders = (f"http://127.0.0.1:{port}", site.url)
    monkeypatch.setattr(Variant, "folders", property(lambda self: folders))
    path = fetch(variant, tmp_path, on_event=log.events.append, retries=Retries(attempts=2, sleep=log.pauses.append))
    assert path.read_bytes() == CONTENT and len(site.requests) == 1
    assert log.pauses == [1.0], "the first address is tried again, the next one once"
    assert any("refused" in event.text and "Trying 127.0.0.1" in event.text for event in log.events)


def test_when_every_address_fails_the_first_ones_error_is_raised(
    site: Site, variant: Variant, tmp_path: Path, log: Log, monkeypatch
) -> None:
    site.statuses = [404, 500]
    monkeypatch.setattr(Variant, "folders", property(lambda self: (site.url, site.url)))
    with pytest.raises(DownloadFailed, match="404"):
        fetch(variant, tmp_path, retries=Retries(sleep=log.pauses.append))
    assert len(site.requests) == 2 and log.pauses == []


def test_published_files_have_their_addresses_in_order() -> None:
    assert [folder.split("/")[2] for folder in VARIANTS["edgeface_xxs"].folders] == [
        "gitlab.idiap.ch",
        "raw.githubusercontent.com",
        "huggingface.co",
    ]
    assert all(folder.startswith("https://") for variant in VARIANTS.values() for folder in variant.folders)


def test_attempts_end(get, site: Site, log: Log) -> None:
    site.statuses = [500] * 99
    with pytest.raises(DownloadFailed, match=r"500 .*\(4 attempts\)"):
        get()
    assert len(site.requests) == 4 and log.pauses == [1.0, 2.0, 4.0]


def test_offline_says_what_failed(variant: Variant, tmp_path: Path, log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DownloadFailed, match="refused") as caught:
        fetch(variant, tmp_path, base_url=f"http://127.0.0.1:{port}", retries=Retries(sleep=log.pauses.append))
    assert "browser" in caught.value.next_step
    assert "Traceback" not in str(caught.value) and "object at" not in str(caught.value)


def test_only_https_or_this_machine(variant: Variant, tmp_path: Path) -> None:
    for url in ("http://example.org/files", "ftp://127.0.0.1/files", "file:///etc", "http://127.0.0.1.example.org"):
        with pytest.raises(SettingsInvalid, match="https only"):
            fetch(variant, tmp_path, base_url=url)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_elsewhere_without_https_is_not_followed(get, site: Site) -> None:
    site.location = "http://example.org/edgeface_xxs.pt"
    with pytest.raises(DownloadFailed, match=r"isn't https \(example.org\)"):
        get()


def test_redirects_end(get, site: Site) -> None:
    site.location = f"{site.url}/edgeface_xxs.pt"
    with pytest.raises(DownloadFailed, match="without end"):
        get()
