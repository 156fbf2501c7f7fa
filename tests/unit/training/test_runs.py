"""Trainings as runs: killed and resumed, in two processes, from the command line; caches on and off."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest
from tiny_training import HERE, WORKER, tiny_config, tiny_dataset

from core.cli import run as command
from core.jobs.events import read_events
from core.jobs.launch import launch, resume
from core.jobs.processes import is_alive
from core.jobs.run_dir import create_run, list_runs, runs_root
from core.settings import load_settings
from core.training.checkpoint import load_state
from core.training.config import config_to_dict
from tests.unit.training.told import differences, kept, of_kind, without_times

pytestmark = pytest.mark.usefixtures("tiny")


LONGEST_S = 240.0


def until(what):
    """Wait for `what`; the limit is for a test that would otherwise hang."""
    end = time.monotonic() + LONGEST_S
    while not (answer := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return answer


def test_killed_and_resumed_a_run_comes_to_what_it_would_have_been(closed, weights, run_training, tmp_path):
    """Killed within an epoch of the encoder's stage, when earlier ones were kept."""
    changes = {"stage1_epochs": 1, "stage2_epochs": 3, "backbone_lr": 1e-3}
    config = tiny_config("finetune", "notes", closed, weights, changes)
    settings = load_settings()
    straight, _, folder = run_training(config, tmp_path / "straight")
    run = launch(settings, "finetune", config_to_dict(config), slug="test", worker=WORKER)

    def is_there() -> bool:
        events, _ = read_events(run.events_path)
        return any(e.kind == "progress" and (e.data["stage"], e.data["epoch"]) == ("stage2", 3) for e in events)

    until(lambda: is_there() or not run.state().live)
    state = run.state()
    if state.live:
        os.kill(state.pid, 9)
        until(lambda: not is_alive(state.pid, state.process_start))
        assert run.state().status == "interrupted"
        resume(run, settings, worker=WORKER)
    until(lambda: not run.state().live)
    assert run.state().status == "done", run.log_path.read_text()
    a, b = (without_times(load_state(place / "last")) for place in (folder, run.checkpoints))
    assert differences(a, b) == []
    assert kept(folder / "best") == kept(run.checkpoints / "best")
    assert run.report["last"] == json.loads(json.dumps(straight["last"]))
    log = run.log_path.read_text()
    assert "STAGE 2: Fine-tuning entire model (backbone unfrozen)" in log and "Epoch 03/3 | Train Loss: " in log


def test_two_processes_come_to_what_one_does(closed, weights, run_training, tmp_path):
    """Over gloo, each with half of every batch."""
    from core.training.distributed import train_in_processes

    changes = {"stage1_epochs": 1, "stage2_epochs": 1, "stage1.cached_views": 0}
    config = tiny_config("finetune", "notes", closed, weights, changes)
    alone, told, _ = run_training(config, tmp_path / "one")
    both = tiny_config("finetune", "notes", closed, weights, changes, processes=2)
    run = create_run(runs_root(load_settings()), "finetune", "two", config_to_dict(both))
    events = []
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); import tiny_training; tiny_training.take(); "
    code += "from core.training.distributed import main; sys.exit(main(sys.argv[1:]))"
    report = train_in_processes(
        both,
        load_settings(),
        run,
        on_event=lambda kind, /, **data: events.append((kind, data)),
        should_stop=lambda: False,
        command=(sys.executable, "-c", code),
    )
    assert of_kind(events, "plan")[0]["processes"] == 2
    for one, two in zip(of_kind(told, "epoch"), of_kind(events, "epoch"), strict=True):
        assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=1e-3)
        assert two["train"]["accuracy"] == one["train"]["accuracy"]
    assert report["last"]["similarity"] == pytest.approx(alone["last"]["similarity"], abs=1e-3)


