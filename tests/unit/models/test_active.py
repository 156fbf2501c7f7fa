"""What ships together is in use out of the box, and doesn't warn of itself; what nobody measured together does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.gallery.records import Space
from core.models.active import ActiveModels, active_models, other_small_faces, partners
from core.models.active_file import write_active
from core.models.encoders import describe as describe_encoder
from core.models.encoders import keep_weights
from core.models.files import file_facts
from core.models.header import BESIDE, read_card
from core.models.measured import Measured, Rate
from core.models.upscalers import describe, keep_upscaler
from core.settings import Settings, load_settings
from tests.made_weights import save_dsr, save_encoder

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "models"


def test_the_shipped_pair_is_in_use_and_calm(tmp_path: Path) -> None:
    used = active_models(load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)}))
    assert used.encoder is not None and used.encoder.name == "edgeface-xxs-starter"
    in_its_space = read_card(used.encoder.metadata).space_of != ""
    assert used.upscaler is not None and (used.upscaler.specialist is not None) == in_its_space
    assert used.mismatch == ""


def test_the_starter_with_a_network_that_was_not_measured_with_it_warns(tmp_path: Path) -> None:
    settings = load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)})
    used = active_models(settings)
    network = describe(SHIPPED / "edgeface-dsr.safetensors")
    other = replace(used, upscaler=replace(network, name="other", sha256="0" * 64))
    assert "trained on faces enlarged by bicubic; in use is other" in other.mismatch


@pytest.fixture
def settings(own_data_dir: Path) -> Settings:
    return load_settings()


def take(settings: Settings, encoder: Path, upscaler: Path | None) -> ActiveModels:
    """Note both as in use, as registries do once a file was tried."""
    _, chosen = keep_weights(settings, describe_encoder(encoder))
    enlarging = {"path": "bicubic"} if upscaler is None else keep_upscaler(settings, describe(upscaler))[1]
    write_active(settings, encoder=chosen, upscaler=enlarging)
    return active_models(settings)


def test_another_encoder_with_a_fine_tunes_network_says_so_and_both_ways_back_are_offered(
    settings: Settings, tmp_path: Path
) -> None:
    dsr = save_dsr(tmp_path / "tuned-dsr.safetensors", trained_with_encoder=BESIDE)
    sha256 = describe(dsr).sha256
    tuned = save_encoder(tmp_path / "tuned.safetensors", {}, parent_sha256="ab" * 32, trained_with_upscaler=sha256)
    used = take(settings, tuned, dsr)
    assert used.mismatch == "" and partners(settings, used) == []
    plain = save_encoder(tmp_path / "plain.safetensors", {})
    used = take(settings, plain, dsr)
    assert used.mismatch.startswith("tuned-dsr, which enlarges small faces, was trained together with tuned.")
    assert [file.name for file in partners(settings, used)] == ["bicubic", "tuned"]
    used = take(settings, tuned, None)
    assert f"enlarged by another super-resolution network (SHA-256 {sha256[:10]}…); in use is bicubic" in used.mismatch
    assert [file.name for file in partners(settings, used)] == ["tuned-dsr"]
    used.encoder.path.with_name("tuned.safetensors").unlink()
    used = take(settings, plain, dsr)
    assert "was trained together with other weights" in used.mismatch
    assert [file.name for file in partners(settings, used)] == ["bicubic"]


def test_a_network_trained_for_frozen_weights_is_calm(settings: Settings, tmp_path: Path) -> None:
    plain = save_encoder(tmp_path / "plain.safetensors", {})
    dsr = save_dsr(tmp_path / "dsr.safetensors", trained_with_encoder=describe_encoder(plain).sha256)
    used = take(settings, plain, dsr)
    assert used.mismatch == "" and partners(settings, used) == []


def test_figures_say_which_pair_they_belong_to(settings: Settings, tmp_path: Path) -> None:
    figures = Measured("lfw", {"16": Rate(0.07)}, upscaler="bicubic", upscaler_name="bicubic").to_dict()
    encoder = save_encoder(tmp_path / "e.safetensors", {}, figures=figures)
    assert take(settings, encoder, None).figures_pair == ""
    used = take(settings, encoder, save_dsr(tmp_path / "d.safetensors"))
    assert used.figures is not None and used.figures_pair == "Measured with bicubic; in use is d."


def test_the_shipped_pairs_figures_are_its_own(tmp_path: Path) -> None:
    used = active_models(load_settings({"EDGEFACE_DATA_DIR": str(tmp_path), "EDGEFACE_MODELS_DIR": str(SHIPPED)}))
    assert used.figures is not None and used.upscaler is not None
    assert used.figures.upscaler_name == used.upscaler.name and used.figures_pair == ""


@pytest.mark.shared
def test_official_weights_belong_with_the_shipped_network_and_with_bicubic(
    settings: Settings, shared_dir: Path, tmp_path: Path
) -> None:
    """On the same pairs as the shipped encoder. Measured with the specialist and fed directly; with the network the
    figures say with what they were measured."""
    official = shared_dir / "weights" / "edgeface_xxs_q.pt"
    assert take(settings, official, None).figures is None, "the specialist that holds them isn't there"
    settings = replace(settings, models_dir=SHIPPED)
    used = take(settings, official, SHIPPED / "edgeface-dsr.safetensors")
    assert used.mismatch == "" and used.figures is not None
    assert used.figures_pair == "Measured with edgeface-xxs-specialist; in use is edgeface-dsr."
    starter = describe_encoder(SHIPPED / "edgeface-xxs-starter.safetensors")
    said = read_card(starter.metadata).measured
    assert said is not None and said.protocol.startswith(used.figures.protocol.partition(", flip")[0])
    bicubic = take(settings, official, None)
    assert bicubic.figures_pair == "" and bicubic.figures is not None
    assert bicubic.figures.eer["16"].value > used.figures.eer["16"].value
    assert bicubic.figures.camera.eer["16"].value > used.figures.camera.eer["16"].value
    beside = save_dsr(tmp_path / "finetune-dsr.safetensors", trained_with_encoder=BESIDE)
    used = take(settings, official, beside)
    assert "finetune-dsr, which enlarges small faces, was trained together with other weights" in used.mismatch
    assert used.figures_pair == "Measured with edgeface-xxs-specialist; in use is finetune-dsr."


def test_small_faces_of_another_upscaler_are_said_with_both_ways_out(settings: Settings) -> None:
    space = Space("w", "a" * 64, "bicubic", flip_tta=False)
    assert other_small_faces(settings, {}, space) is None
    network = save_dsr(settings.models_dir / "network.safetensors")
    said = other_small_faces(settings, {file_facts(network).hashes.sha256: 3}, space)
    assert said is not None and said.upscaler == "network" and not said.searched
    assert said.what == "3 templates of small faces aren't searched: made through network, not in use."
    assert "weights use network" in said.next_step and "gallery reembed" in said.next_step
    gone = other_small_faces(settings, {"f" * 64: 1}, space)
    assert gone is not None and gone.upscaler == "" and gone.what.startswith("1 template of a small face isn't")
    assert "weights use" not in gone.next_step and "gallery reembed" in gone.next_step


def test_a_specialist_finds_them_as_they_are_and_re_embedding_is_said_to_be_better(settings: Settings) -> None:
    specialist = file_facts(SHIPPED / "edgeface-xxs-specialist.safetensors").hashes.sha256
    space = Space("w", "a" * 64, specialist, flip_tta=False, any_upscaler=True)
    said = other_small_faces(settings, {"bicubic": 2}, space)
    assert said is not None and said.searched and "weights use" not in said.next_step
    assert said.what.startswith("2 templates of small faces were made through bicubic, not in use. They stay valid: ")
    assert said.next_step.startswith(
        "Re-embed them from stored pictures (edgeface-studio gallery reembed) to recognise"
    )
