"""Weights that ship, fine-tuned in the space of official ones: the specialist beside them, templates apart, updates."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.encoder.pair import EncoderPair
from core.gallery.records import NewTemplate
from core.gallery.store import Gallery
from core.gallery.template_replacement import plan_replacement
from core.models import encoders, upscalers
from core.models.active import active_models, partners, space_in_use
from core.models.active_file import write_active
from core.models.errors import SpecialistRefused, WeightsMissing
from core.models.figures import SHIPPED_DSR
from core.models.files import REPLACED, file_facts, is_shipped, origin_in_words
from core.models.header import SPECIALIST_FORMAT, read_card
from core.models.measured import Measured, Rate
from core.models.specialists import Specialist
from core.models.variants import VARIANTS
from core.settings import Settings, load_settings
from core.training.model_card import model_card
from tests.made_weights import STARTER, random_encoder, save_dsr, save_encoder, save_shipped

OFFICIAL = VARIANTS["edgeface_xxs"].int8_sha256
SMALL = STARTER.with_name("edgeface-xxs-specialist.safetensors")
NAME = "edgeface-xxs-starter"


@pytest.fixture
def settings(models_dir: Path) -> Settings:
    """Fine-tuned weights are shipped, with the specialist of the weights that they were fine-tuned from."""
    save_shipped(models_dir / f"{NAME}.safetensors")
    shutil.copy(SMALL, models_dir)
    return load_settings()


def test_the_specialist_of_the_official_weights_is_used_beside_them(settings: Settings) -> None:
    used = active_models(settings)
    assert used.encoder is not None and used.encoder.name == NAME
    assert used.upscaler is not None and used.upscaler.name == SMALL.stem
    assert used.mismatch == "" and partners(settings, used) == []
    assert upscalers.resolve_upscaler(settings, SMALL.stem, NAME) == used.upscaler.path
    info = replace(random_encoder().info, space_of=read_card(used.encoder.metadata).space_of)
    encoder = random_encoder()
    encoder.info = info
    assert EncoderPair(encoder, used.upscaler.specialist).specialist is None, "taken, and not loaded yet"


@pytest.mark.parametrize("format_", ["", "pt", SPECIALIST_FORMAT])
def test_a_file_of_another_format_claims_no_space(settings: Settings, tmp_path: Path, format_: str) -> None:
    foreign = save_shipped(tmp_path / "foreign.safetensors", format=format_)
    assert read_card(file_facts(foreign).metadata).space_of == ""
    with pytest.raises(SpecialistRefused, match="beside foreign"):
        upscalers.resolve_upscaler(settings, SMALL.stem, foreign)


def test_whatever_space_they_claim_templates_are_found_by_their_own_weights_alone(settings: Settings) -> None:
    shipped = encoders.active_weights(settings)
    official = replace(shipped, name="edgeface_xxs_q", sha256=OFFICIAL, metadata={})
    spaces = [space_in_use(settings, weights) for weights in (shipped, official)]
    assert spaces[0].upscaler == spaces[1].upscaler == file_facts(SMALL).hashes.sha256 and spaces[0] != spaces[1]
    vector = np.eye(512, dtype=np.float32)[0]
    templates = [NewTemplate(vector, "hr", 140.0), NewTemplate(vector, "sr", 24.0, 24)]
    with Gallery.open(":memory:") as store:
        store.enrol("Ada", templates, space=spaces[1])
        assert [len(store.search(vector[None], space)[0]) for space in spaces] == [0, 1]
        assert [store.counts(space)[1] for space in spaces] == [0, 1]


def test_their_figures_are_their_own_and_not_those_of_the_official_weights(settings: Settings) -> None:
    assert active_models(settings).figures is None
    told = read_card(file_facts(SMALL).metadata).measured
    assert told is not None and "edgeface_xxs_q" in told.protocol
    figures = Measured("lfw", {"16": Rate(0.05)}, upscaler=file_facts(SMALL).hashes.sha256, upscaler_name=SMALL.stem)
    save_shipped(settings.models_dir / f"{NAME}.safetensors", figures=figures.to_dict())
    used = active_models(settings)
    assert used.figures is not None and used.figures.eer["16"].value == 0.05 and used.figures_pair == ""
    official = replace(encoders.active_weights(settings), sha256=OFFICIAL, metadata={})
    assert Specialist.of(file_facts(SMALL)).is_of(official)


def test_another_upscaler_beside_them_is_said_and_the_specialist_offered(settings: Settings) -> None:
    _, entry = upscalers.keep_upscaler(settings, upscalers.describe(save_dsr(settings.weights_dir / "d.safetensors")))
    write_active(settings, upscaler=entry)
    used = active_models(settings)
    assert "trained on faces enlarged by bicubic; in use is d." in used.mismatch
    assert [file.name for file in partners(settings, used)] == [SMALL.stem]


def test_they_are_called_what_they_are(settings: Settings, tmp_path: Path) -> None:
    shipped = encoders.active_weights(settings)
    assert (shipped.origin, shipped.product_name) == ("fine-tuned", "EdgeFace-XXS")
    assert origin_in_words(settings, shipped) == "shipped, fine-tuned by this project"
    elsewhere = encoders.describe(save_shipped(tmp_path / "mine.safetensors"))
    assert not is_shipped(settings, elsewhere)
    assert origin_in_words(settings, elsewhere) == "fine-tuned by this project"
    card = model_card(shipped.path)
    for said in (
        "in the space of edgeface_xxs_q",
        f"| Space of | `{OFFICIAL}` |",
        "Initialised from other",
        "aren't comp",
    ):
        assert said in card, said
    assert "few people" not in card and "random initialisation" not in card


# After an update ----------------------------------------------------------------------------------------------------

OLD = min(REPLACED)


def test_a_choice_of_the_file_that_it_replaced_is_a_choice_of_it(settings: Settings) -> None:
    path = f"models/{NAME}.safetensors"
    write_active(settings, encoder={"path": path, "sha256": OLD})
    assert encoders.active_weights(settings).sha256 != OLD
    write_active(settings, encoder={"path": path, "sha256": "a" * 64})
    with pytest.raises(WeightsMissing, match="changed since they were chosen"):
        encoders.active_weights(settings)


def test_elsewhere_no_other_file_takes_its_place(settings: Settings) -> None:
    save_shipped(settings.weights_dir / f"{NAME}.safetensors")
    write_active(settings, encoder={"path": f"weights/{NAME}.safetensors", "sha256": OLD})
    with pytest.raises(WeightsMissing, match="changed since they were chosen"):
        encoders.active_weights(settings)


def test_the_earlier_weights_kept_elsewhere_go_on_with_their_network() -> None:
    from core.models.active import MEASURED_TOGETHER

    assert (OLD, SHIPPED_DSR) in MEASURED_TOGETHER


def test_people_of_the_earlier_weights_can_be_re_embedded_where_a_crop_is_kept(settings: Settings) -> None:
    space = space_in_use(settings, encoders.active_weights(settings))
    vector = np.eye(512, dtype=np.float32)
    with Gallery.open(":memory:") as store:
        before = replace(space, weights_sha256=OLD, encoder_name=NAME)
        store.enrol("Ada", [NewTemplate(vector[0], "hr", 140.0, crop=b"\x89PNG\r\n\x1a\n")], space=before)
        store.enrol("Bo", [NewTemplate(vector[1], "hr", 140.0)], space=before)
        assert store.counts(space)[:2] == (2, 0)
        plan = plan_replacement(store, space)
    assert plan.people == 1 and [person.name for person in plan.enrol_again] == ["Bo"]


def test_weights_trained_from_scratch_are_still_called_starter(settings: Settings) -> None:
    scratch = encoders.describe(save_encoder(settings.models_dir / "own.safetensors", {}))
    assert scratch.origin == "starter"
    assert origin_in_words(settings, scratch) == "shipped, trained from scratch by this project"
    assert "few people" in model_card(scratch.path)
