"""Weights ready to ship: half as long, the same embeddings, their card beside them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core import cli
from core.encoder.encode import load_encoder
from core.errors import SettingsInvalid
from core.jobs.run_dir import create_run, runs_root
from core.jobs.state import State, locked, write_state
from core.models.encoders import describe
from core.models.errors import FiguresOfOthers
from core.models.figures import SHIPPED_DSR, measured, official_figures, remark
from core.models.files import read_metadata
from core.models.header import ENCODER_FORMAT, read_card
from core.models.report_figures import figures_of_report
from core.models.upscalers import describe as describe_upscaler
from core.settings import load_settings
from core.sr.trial import trial_faces
from core.sr.upscale import load_upscaler
from core.training.checkpoint import FILES, export_notes
from core.training.errors import CheckpointUnusable
from core.training.export import export_float16
from core.training.model_card import model_card
from tests.made_weights import save_dsr, save_encoder, save_specialist

README = Path(__file__).resolve().parents[3] / "README.md"

_ROW = {"system": "edgeface_xxs + dsr", "mode": "aligned", "protocol": "pairs file", "eer_low": None, "eer_high": None}
REPORT = {
    "protocol": {
        "data": "lfw",
        "pairs_file": "pairs.txt",
        "folds": [5, 6, 7],
        "pairs": 1800,
        "people": 900,
        "systems": [
            {
                "label": "edgeface_xxs + dsr",
                "name": "edgeface_xxs",
                "weights_sha256": "ab" * 32,
                "upscaler": "dsr",
                "flip_tta": False,
            },
            {"label": "another"},
        ],
    },
    "figures": {
        "verification": [
            _ROW | {"probe": "HR", "pairing": "HR-HR", "eer": 0.08, "eer_low": 0.07, "eer_high": 0.09},
            _ROW | {"probe": "16 px", "pairing": "VLR-VLR", "eer": 0.1},
            _ROW | {"probe": "16 px", "pairing": "VLR-HR", "eer": 0.09, "eer_low": 0.08, "eer_high": 0.1},
            _ROW | {"probe": "16 px", "pairing": "VLR-HR", "protocol": "all pairs", "eer": 0.5},
            _ROW | {"probe": "16 px", "pairing": "VLR-VLR", "mode": "end to end", "eer": 0.6},
            _ROW | {"probe": "16 px", "pairing": "VLR-VLR", "system": "another", "eer": 0.7},
        ]
    },
}


def test_an_encoder_is_halved_and_embeds_the_same(random_weights: Path, tmp_path: Path) -> None:
    tensors = torch.load(random_weights, weights_only=True)
    command = "edgeface-studio train starter --dataset /home/me/faces --teacher '/srv/my models/t.pt' --epochs 3"
    source = save_encoder(tmp_path / "e.safetensors", tensors, trained_by=command)
    target = export_float16(source, tmp_path / "out" / "starter.safetensors", figures=figures_of_report(REPORT))
    assert {t.dtype for t in load_file(target).values() if t.is_floating_point()} == {torch.float16}
    told = describe(target).metadata["trained_by"]
    assert told == "edgeface-studio train starter --dataset faces --teacher t.pt --epochs 3"
    assert target.stat().st_size < 0.55 * source.stat().st_size
    a, b = (load_encoder(path, check=False, precision="float32").encode(trial_faces()[:4]) for path in (source, target))
    assert (a * b).sum(axis=1).min() > 0.999
    file = describe(target)
    assert file.origin == "starter" and file.metadata["exported_from"] == describe(source).sha256
    again = export_float16(target, tmp_path / "again.safetensors", trained_by="on nobody's faces")
    assert describe(again).metadata["exported_from"] == describe(source).sha256, "the run's file, not the copy"
    told = describe(export_float16(again, again)).metadata["trained_by"]
    assert told == "on nobody's faces", "words that are no command line"
    card = model_card(target, config={"dataset": "/somewhere/lfw", "preset": "starter"}, report={"seconds": 5400})
    for said in (
        "# starter",
        "random initialisation",
        "--dataset faces --teacher t.pt",
        "8.00 % [7.00, 9.00]",
        "10.00 %",
        "90 minutes",
        "folds 5, 6, 7, 1,800 pairs",
        "CC BY-NC-SA 4.0",
        "distilled from the official",
        "Limits",
    ):
        assert said in card, said
    assert "/somewhere" not in card and "50.00" not in card and "60.00" not in card
    tuned = save_encoder(tmp_path / "t.safetensors", tensors, parent_sha256="a" * 64)
    assert describe(tuned).origin == "fine-tuned"
    assert "Initialised from other EdgeFace weights" in model_card(tuned)


def test_an_upscaler_is_halved_and_enlarges_the_same(tmp_path: Path) -> None:
    source = save_dsr(tmp_path / "d.safetensors", bicubic_px=(32,), trained_by="edgeface-studio train dsr")
    target = export_float16(source, tmp_path / "ship.safetensors")
    small = [face[::7, ::7] for face in trial_faces()[:4]]
    out = [load_upscaler(path).super_resolve(small).astype(int) for path in (source, target)]
    assert np.abs(out[0] - out[1]).max() <= 1
    assert describe_upscaler(target).bicubic_px == (32,)
    assert "use_bicubic_px 32" in model_card(target) and "super-resolution" in model_card(target)


def test_the_shipped_networks_card_says_what_it_helps_with() -> None:
    path = README.parent / "data/models/edgeface-dsr.safetensors"
    assert describe_upscaler(path).sha256 == SHIPPED_DSR and remark(SHIPPED_DSR).startswith("Helps on")
    kept, made = (card.partition("## Limits")[2] for card in (path.with_suffix(".md").read_text(), model_card(path)))
    assert kept == made and f"- {remark(SHIPPED_DSR)}\n" in kept


def test_what_float16_cannot_hold_is_refused(tmp_path: Path) -> None:
    source = save_dsr(tmp_path / "d.safetensors")
    tensors = load_file(source)
    tensors["head.weight"][0] = 1e6
    from safetensors.torch import save_file

    save_file(tensors, source, dict(describe_upscaler(source).metadata))
    with pytest.raises(SettingsInvalid, match=r"head\.weight holds 1e\+06"):
        export_float16(source, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_figures_of_an_upscaler_name_the_file_that_it_was_exported_from(tmp_path: Path) -> None:
    """Its own hash can't stand in the file itself, and the one in use is recognised by the other."""
    first = export_float16(save_dsr(tmp_path / "run.safetensors"), tmp_path / "first.safetensors")
    told = figures_of_report(REPORT)
    own, other = (
        export_float16(first, tmp_path / f"{name}.safetensors", figures=replace(told, upscaler=upscaler))
        for name, upscaler in (("own", describe_upscaler(first).sha256), ("other", "bicubic"))
    )
    run = describe_upscaler(tmp_path / "run.safetensors").sha256
    assert read_card(read_metadata(own)).measured.upscaler == run == read_metadata(own)["exported_from"]
    assert read_card(read_metadata(other)).measured.upscaler == "bicubic"


