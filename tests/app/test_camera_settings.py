"""The [webrtc] table of the secrets file: what it gives to browser and server, and each way of being wrong."""

from __future__ import annotations

import pytest

from core.errors import SettingsInvalid
from dashboard.camera.permission import TROUBLES, trouble_of_address
from dashboard.camera.settings import LiveSettings, parse

TURN = {"urls": ["turn:turn.example.org:3478"], "username": "studio", "credential": "very secret"}


def test_without_a_table_nobody_outside_is_asked():
    settings = parse({})
    assert settings == LiveSettings()
    assert settings.rtc_configuration == {"iceServers": []}
    assert settings.constraints["video"]["width"] == {"ideal": 640} and settings.constraints["audio"] is False


def test_servers_size_and_rate_reach_the_browser():
    settings = parse({"width": 1280, "height": 720, "frame_rate": 10, "ice_servers": [{"urls": "stun:a:1"}, TURN]})
    assert settings.rtc_configuration == {"iceServers": [{"urls": ["stun:a:1"]}, TURN]}
    assert settings.constraints["video"]["frameRate"]["ideal"] == 10


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("turn:x", "a table"),
        ({"widht": 640}, "widht"),
        ({"width": 10}, "160 to 1920"),
        ({"width": True}, "whole number"),
        ({"frame_rate": 60}, "1 to 30"),
        ({"ice_servers": "stun:a:1"}, "aren't a list"),
        ({"ice_servers": [{}]}, "without urls"),
        ({"ice_servers": [{"urls": "http://a"}]}, "begins with stun:"),
        ({"ice_servers": [{"urls": "turn:a:1", "username": "studio"}]}, "credential"),
    ],
)
def test_what_is_wrong_is_named(table, words):
    with pytest.raises(SettingsInvalid, match=words):
        parse(table)


def test_a_credential_is_never_repeated():
    with pytest.raises(SettingsInvalid) as error:
        parse({"ice_servers": [{**TURN, "username": ""}]})
    assert "very secret" not in str(error.value)


def test_only_localhost_and_https_get_a_camera():
    for address in (
        "http://localhost:8501/enroll",
        "http://127.0.0.1:8501",
        "http://[::1]:8501",
        "https://far.example",
    ):
        assert trouble_of_address(address) == ""
    assert trouble_of_address("http://10.0.0.5:8501") == "insecure"
    assert trouble_of_address(None) == ""


def test_every_trouble_has_a_remedy():
    assert set(TROUBLES) == {"refused", "absent", "taken", "insecure", "unsupported", "lost", "unreached", "fault"}
    for trouble in TROUBLES.values():
        assert trouble.what.endswith(".") and trouble.next_step and trouble.icon.startswith(":material/")
