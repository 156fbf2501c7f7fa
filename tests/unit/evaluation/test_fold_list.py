from __future__ import annotations

import pytest

from core.errors import SettingsInvalid
from core.evaluation.fold_list import folds_of


@pytest.mark.parametrize(
    ("text", "folds"),
    [(None, None), ("", None), ("  ", None), ("1-3,7", [1, 2, 3, 7]), (" 4 ", [4]), ("5 - 6,5", [5, 6])],
)
def test_folds(text: str | None, folds: list[int] | None) -> None:
    assert folds_of(text) == folds


@pytest.mark.parametrize("text", ["x", "1-x", "-2", "1-99999", "7-1", "1,,2", ",", "1-2-3", "\u0661"])
def test_folds_that_arent(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="list of folds"):
        folds_of(text)
