"""A disk that is really full when a checkpoint is written: the run fails in words, the earlier checkpoint loads, and
with room again the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny_training import tiny_config

from core.errors import StorageFailed
from core.settings import load_settings
from core.training.checkpoint import Weights, load_state, load_weights, save_checkpoint
from core.training.engine import train
from tests.small_disk import fill, small_disk
from tests.unit.training.told import of_kind

SIZE_KB = 6_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE_KB) as place:
        yield place


@pytest.mark.parametrize("what", ["weights", "state"])
def test_the_earlier_checkpoint_stays_whole_whichever_file_finds_no_room(disk, what):
    folder = disk / "checkpoints" / "last"
    save_checkpoint(folder, {"encoder": Weights({"a": torch.ones(10)}, {})}, {"epoch": 1, "m": torch.ones(10)})
    fill(disk, but=20_000)
    large, small = torch.zeros(100_000), torch.zeros(10)
    with pytest.raises(StorageFailed, match="couldn't be written"):
        save_checkpoint(
            folder,
            {"encoder": Weights({"a": large if what == "weights" else small}, {})},
            {"epoch": 2, "m": large if what == "state" else small},
        )
    assert load_state(folder)["epoch"] == 1 and load_weights(folder, "encoder")["a"].sum() == 10
    assert [path.name for path in folder.parent.iterdir()] == ["last"], "nothing half-made is left"


@pytest.mark.usefixtures("tiny")
def test_a_training_that_finds_no_room_fails_in_words_and_goes_on_where_it_was(disk, closed, weights, own_data_dir):
    changes = {"stage1_epochs": 1, "stage2_epochs": 3}
    config = tiny_config("finetune", "notes", closed, weights, changes)
    events: list[tuple[str, dict]] = []
    fillers: list[Path] = []

    def on_event(kind: str, /, **data: object) -> None:
        events.append((kind, data))
        last = disk / "checkpoints" / "last"
        if kind == "progress" and data.get("stage") == "stage2" and last.exists() and not fillers:
            fillers.append(fill(disk, but=20_000))

    def go() -> dict:
        return train(config, load_settings(), disk / "checkpoints", on_event=on_event, should_stop=lambda: False)

    with pytest.raises(StorageFailed, match="couldn't be written") as caught:
        go()
    assert "Free space" in caught.value.next_step
    kept = load_state(disk / "checkpoints" / "last")
    assert kept is not None and load_weights(disk / "checkpoints" / "last", "encoder")
    before = len(of_kind(events, "epoch"))
    fillers[0].unlink()
    assert go()["last"]
    assert 0 < before < 4 and len(of_kind(events, "epoch")) <= 5, "what was kept isn't done again"