def test_figures_of_a_report_come_back_from_the_header() -> None:
    told = read_card({"figures": json.dumps(figures_of_report(REPORT).to_dict())}).measured
    assert told is not None and told.eer["HR"].text == "8.00 % [7.00, 9.00]"
    assert (told.eer["16"].value, told.eer["16"].low, told.eer_vlr_hr["16"].high) == (0.1, None, 0.1)


def test_figures_are_those_of_the_file_with_the_same_encoder_and_bicubic_beside_it() -> None:
    systems = [
        {"label": "a + bicubic", "name": "a", "weights_sha256": "aa", "upscaler": "bicubic", "upscaler_id": "bicubic"},
        {"label": "a + dsr", "name": "a", "weights_sha256": "aa", "upscaler": "dsr", "upscaler_id": "dd"},
        {"label": "b + bicubic", "name": "b", "weights_sha256": "bb", "upscaler": "bicubic", "upscaler_id": "bicubic"},
    ]
    row = _ROW | {"probe": "16 px", "pairing": "VLR-VLR"}
    rows = [row | {"system": one["label"], "eer": (place + 1) / 10} for place, one in enumerate(systems)]
    report = {
        "protocol": REPORT["protocol"] | {"systems": [one | {"flip_tta": False} for one in systems]},
        "figures": {"verification": rows},
    }
    told = {
        sha: read_card({"figures": json.dumps(figures_of_report(report, sha256=sha).to_dict())}).measured
        for sha in ("dd", "bb")
    }
    assert [(title, rates["16"].value) for title, rates in told["dd"].rows] == [
        ("bicubic, both the same size", 0.2),
        ("direct feed, bicubic, both the same size", 0.1),
    ]
    assert "upscaler dsr" in told["dd"].protocol and told["dd"].direct_feed.direct_feed is None
    assert told["bb"].eer["16"].value == 0.3 and told["bb"].direct_feed is None
    with pytest.raises(FiguresOfOthers, match=r"doesn't measure this file .* it measures a \+ bicubic, a \+ dsr, b"):
        figures_of_report(report, sha256="unknown")


