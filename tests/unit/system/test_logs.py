"""Logging: what a line may hold, who reads the file, and which lines are written."""

from __future__ import annotations

import logging
import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.errors import SettingsInvalid
from core.settings import PROJECT_ROOT
from core.system import logs

log = logs.logger("core.test_logs")


def test_only_public_arguments_are_written(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="core"):
        log.info("%d of %.1f, %s, %s", 3, 2.5, True, datetime(2026, 1, 2, tzinfo=UTC))
        log.info("%s, %s, %s", logs.Public("finetune/20260101T000000000Z"), ValueError("Ada"), KeyError)
        log.info("%s, %s, %s, %s", "Ada", Path("/photos/Ada.jpg"), np.ones(3), [0.25, 0.5])
        log.info("%(name)s", {"name": "Ada"})
        log.info(ValueError("Ada"))
    assert [record.getMessage() for record in caplog.records] == [
        "3 of 2.5, True, 2026-01-02 00:00:00+00:00",
        "finetune/20260101T000000000Z, ValueError, KeyError",
        "<text>, <path>, <ndarray>, <list>",
        "<text>",
        "ValueError",
    ]


def test_an_exception_is_written_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    person = "".join(["A", "da"])
    try:
        try:
            {}[person]
        except KeyError as error:
            raise ValueError(person) from error
    except ValueError:
        log.exception("unexpected")
    assert "builtins.ValueError" in caplog.text and "caused by\nbuiltins.KeyError" in caplog.text
    assert "test_logs.py" in caplog.text and "Ada" not in caplog.text


def test_the_file_is_private_and_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.delenv(logs.LEVEL_VARIABLE, raising=False)
    monkeypatch.setattr(logs, "FILE_BYTES", 400)
    path = tmp_path / "logs" / "dashboard.log"
    logs.log_to_file(path)
    logs.log_to_file(path)  # twice: each line is still written once
    assert not path.parent.exists(), "no line, no file"
    for number in range(40):
        log.info("line %d", number)
    log.debug("left out")
    kept = sorted(path.parent.iterdir())
    assert len(kept) == logs.FILES_KEPT + 1 and all(each.stat().st_size <= 400 for each in kept)
    assert {stat.S_IMODE(each.stat().st_mode) for each in kept} == {0o600}
    assert re.fullmatch(r"\S+\+00:00 INFO core.test_logs: line 39", path.read_text().splitlines()[-1])
    assert capsys.readouterr().err.count("line 39\n") == 1


def test_a_file_that_cannot_be_written_disturbs_nothing(tmp_path: Path, capsys) -> None:
    (tmp_path / "logs").touch()
    logs.log_to_file(tmp_path / "logs" / "dashboard.log")
    log.warning("goes on")
    err = capsys.readouterr().err
    assert err.endswith("WARNING core.test_logs: goes on\n") and "Traceback" not in err


def test_the_level_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "Error")
    logs.log_to_stderr("debug")
    log.warning("left out")
    log.error("written")
    assert capsys.readouterr().err.endswith("ERROR core.test_logs: written\n")
    monkeypatch.setenv(logs.LEVEL_VARIABLE, "loud")
    with pytest.raises(SettingsInvalid, match="'loud' is no log level"):
        logs.log_to_stderr("debug")
    logs.log_to_file(tmp_path / "dashboard.log")
    assert "using info" in capsys.readouterr().err


def test_a_closed_standard_error_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(logs.LEVEL_VARIABLE, raising=False)
    logs.log_to_stderr("info")
    with (tmp_path / "closed").open("w") as closed:
        pass
    monkeypatch.setattr(sys, "stderr", closed)
    log.error("nobody reads this")


def test_every_logger_of_the_project_is_redacted() -> None:
    made = {
        str(path.relative_to(PROJECT_ROOT))
        for folder in ("core", "dashboard")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
        if re.search(r"\bgetLogger\(", path.read_text(encoding="utf-8"))
    }
    assert made == {"core/system/logs.py", "core/images.py"}, "use core.system.logs.logger (images.py silences PIL's)"
