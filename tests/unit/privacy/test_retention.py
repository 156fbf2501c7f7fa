"""Retention times: kept, checked, and held to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core import cli
from core.errors import SettingsInvalid
from core.gallery import Gallery, NewTemplate, Space
from core.models.active_file import read_active, write_active
from core.privacy.retention import Retention, purge, read_retention, write_retention
from core.settings import load_settings

SPACE = Space("x", "a" * 64, "bicubic", False)
OLD, NEW = b"\x89PNG\r\n\x1a\n an old picture", b"\x89PNG\r\n\x1a\n a new picture"


def test_old_pictures_go_without_a_trace_and_recognition_stays():
    settings, now = load_settings(), [datetime(2030, 1, 1, tzinfo=UTC)]
    rows = np.eye(512, dtype=np.float32)
    with Gallery.open(settings.gallery_path, now=lambda: now[0]) as gallery:
        gallery.enrol("Ada", [NewTemplate(rows[0], "hr", 112.0, crop=OLD)], space=SPACE)
        now[0] += timedelta(days=60)
        gallery.enrol("Bob", [NewTemplate(rows[1], "hr", 112.0, crop=NEW)], space=SPACE)
        assert [one.count for one in purge(settings, gallery)] == [0], "nothing goes where no time was set"
        write_retention(settings, Retention(crops_days=60))
        assert [one.count for one in purge(settings, gallery)] == [0, 0], "on the last day it is still there"
        now[0] += timedelta(seconds=1)
        assert [one.count for one in purge(settings, gallery)] == [1, 0]
        assert gallery.covers() == {2: NEW}
        assert gallery.search(rows[0], SPACE)[0][0].name == "Ada"
        assert gallery.audit(1)[0].event == "pictures purged" and gallery.audit(1)[0].identity_id == 1
        raw = b"".join(each.read_bytes() for each in settings.data_dir.glob("gallery.db*"))
        assert OLD not in raw and NEW in raw


def test_old_pictures_of_a_gallery_on_a_server_go_too(server_address):
    settings, now = load_settings(), [datetime(2030, 1, 1, tzinfo=UTC)]
    row = np.eye(1, 512, dtype=np.float32)[0]
    with Gallery.open(server_address, now=lambda: now[0]) as gallery:
        gallery.enrol("Ada", [NewTemplate(row, "hr", 112.0, crop=OLD)], space=SPACE)
        now[0] += timedelta(days=61)
        gallery.enrol("Bob", [NewTemplate(row, "hr", 112.0, crop=NEW)], space=SPACE)
        write_retention(settings, Retention(crops_days=60))
        assert [one.count for one in purge(settings, gallery)] == [1, 0]
        assert gallery.covers() == {2: NEW} and gallery.audit(1)[0].event == "pictures purged"


def test_times_are_kept_with_the_other_choices_and_taken_back(capsys):
    settings = load_settings()
    write_active(settings, encoder={"path": "x"})
    Gallery.open(settings.gallery_path).close()
    assert cli.run(["gallery", "retention", "--crops-days", "90", "--sightings-days", "7"]) == 0
    assert read_retention(settings) == Retention(90) and "encoder" in read_active(settings)
    assert cli.run(["gallery", "retention", "--crops-days", "0", "--json"]) == 0
    assert read_retention(settings) == Retention()
    assert '"sightings_days": 7.0' in capsys.readouterr().out
    write_retention(settings, Retention())
    assert read_active(settings) == {"encoder": {"path": "x"}}
    assert cli.run(["gallery", "purge"]) == 0 and "0 sightings purged" in capsys.readouterr().out


@pytest.mark.parametrize("days", [-1, 10**6, "90", 1.5, True])
def test_what_is_no_time_is_refused(days):
    settings = load_settings()
    with pytest.raises(SettingsInvalid, match="days"):
        write_retention(settings, Retention(crops_days=days))
    write_active(settings, retention={"crops_days": days})
    with pytest.raises(SettingsInvalid, match="days"):
        read_retention(settings)