def test_the_readmes_table_is_the_figures_of_official_weights_and_the_shipped_ones(own_data_dir: Path) -> None:
    """On the same pairs, by the same aligner, under both degradations."""
    text = README.read_text(encoding="utf-8")
    official = official_figures(replace(load_settings(), models_dir=README.parent / "data/models"))
    shipped = read_card(read_metadata(README.parent / "data/models/edgeface-xxs-starter.safetensors")).measured
    assert official is not None and official.direct_feed is not None and shipped is not None
    assert official.upscaler_name == "edgeface-xxs-specialist" and "encoder edgeface_xxs_q" in official.protocol
    for one in (official, official.direct_feed, shipped):
        said = one.protocol
        assert said.startswith("lfw/pairs.txt, folds 5, 6, 7, 1,800 pairs of 1,284 people, aligned"), said
        assert "aligner YuNet + edgeface-landmarks" in said and "flip TTA off" in said
        assert [name for name, _ in one.by_degradation] == ["bicubic", "camera"]
        for title, rates in one.rows[:4]:
            cells = " | ".join(rate.text.replace(" %", "") for rate in rates.values())
            assert f"| {cells} |" in text, (title, cells)


@pytest.mark.shared
def test_the_figures_of_official_xs_are_those_of_the_measurements(own_data_dir: Path, shared_dir: Path) -> None:
    found = measured(describe(shared_dir / "weights" / "edgeface_xs_q.pt"), load_settings())
    assert found is not None and found.upscaler == "bicubic" and "aligner YuNet + edgeface-landmarks" in found.protocol
    text = (README.parent / "docs/measurements.md").read_text(encoding="utf-8")
    for title, rates in found.rows:
        cells = " | ".join(rate.text.replace(" %", "") for rate in rates.values())
        assert f"| {cells} |" in text, title


def test_a_runs_best_weights_are_exported_by_its_name(own_data_dir: Path, tmp_path: Path, capsys) -> None:
    root = runs_root(load_settings())
    made = create_run(root, "finetune", "starter", {})
    (made.checkpoints / "best").mkdir()
    shipped = README.parent / "data/models/edgeface-xxs-starter.safetensors"
    shutil.copy(shipped, made.checkpoints / "best" / "encoder.safetensors")
    target = tmp_path / "again.safetensors"
    assert cli.run(["weights", "export", "run:starter", str(target)]) == 2
    assert "The newest, finetune/" in capsys.readouterr().err
    with locked(made.path):
        write_state(made.path, State("done"))
    assert cli.run(["weights", "export", "run:starter", str(target), "--run", "starter"]) == 2
    assert "--run were both given" in capsys.readouterr().err
    assert cli.run(["weights", "export", "run:starter", str(target)]) == 0
    assert read_metadata(target)["variant"] == "edgeface_xxs" and target.with_suffix(".md").is_file()
    assert cli.run(["weights", "export", "bicubic", str(target)]) == 2


def test_a_specialist_becomes_an_encoder_of_its_space(random_weights: Path, tmp_path: Path, capsys) -> None:
    facts = {"recipe": '{"name": "specialist"}', "parent_sha256": "a" * 64, "averaged_with_start": "0.25"}
    special = save_specialist(tmp_path / "small.safetensors", random_weights, figures="{}", **facts)
    target = tmp_path / "encoder.safetensors"
    assert cli.run(["weights", "export", str(special), str(target), "--as-encoder"]) == 0
    told, own = read_metadata(target), read_metadata(special)["specialist_for"]
    assert told["format"] == ENCODER_FORMAT and (told["space_of"], told["space_of_name"]) == (own, random_weights.stem)
    assert told["config"] == facts["recipe"] and told["averaged_with_start"] == "0.25"
    assert told["parent_sha256"] == "a" * 64 and told["exported_from"] == describe(special).sha256
    assert told.keys().isdisjoint({"specialist_for", "specialist_for_name", "recipe", "figures"})
    assert f"in the space of {random_weights.stem}" in target.with_suffix(".md").read_text()
    again = export_float16(target, tmp_path / "again.safetensors")
    assert read_card(read_metadata(again)).space_of == own, "an export stays in its space"
    first, second = (load_encoder(path, check=False).encode(trial_faces()[:2]) for path in (special, target))
    assert (first * second).sum(axis=1).min() > 0.999
    for other in (target, save_dsr(tmp_path / "d.safetensors")):
        assert cli.run(["weights", "export", str(other), str(tmp_path / "x.safetensors"), "--as-encoder"]) == 2
        assert "isn't a specialist" in capsys.readouterr().err


def test_a_specialist_is_never_written_without_its_header(random_weights: Path, tmp_path: Path) -> None:
    save_specialist(tmp_path / "best" / FILES["specialist"], random_weights)
    with pytest.raises(CheckpointUnusable, match="holds a specialist"):
        export_notes(tmp_path / "best", tmp_path / "notes.pth")
    assert not (tmp_path / "notes.pth").exists()