def test_cached_views_learn_what_fresh_ones_do(weights, run_training, tmp_path):
    data = tiny_dataset(tmp_path / "set", people=4, train=6, val=3).root
    reached = {}
    for views in (0, 4):
        changes = {"stage1_epochs": 12, "stage2_epochs": 0, "stage1.cached_views": views, "head_lr": 0.02}
        config = tiny_config("finetune", "notes", data, weights, changes)
        report, events, _ = run_training(config, tmp_path / str(views))
        reached[views] = report["last"]["accuracy"]
        assert any(e["step"] == "cache embeddings" for e in of_kind(events, "progress")) == (views > 0)
    assert min(reached.values()) > 0.5 and abs(reached[0] - reached[4]) <= 0.2, reached


def test_frozen_results_are_found_again(closed, weights, run_training, tmp_path):
    config = tiny_config("finetune", "recommended", closed, weights, {"stage1_epochs": 1, "stage2_epochs": 0})
    _, first, _ = run_training(config, tmp_path / "a")
    _, second, _ = run_training(config, tmp_path / "b")
    cached = [any(e["step"] == "cache embeddings" for e in of_kind(events, "progress")) for events in (first, second)]
    assert cached == [True, False]


def test_from_the_command_line_through_folders(weights, tmp_path, capsys, monkeypatch):
    """The notes' own options; the log as it comes; then the run's weights in the notes' form."""
    from core.jobs import launch as launching

    monkeypatch.setattr(launching, "WORKER", WORKER)
    monkeypatch.setattr(launching.launch, "__kwdefaults__", {**launching.launch.__kwdefaults__, "worker": WORKER})
    root = tiny_dataset(tmp_path / "set", people=2, train=3, sizes=(32,)).root
    for split in ("train", "val"):
        (root / split / "vlr_images_32").rename(root / split / "vlr_images")
        for path in (root / split).glob("*/*.png"):
            number, image = path.stem[1:].split("_")
            path.rename(path.with_name(f"{int(number) + 1:03d}_01_01_051_{int(image):02d}_crop_112.png"))
    options = ["--train-dir", str(root / "train"), "--val-dir", str(root / "val"), "--edgeface", str(weights)]
    options += ["--preset", "notes", "--stage1-epochs", "1", "--stage2-epochs", "1", "--batch-size", "4", "--device"]
    options += ["cpu", "--contrastive-weight", "0.5", "--num-workers", "1", "--set", "stage2.patience=3", "--force"]
    assert command(["train", "finetune", *options]) == 0
    out = capsys.readouterr().out
    assert "STAGE 1: Training ArcFace head (backbone frozen)" in out and "Epoch 01/1 | Train Loss: " in out
    assert "Plan: 2 epochs" in out and "About " in out
    (run,) = list_runs(runs_root(load_settings()), "finetune")
    config = run.config
    assert config["stages"][1]["losses"]["alignment"] == 0.5 and config["stages"][1]["patience"] == 3
    assert config["batch_size"] == 4 and config["num_workers"] == 1
    assert command(["train", "export", "last", str(tmp_path / "x.pth")]) == 0
    assert (tmp_path / "x.pth").is_file()
    assert command(["train", "finetune", "--resume", run.id]) == 2
    assert "is done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["finetune"], "No data set was named"),
        (["finetune", "--dataset", "x", "--train-dir", "y"], "A data set and folders were named"),
        (["finetune", "--dataset", "x", "--set", "stage9.patience=1"], "There is no setting 'stage9.patience'"),
        (["finetune", "--dataset", "x", "--preset", "best"], "There is no preset 'best'"),
        (["finetune", "--half-batch"], "--half-batch goes with --resume"),
        (["finetune", "--resume", "nothing"], "There is no run 'nothing'"),
        (["dsr", "--dataset", "x"], "No EdgeFace weights"),
        (["presets", "best"], "There is no preset 'best'"),
        (["export", "last", "x.pth"], "No training run exists"),
    ],
)
def test_mistakes_are_named_in_one_line(words, said, capsys):
    assert command(["train", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
