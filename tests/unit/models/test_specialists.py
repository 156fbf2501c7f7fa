"""A specialist in the upscaler's place: listed there, in use beside its own weights, refused beside others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from core.encoder.weights import load_state
from core.models import encoders, upscalers
from core.models.active import active_models, find_model, space_in_use, use_model
from core.models.active_file import read_active
from core.models.errors import SpecialistRefused, WeightsMismatch
from core.models.files import file_facts
from core.models.measured import Measured, Rate
from core.models.specialists import Specialist, hashes_of
from core.models.variants import VARIANTS
from core.settings import Settings
from core.sr.trial import UpscalerUnusable
from tests.made_weights import STARTER, save_dsr, save_encoder, save_specialist

DSR = STARTER.with_name("edgeface-dsr.safetensors")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The starter is shipped, with the DSR."""
    found = Settings(tmp_path / "data", tmp_path / "models", tmp_path / "data" / "gallery.db")
    found.models_dir.mkdir(parents=True)
    shutil.copy(STARTER, found.models_dir)
    shutil.copy(DSR, found.models_dir)
    return found


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Weights of another space."""
    tensors = {key: tensor * 1.001 for key, tensor in load_state(STARTER).tensors.items()}
    return save_encoder(tmp_path / "other.safetensors", tensors)


def test_the_header_says_whose_space_and_up_to_which_size(tmp_path: Path) -> None:
    said = Specialist.of(file_facts(save_specialist(tmp_path / "small.safetensors", STARTER, max_px=40)))
    assert (said.name, said.max_px, said.weights_name) == ("small", 40, "edgeface-xxs-starter")
    assert said.shares_space({file_facts(STARTER).hashes.sha256}) and not said.shares_space({"a" * 64, ""})
    for wrong in ("48", 4, 112, None, True):
        odd = Specialist.of(file_facts(save_specialist(tmp_path / "odd.safetensors", STARTER, max_px=wrong)))
        assert odd.max_px == 40 and not odd.shares_space({said.weights_sha256}), "a damaged header is nobody's"


def test_it_is_listed_with_the_upscalers_and_never_as_an_encoder(settings: Settings) -> None:
    path = save_specialist(settings.weights_dir / "small.safetensors", STARTER)
    assert [file.name for file in upscalers.scan(settings)] == ["small", "edgeface-dsr"]
    assert [file.name for file in encoders.scan(settings)] == ["edgeface-xxs-starter"]
    assert find_model(settings, "small").sha256 == find_model(settings, path).sha256
    assert isinstance(find_model(settings, path), upscalers.UpscalerFile)
    assert encoders.find_weights(settings, path).path == path.resolve(), "on both sides, where it is named by its path"


def test_while_none_was_chosen_the_shipped_one_is_used_beside_its_own_weights_alone(
    settings: Settings, other: Path
) -> None:
    assert upscalers.active_upscaler(settings).name == "bicubic"
    save_specialist(settings.weights_dir / "mine.safetensors", STARTER, seed=1)
    assert upscalers.active_upscaler(settings).name == "bicubic", "a stored file isn't in use until it is chosen"
    save_specialist(settings.models_dir / "small.safetensors", STARTER)
    assert upscalers.active_upscaler(settings).name == "small"
    assert active_models(settings).mismatch == ""
    assert upscalers.resolve_upscaler(settings, weights=other) is None
    encoders.use_weights(settings, other)
    assert upscalers.active_upscaler(settings).name == "bicubic"


def test_an_export_of_its_weights_is_its_own_too(settings: Settings, tmp_path: Path) -> None:
    save_specialist(settings.models_dir / "small.safetensors", STARTER)
    sha256 = file_facts(STARTER).hashes.sha256
    export = save_encoder(tmp_path / "export.safetensors", load_file(STARTER), exported_from=sha256)
    encoders.use_weights(settings, export)
    assert upscalers.active_upscaler(settings).name == "small"


def test_official_weights_and_their_int8_version_are_one_space(settings: Settings, tmp_path: Path) -> None:
    published = VARIANTS["edgeface_xxs"]
    path = save_specialist(tmp_path / "small.safetensors", STARTER, specialist_for=published.int8_sha256)
    said, weights = Specialist.of(file_facts(path)), replace(encoders.describe(STARTER), metadata={})
    assert said.shares_space(hashes_of(replace(weights, official=published)))
    assert not said.shares_space(hashes_of(replace(weights, official=VARIANTS["edgeface_xs_q"])))
    assert not said.shares_space(hashes_of(weights)), "unofficial weights have no int8 version"


def test_taken_into_use_it_is_checked_copied_and_names_the_space(settings: Settings, tmp_path: Path) -> None:
    used = use_model(settings, save_specialist(tmp_path / "small.safetensors", STARTER))
    assert used.path == (settings.weights_dir / "small.safetensors").resolve()
    assert active_models(settings).upscaler == used
    space = space_in_use(settings, encoders.active_weights(settings))
    assert (space.upscaler, space.any_upscaler) == (used.sha256, True)
    use_model(settings, "bicubic")
    assert not space_in_use(settings, encoders.active_weights(settings)).any_upscaler


def test_an_incomplete_one_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    path = save_specialist(tmp_path / "small.safetensors", STARTER)
    tensors, texts = load_file(path), dict(file_facts(path).metadata)
    tensors.pop(next(iter(tensors)))
    save_file(tensors, path, texts)
    with pytest.raises(WeightsMismatch, match="missing"):
        use_model(settings, path)
    assert "upscaler" not in read_active(settings)


def test_beside_other_weights_it_is_refused_with_both_names_and_the_next_step(
    settings: Settings, other: Path, tmp_path: Path
) -> None:
    path = save_specialist(tmp_path / "small.safetensors", STARTER)
    encoders.use_weights(settings, other)
    with pytest.raises(SpecialistRefused) as refused:
        use_model(settings, path)
    assert "small" in refused.value.what and "edgeface-xxs-starter" in refused.value.what
    assert "beside other" in refused.value.what
    assert "weights use edgeface-xxs-starter" in refused.value.next_step and "bicubic" in refused.value.next_step
    assert "--upscaler bicubic" in refused.value.next_step, "what a command with --weights takes"
    assert "upscaler" not in read_active(settings)
    with pytest.raises(SpecialistRefused):
        upscalers.resolve_upscaler(settings, path)
    assert upscalers.resolve_upscaler(settings, path, STARTER) == path.resolve()


def test_weights_of_another_space_release_it(settings: Settings, other: Path, tmp_path: Path) -> None:
    use_model(settings, save_specialist(tmp_path / "small.safetensors", STARTER))
    use_model(settings, "edgeface-xxs-starter")
    assert active_models(settings).upscaler.name == "small", "the same weights again keep it"
    use_model(settings, other)
    used = active_models(settings)
    assert used.upscaler.name == "bicubic" and used.upscaler_problem is None


def test_chosen_beside_weights_that_were_changed_by_hand_it_is_a_problem_not_a_silent_change(
    settings: Settings, other: Path, tmp_path: Path
) -> None:
    use_model(settings, save_specialist(tmp_path / "small.safetensors", STARTER))
    encoders.use_weights(settings, other)
    used = active_models(settings)
    assert used.upscaler is None and isinstance(used.upscaler_problem, SpecialistRefused)
    with pytest.raises(UpscalerUnusable):
        upscalers.active_upscaler(settings)
    assert space_in_use(settings, encoders.active_weights(settings)).upscaler == "", "full size alone"


def test_a_training_goes_through_the_chosen_dsr_and_starts_at_the_shipped_one(
    settings: Settings, tmp_path: Path
) -> None:
    shipped = (settings.models_dir / DSR.name).resolve()
    assert upscalers.resolve_dsr(settings) is None
    assert upscalers.resolve_dsr(settings, to_train=True) == shipped
    use_model(settings, save_specialist(tmp_path / "small.safetensors", STARTER))
    assert upscalers.resolve_dsr(settings) is None, "a specialist enlarges nothing"
    assert upscalers.resolve_dsr(settings, to_train=True) == shipped
    assert upscalers.resolve_dsr(settings, "edgeface-dsr") == shipped
    own = save_dsr(tmp_path / "own.safetensors")
    assert upscalers.resolve_dsr(settings, own) == own.resolve()
    with pytest.raises(UpscalerUnusable, match="is a specialist"):
        upscalers.resolve_dsr(settings, "small")
    use_model(settings, own)
    assert upscalers.resolve_dsr(settings) == (settings.weights_dir / "own.safetensors").resolve()
    use_model(settings, "bicubic")
    assert upscalers.resolve_dsr(settings, to_train=True) is None, "bicubic was chosen"


def test_figures_in_its_header_are_those_of_the_pair(settings: Settings, tmp_path: Path) -> None:
    figures = json.dumps(Measured("lfw", {"16": Rate(0.03)}, upscaler_name="small").to_dict())
    use_model(settings, save_specialist(tmp_path / "small.safetensors", STARTER, figures=figures))
    used = active_models(settings)
    assert used.figures is not None and used.figures.eer["16"].value == 0.03
    assert used.figures_pair == "" and used.mismatch == ""


@pytest.mark.shared
def test_of_official_weights(settings: Settings, shared_dir: Path) -> None:
    official = shared_dir / "weights" / "edgeface_xxs_q.pt"
    settings.weights_dir.mkdir(parents=True)
    shutil.copy(official, settings.weights_dir)
    save_specialist(settings.models_dir / "small.safetensors", official)
    assert upscalers.active_upscaler(settings).name == "small"
