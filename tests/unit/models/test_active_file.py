"""active.json: choices are merged, removed, and refused where they are damaged."""

from __future__ import annotations

import pytest

from core.errors import SettingsInvalid
from core.models.active_file import read_active, write_active
from core.settings import load_settings


def test_choices_are_merged_and_removed(own_data_dir) -> None:
    settings = load_settings()
    assert read_active(settings) == {}
    write_active(settings, encoder={"path": "a"}, other=1)
    write_active(settings, encoder={"path": "b"})
    assert read_active(settings) == {"encoder": {"path": "b"}, "other": 1}
    write_active(settings, other=None)
    assert read_active(settings) == {"encoder": {"path": "b"}}


@pytest.mark.parametrize("content", ["{", "[1]", '"text"', "\udcff"])
def test_a_damaged_choice_says_which_file_and_what_to_do(own_data_dir, content) -> None:
    settings = load_settings()
    settings.active_path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsInvalid, match=r"active\.json") as refused:
        read_active(settings)
    assert "Delete it" in refused.value.next_step
