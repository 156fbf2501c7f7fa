"""Which upscaler is in use: chosen, shipped or bicubic; tried on faces first, and never replaced unasked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from core.errors import SettingsInvalid
from core.images import resize
from core.models import upscalers
from core.models.active_file import read_active, write_active
from core.settings import Settings
from core.sr.trial import UpscalerUnusable, require_useful, trial_faces
from core.sr.upscale import DSRUpscaler, bicubic
from tests.made_weights import save_dsr


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data", tmp_path / "models", tmp_path / "data" / "gallery.db")


def test_without_any_choice_it_is_bicubic_though_a_network_ships(settings: Settings) -> None:
    assert upscalers.active_upscaler(settings) == upscalers.BICUBIC_UPSCALER
    assert upscalers.shipped_dsr(settings) is None
    save_dsr(settings.weights_dir / "a-own.safetensors")
    shipped = save_dsr(settings.models_dir / "dsr.safetensors", seed=1)
    assert upscalers.active_upscaler(settings).path is None, "a file isn't in use until it is chosen"
    assert [file.name for file in upscalers.scan(settings)] == ["a-own", "dsr"]
    found = upscalers.shipped_dsr(settings)
    assert found is not None and found.path == shipped.resolve()
    assert upscalers.use_upscaler(settings, "dsr") == upscalers.active_upscaler(settings) == found
    upscalers.use_upscaler(settings, "bicubic")
    assert upscalers.active_upscaler(settings).path is None
    assert read_active(settings)["upscaler"] == {"path": "bicubic"}


def test_a_file_from_elsewhere_is_tried_copied_and_noted_with_its_hash(settings: Settings, tmp_path: Path) -> None:
    outside = save_dsr(tmp_path / "my dsr.safetensors")
    used = upscalers.use_upscaler(settings, outside)
    assert used.path == (settings.weights_dir / "my_dsr.safetensors").resolve()
    assert used.path.read_bytes() == outside.read_bytes()
    sha256 = hashlib.sha256(outside.read_bytes()).hexdigest()
    assert read_active(settings)["upscaler"] == {"path": "weights/my_dsr.safetensors", "sha256": sha256}
    assert upscalers.active_upscaler(settings) == used and upscalers.resolve_upscaler(settings) == used.path
    again = upscalers.use_upscaler(settings, "my_dsr")
    assert again == used and len(list(settings.weights_dir.iterdir())) == 1, "kept once"


@pytest.mark.parametrize("harm", ["random weights", "not finite", "an encoder"])
def test_what_does_harm_or_is_something_else_changes_nothing(settings: Settings, tmp_path: Path, harm: str) -> None:
    upscalers.use_upscaler(settings, save_dsr(tmp_path / "good.safetensors"))
    before, stored = settings.active_path.read_bytes(), sorted(settings.weights_dir.iterdir())
    bad = save_dsr(tmp_path / "bad.safetensors", harm=harm == "random weights")
    if harm == "not finite":
        tensors = load_file(bad)
        tensors["head.bias"][0] = float("nan")
        config = json.dumps({"channels": 8, "blocks": 1, "min_px": 12, "max_px": 48})
        save_file(tensors, bad, {"format": "edgeface-studio-dsr-1", "config": config})
    if harm == "an encoder":
        save_file(load_file(bad), bad, {"format": "edgeface-studio-encoder-1"})
    says = {"random weights": "does harm", "not finite": "aren't finite", "an encoder": "isn't a DSR network"}[harm]
    with pytest.raises(UpscalerUnusable, match=says) as refused:
        upscalers.use_upscaler(settings, bad)
    assert "bad.safetensors" in refused.value.what and refused.value.next_step
    assert settings.active_path.read_bytes() == before and sorted(settings.weights_dir.iterdir()) == stored


def test_a_changed_or_missing_file_is_said_and_bicubic_isnt_taken_instead(settings: Settings, tmp_path: Path) -> None:
    save_dsr(settings.models_dir / "shipped.safetensors", seed=3)
    used = upscalers.use_upscaler(settings, save_dsr(tmp_path / "mine.safetensors"))
    assert used.path is not None
    save_dsr(used.path, seed=9)
    with pytest.raises(UpscalerUnusable, match="has changed since it was chosen") as refused:
        upscalers.active_upscaler(settings)
    assert "weights use mine" in refused.value.next_step
    used.path.unlink()
    with pytest.raises(UpscalerUnusable, match="is gone") as refused:
        upscalers.resolve_upscaler(settings)
    assert "weights use bicubic" in refused.value.next_step


@pytest.mark.parametrize("entry", [7, {"path": 1}, {"path": "x"}, "bicubic"])
def test_a_damaged_choice_is_said(settings: Settings, entry: object) -> None:
    write_active(settings, upscaler=entry)
    with pytest.raises(SettingsInvalid, match="which upscaler is in use"):
        upscalers.active_upscaler(settings)


@pytest.mark.parametrize("name", ["nobody", "no/such/file.safetensors"])
def test_an_unknown_name_says_what_is_there(settings: Settings, name: str) -> None:
    save_dsr(settings.weights_dir / "mine.safetensors")
    with pytest.raises(UpscalerUnusable) as refused:
        upscalers.find_upscaler(settings, name)
    assert "bicubic" in refused.value.next_step
    for empty in ("", " ", "\0"):
        with pytest.raises(SettingsInvalid):
            upscalers.find_upscaler(settings, empty)


def test_the_trial_takes_bicubic_and_refuses_repeated_pixels_made_worse() -> None:
    require_useful(bicubic().upscale, "bicubic")
    faces = trial_faces()
    assert faces.shape == (50, 112, 112, 3) and faces.std() > 20, "real pictures"
    with pytest.raises(UpscalerUnusable, match="does harm: at 16 px"):
        require_useful(lambda crops: 255 - bicubic().upscale(crops), "negative")
    with pytest.raises(UpscalerUnusable, match=r"expected uint8 \(50, 112, 112, 3\)"):
        require_useful(np.stack, "unchanged")


def test_a_size_goes_where_the_file_says(tmp_path: Path) -> None:
    """By hand: trained for 12 to 48 px, bicubic at 24 px; 28 px and less is nearer to 24, 40.5 px counts as large."""
    upscaler = DSRUpscaler(save_dsr(tmp_path / "d.safetensors", bicubic_px=(24,)))
    expected = {
        11: False,
        12: True,
        16: True,
        20: True,
        20.5: False,
        24: False,
        28: False,
        28.5: True,
        40: True,
        40.5: False,
        48: False,
        112: False,
    }
    assert {px: upscaler.route(px).network for px in expected} == expected
    assert upscaler.route(25).because == "it measures better at 24 px"
    assert upscaler.route(11).because == "d was trained for 12 to 48 px"
    assert "above 40 px" in upscaler.route(60).because and upscaler.route(16).because == ""
    assert upscaler.bicubic_px == (24,) and bicubic().route(16).because == ""
    crops = [resize(face, px) for face, px in zip(trial_faces()[:2], (16, 24), strict=True)]
    out = upscaler.upscale(crops)
    assert (out[1] == resize(crops[1], 112)).all() and (out[0] == upscaler.super_resolve(crops[:1])[0]).all()
    assert (out[0] != resize(crops[0], 112)).any()


def test_sizes_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UpscalerUnusable, match="use_bicubic_px"):
        DSRUpscaler(save_dsr(tmp_path / "d.safetensors", bicubic_px=(20,)))


def test_looking_needs_no_torch(settings: Settings) -> None:
    save_dsr(settings.models_dir / "dsr.safetensors", bicubic_px=(32,))
    upscalers.use_upscaler(settings, "dsr")
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from core.settings import Settings\nfrom core.models.active import active_models\n"
        f"settings = Settings(Path({str(settings.data_dir)!r}), Path({str(settings.models_dir)!r}), Path('g.db'))\n"
        "used = active_models(settings)\n"
        "assert used.upscaler.bicubic_px == (32,), used\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
