"""What stands for a server, and which addresses are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import load_settings
from core.system.server_address import ServerAddressInvalid, is_server, may_be_there, resolved_place, server_address

ADDRESS = "postgresql://ada@host:5433/faces"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (ADDRESS, True),
        (" postgres://host/db", True),
        ("PostgreSQL://host/db", True),
        ("gallery.db", False),
        ("mysql://host/db", False),
        (Path("postgresql:/host/db"), False),
    ],
)
def test_which_places_are_servers(place, expected):
    assert is_server(place) is expected


def test_one_form_for_each_address():
    assert server_address(" postgres://host/db ") == "postgresql://host/db"
    assert server_address(ADDRESS) == ADDRESS
    assert server_address("postgresql://postgres:@/db?host=/run") == "postgresql://postgres:@/db?host=/run"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://a:secret@host/db",
        "POSTGRESQL://a:secret@one,two/db",
        "postgresql://host/db?password=secret",
        "postgresql://host/db?user=a&pass%77ord=secret",
        "postgresql://host/db?sslkey=k&sslpassword=secret",
        "postgresql://[a",
    ],
)
def test_addresses_that_cannot_be_used(address):
    with pytest.raises(ServerAddressInvalid) as caught:
        server_address(address)
    assert "secret" not in str(caught.value)


def test_the_setting_takes_a_file_or_a_server(tmp_path):
    def of(gallery: str) -> Path | str:
        return load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_GALLERY": gallery}).gallery_path

    assert of(ADDRESS) == ADDRESS
    assert of("") == tmp_path.resolve() / "gallery.db"
    assert of(str(tmp_path / "x.db")) == (tmp_path / "x.db").resolve() == resolved_place(tmp_path / "x.db")


def test_a_server_may_be_there_and_a_file_is_or_is_not(tmp_path):
    (tmp_path / "there.db").touch()
    assert may_be_there(ADDRESS) and may_be_there(tmp_path / "there.db") and not may_be_there(tmp_path / "not.db")
