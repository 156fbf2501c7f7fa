"""`train landmarks` and its weights from the command line: one run, its ONNX file with a card, and what is refused."""

from __future__ import annotations

import json

import pytest

from core.cli import run as command
from core.jobs.run_dir import list_runs, runs_root
from core.settings import load_settings
from tests.made_weights import save_landmarks, save_specialist
from tests.unit.training.landmarks.drawn_people import draw_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return draw_people(tmp_path_factory.mktemp("photographs") / "people")


def test_a_run_from_start_to_weights(people, tmp_path, capsys):
    options = [
        "--photographs",
        str(people),
        "--steps",
        "3",
        "--epoch-steps",
        "2",
        "--batch-size",
        "4",
        "--name",
        "tiny",
    ]
    options += ["--num-workers", "0", "--device", "cpu", "--precision", "float32", "--terms", "drawn, free to use"]
    assert command(["train", "landmarks", *options]) == 0
    out = capsys.readouterr().out
    assert "Plan: 3 steps of 4 looks" in out and "Epoch 02/2 | Train Loss: " in out
    (run,) = list_runs(runs_root(load_settings()), "landmarks")
    assert run.name.endswith("-tiny") and run.config["photographs"] == [str(people)]
    assert run.state().status == "done" and str(run.path / "checkpoints" / "best" / "landmarks.onnx") in out
    log = run.log_path.read_text()
    assert "Person_" not in log and str(people) not in log, "no names or paths in the log"

    target = tmp_path / "mine.onnx"
    assert command(["weights", "export", "run:tiny", str(target)]) == 0
    assert target.read_bytes() == (run.checkpoints / "best" / "landmarks.onnx").read_bytes()
    card = target.with_suffix(".md").read_text()
    assert card.startswith("# mine\n") and "drawn, free to use" in card and "people: 10 faces, 5 people" in card
    capsys.readouterr()

    assert command(["weights", "info", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["step"] in ("2", "3")
    assert command(["weights", "info", str(target)]) == 0
    assert "A landmark network" in capsys.readouterr().out

    for words in (["weights", "use", str(target)], ["weights", "verify", str(target)], ["weights", "use-run", "tiny"]):
        assert command(words) == 2, words
        assert "can't read faces" in capsys.readouterr().err
    assert command(["weights", "export", "run:tiny", str(tmp_path / "x.safetensors")]) == 2
    assert "doesn't end in .onnx" in capsys.readouterr().err
    assert command(["diagnose", "weights", str(target)]) == 2
    assert "is a landmark network" in capsys.readouterr().err
    assert command(["train", "landmarks", "--resume", "last"]) == 2
    assert "is done" in capsys.readouterr().err


def test_landmark_networks_are_listed_and_used(models_dir, monkeypatch, tmp_path, capsys):
    from core.models import landmark_networks

    monkeypatch.setattr(landmark_networks._LandmarkNetworks, "check", lambda self, file: None)
    save_landmarks(models_dir / "edgeface-landmarks.onnx")
    assert command(["weights", "use", str(save_landmarks(tmp_path / "other.onnx", 1))]) == 0
    assert "In use for landmarks: " in capsys.readouterr().out
    assert command(["weights", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["in_use"]) for each in listed["landmarks"]] == [
        ("other", True),
        ("edgeface-landmarks", False),
    ]
    assert listed["landmarks_problem"] == ""
    assert command(["weights", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert any(row[:2] == ["*", "other"] for row in rows)


def test_a_specialist_cant_enlarge_the_second_stages_faces(tmp_path, random_weights, capsys):
    small = save_specialist(tmp_path / "small.safetensors", random_weights)
    assert command(["train", "landmarks", "--photographs", str(tmp_path), "--upscaler", str(small)]) == 2
    assert "small is a specialist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "No photographs were named"),
        (("--photographs", "missing"), "There is no folder"),
        (("--photographs", ".", "--pairs", "no.txt", "--folds", "1"), "There is no pairs file"),
        (("--photographs", ".", "--folds", "1-3"), "no pairs file that says"),
        (("--photographs", ".", "--folds", "three"), "isn't a list of folds"),
        (("--photographs", ".", "--learning-rate", "7"), "learning_rate is 7.0"),
        (("--resume", "nobody"), "There is no run 'nobody'"),
    ],
)
def test_a_command_line_that_cant_work_is_one_line(words, says, capsys):
    assert command(["train", "landmarks", *words]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
