"""Averages of weights: by hand, with a run's start at its end, and of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import tiny_config

from core import cli
from core.encoder.weights import file_sha256, load_state
from core.errors import SettingsInvalid
from core.models.errors import SpecialistRefused, WeightsMismatch, WeightsUnhealthy
from core.models.files import file_facts, read_metadata
from core.models.header import ENCODER_FORMAT, SPECIALIST_FORMAT, read_card
from core.settings import load_settings
from core.training.average import average_files, weighted_mean
from core.training.average_with_start import best_share
from core.training.model_card import model_card
from core.training.overrides import change
from core.training.presets import NOTES, RECOMMENDED, SPECIALIST, STARTER
from tests.made_weights import STARTER as STARTER_FILE
from tests.made_weights import random_encoder, save_dsr, save_encoder, save_specialist
from tests.unit.training.told import differences, kept, of_kind

QUICK = {"epochs": 1, "sizes_px": "16,32", "ema": 0.0}
"""Of a specialist. Without a running mean the one epoch moves the weights visibly."""


def by(eer: float, similarity: float = 0.5) -> dict[str, float]:
    return {"eer": eer, "eer_vlr_vlr": eer, "similarity": similarity}


def test_a_weighted_mean_by_hand():
    one = {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor(4.0, dtype=torch.float16)}
    other = {"w": torch.tensor([3.0, 6.0]), "b": torch.tensor(8.0, dtype=torch.float16)}
    mean = weighted_mean((one, other), (0.25, 0.75))
    assert mean["w"].tolist() == [2.5, 5.0] and mean["b"].item() == 7.0 and mean["b"].dtype == torch.float16
    assert weighted_mean((one, other, one), (0.25, 0.5, 0.25))["w"].tolist() == [2.0, 4.0]
    with pytest.raises(ValueError, match="different tensors"):
        weighted_mean((one, {"w": one["w"]}), (0.5, 0.5))


def test_the_criterion_chooses_the_share_and_the_larger_one_of_equals():
    shares = (0.25, 0.5, 0.75, 1.0)
    tried = {"0.25": by(0.03), "0.5": by(0.02), "0.75": by(0.02)}
    assert best_share("eer", shares, by(0.04), tried) == (0.75, by(0.02))
    assert best_share("eer", shares, by(0.02), tried) == (1.0, by(0.02))
    assert best_share("eer", shares, by(0.02), {**tried, "0.5": by(0.02, similarity=0.6)})[0] == 0.5
    assert best_share("eer", shares, by(0.02), {**tried, "0.25": None})[0] == 1.0, "collapsed"
    assert best_share("eer", (0.25,), by(0.02), tried)[0] == 0.25, "the only one that was asked for"
    assert best_share("eer", (0.25,), by(0.02), {"0.25": None})[0] == 1.0


def test_recipes_average_only_what_has_a_start():
    assert RECOMMENDED.average == SPECIALIST.average == (0.25, 0.5, 0.75, 1.0) and NOTES.average == ()
    assert (
        change(NOTES, {"average": "0.5, 1"}).average == (0.5, 1) and change(SPECIALIST, {"average": ""}).average == ()
    )
    with pytest.raises(SettingsInvalid, match="nothing to average"):
        change(STARTER, {"average": "0.5"})
    for wrong in ("0", "1.5", "half"):
        with pytest.raises(SettingsInvalid, match="average"):
            change(SPECIALIST, {"average": wrong})


@pytest.mark.usefixtures("tiny")
def test_a_run_keeps_the_average_and_says_so(closed, weights, run_training, tmp_path):
    _, _, plain = run_training(
        tiny_config("finetune", "specialist", closed, weights, {**QUICK, "average": ""}), tmp_path / "plain"
    )
    report, events, folder = run_training(
        tiny_config("finetune", "specialist", closed, weights, {**QUICK, "average": "0.25"}), tmp_path / "averaged"
    )
    trained, start = load_file(plain / "best/specialist.safetensors"), load_file(weights)
    mean = load_file(folder / "best/specialist.safetensors")
    assert any(not torch.equal(tensor, start[name]) for name, tensor in trained.items())
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, 0.25 * trained[name] + 0.75 * start[name], atol=1e-7, rtol=1e-6)
    assert differences(trained, load_file(folder / "last/specialist.safetensors")) == [], "last is as it was trained"
    assert report["averaged_with_start"] == 0.25 and report["averages"]["0.25"] == report["figures"]
    assert "averaged with its start: 25 % of the fine-tuned weights" in report["text"]
    assert any(data["text"].startswith("Kept 25 % of the fine-tuned weights") for data in of_kind(events, "log"))
    metadata = read_metadata(folder / "best/specialist.safetensors")
    assert metadata["averaged_with_start"] == "0.25" and "averaged_with_start" not in read_metadata(
        folder / "last/specialist.safetensors"
    )
    measured = read_card(metadata).measured
    assert measured.eer["16"].value == pytest.approx(report["figures"]["by_size"]["16"]["eer_vlr_vlr"])
    card = model_card(folder / "best/specialist.safetensors")
    assert "| Averaged with its parent | 25 % of the fine-tuned weights, 75 % of the parent's |" in card


@pytest.mark.usefixtures("tiny")
def test_a_run_killed_while_it_measures_averages_goes_on_and_averages_once(closed, weights, run_training, tmp_path):
    config = tiny_config("finetune", "recommended", closed, weights, {"epochs": 1, "ema": 0.0, "average": "0.25,0.5"})
    whole, events, straight = run_training(config, tmp_path / "straight")
    assert sorted(whole["averages"]) == ["0.25", "0.5"] and whole["averaged_with_start"] in (0.25, 0.5)
    measured = [data["text"][:3] for data in of_kind(events, "log") if "% of the fine-tuned weights |" in data["text"]]
    assert measured == ["50 ", "25 "]

    def at(text):
        return lambda kind, data: kind == "log" and data["text"].startswith(text)

    halting = tmp_path / "halting"
    for moment in ("25 % of", "Training complete!"):
        assert run_training(config, halting, killed=at(moment))[1][-1][0] == "killed"
    resumed, events, _ = run_training(config, halting)
    assert not of_kind(events, "epoch") and not any(
        "% of the fine-tuned weights |" in d["text"] for d in of_kind(events, "log")
    )
    assert kept(straight / "best") == kept(halting / "best")
    drop = ("seconds", "text")
    assert {k: v for k, v in whole.items() if k not in drop} == {k: v for k, v in resumed.items() if k not in drop}


# Files --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path]:
    """The starter and a specialist beside it."""
    special = save_specialist(tmp_path / "small.safetensors", STARTER_FILE, max_px=40, terms=json.dumps(["a", "b"]))
    return STARTER_FILE, special


@pytest.mark.usefixtures("own_data_dir")
def test_weights_and_their_specialist_give_a_specialist(pair, tmp_path, capsys):
    out = tmp_path / "out" / "mean.safetensors"
    command = ["weights", "average", *map(str, pair), "--shares", ".25,.75", "--out", str(out)]
    assert cli.run(command) == 0
    assert "edgeface-xxs-starter 0.25, small 0.75" in capsys.readouterr().out
    one, other, mean = (load_state(path).tensors for path in (*pair, out))
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, 0.25 * one[name] + 0.75 * other[name], atol=1e-6, rtol=1e-5)
    metadata, hashes = file_facts(out).metadata, [file_sha256(path) for path in pair]
    assert metadata["format"] == SPECIALIST_FORMAT and metadata["specialist_for"] == hashes[0]
    assert json.loads(metadata["config"]) == {"max_px": 40} and "figures" not in metadata
    terms = json.loads(read_metadata(STARTER_FILE).get("terms", "[]"))
    assert json.loads(metadata["terms"]) == [*terms, *(text for text in ("a", "b") if text not in terms)]
    assert [(each.sha256, each.share) for each in read_card(metadata).parents] == list(
        zip(hashes, (0.25, 0.75), strict=True)
    )
    assert set(hashes) <= set(json.loads(metadata["ancestors"])["weights"])
    card = model_card(out)
    assert (
        f"edgeface-xxs-starter 0.25 (`{hashes[0]}`); small 0.75" in card and "An average of the weights above" in card
    )
    assert cli.run(["weights", "info", str(out)]) == 0
    assert f"average of: small, share 0.75 (SHA-256 {hashes[1]})" in capsys.readouterr().out


@pytest.mark.usefixtures("own_data_dir")
def test_equal_shares_of_encoders_are_the_default_and_give_an_encoder(tmp_path):
    tensors = load_state(STARTER_FILE).tensors
    files = [
        save_encoder(tmp_path / f"{number}.safetensors", {k: t * (1 + number / 100) for k, t in tensors.items()})
        for number in (0, 1, 2)
    ]
    out = tmp_path / "mean.safetensors"
    assert cli.run(["weights", "average", *map(str, files), "--out", str(out)]) == 0
    assert file_facts(out).metadata["format"] == ENCODER_FORMAT
    for name, tensor in load_file(out).items():
        torch.testing.assert_close(tensor, tensors[name] * 1.01, atol=1e-6, rtol=1e-5)
    assert cli.run(["weights", "average", *map(str, files), "--out", str(out)]) != 0, "nothing is replaced"


@pytest.mark.usefixtures("own_data_dir")
def test_what_has_no_average_is_refused_with_words_and_leaves_no_file(pair, tmp_path, capsys):
    settings, out = load_settings(), tmp_path / "out.safetensors"
    starter, special = pair
    for shares, why in (((0.5,), "1 shares"), ((0.5, 0.6), "sum to 1.1"), ((-1.0, 2.0), "above 0")):
        with pytest.raises(SettingsInvalid, match=why):
            average_files(pair, shares, out, settings)
    with pytest.raises(SettingsInvalid, match="at least two"):
        average_files([starter], [1.0], out, settings)
    tensors = load_state(starter).tensors
    stranger = save_specialist(tmp_path / "x.safetensors", save_encoder(tmp_path / "e.safetensors", tensors))
    for other in (stranger, tmp_path / "e.safetensors"):
        with pytest.raises(SpecialistRefused, match="space of edgeface-xxs-starter"):
            average_files([special, other], (0.5, 0.5), out, settings)
    random = save_encoder(tmp_path / "random.safetensors", random_encoder().network.state_dict())
    with pytest.raises(WeightsUnhealthy, match="random recognises no faces"):
        average_files([starter, random], (0.1, 0.9), out, settings)
    assert not out.exists() and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    dsr = save_dsr(tmp_path / "dsr.safetensors")
    assert cli.run(["weights", "average", str(starter), str(dsr), "--out", str(out)]) == 2
    assert "only encoders and specialists can be averaged" in capsys.readouterr().err
    assert cli.run(["weights", "average", *map(str, pair), "--shares", "a,b", "--out", str(out)]) == 2


@pytest.mark.usefixtures("own_data_dir", "tiny")
def test_variants_are_not_mixed(weights, tmp_path):
    with pytest.raises(WeightsMismatch, match="is edgeface_tiny and edgeface-xxs-starter is edgeface_xxs"):
        average_files([STARTER_FILE, weights], (0.5, 0.5), tmp_path / "out.safetensors", load_settings())
