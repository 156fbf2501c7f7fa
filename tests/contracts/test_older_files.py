"""Files that an earlier version wrote open, and hold what that version read in them."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from core.cli import run
from core.gallery.operating_points import operating_points
from core.gallery.store import Gallery
from core.video.sightings import sightings
from tests.older_files import expected

EXPECTED = expected()
PEOPLE = EXPECTED["people"]
BEFORE, AFTER = "evaluate/20261130T033318129Z-dataset-demo", "evaluate/20261130T033351026Z-dataset-demo"
BOTH_STAGES = "finetune/20261130T033139833Z-notes-both-stages"
CUT_SHORT = "dsr/20261130T033231823Z-dsr-cut-short"
FINETUNED = "finetune-20261130T033139833Z"


@pytest.fixture
def said(older: Path, capsys: pytest.CaptureFixture[str]):
    """said("gallery", "list") runs that command and returns the JSON that it prints."""

    def answer(*words: object, code: int = 0):
        capsys.readouterr()
        ended = run([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        assert ended == code, err
        return json.loads(out)

    return answer


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()


def vectors_of(gallery: Gallery, name: str) -> list[str]:
    return [sha256(each.vector) for each in gallery.templates(name)]


def stored_vectors(name: str) -> list[str]:
    return [each["vector_sha256"] for each in PEOPLE[name]["templates"]]


# The gallery --------------------------------------------------------------------------------------------------------


def test_the_gallery_holds_the_same_people_vectors_and_crops(older):
    with Gallery.open(older / "data" / "gallery.db", create=False) as gallery:
        assert [each.name for each in gallery.identities()] == list(PEOPLE)
        for each in gallery.identities():
            then = PEOPLE[each.name]
            assert (each.id, each.note, each.photographs, each.has_crops) == (
                then["id"], then["note"], then["photographs"], then["crops"],
            )  # fmt: skip
            assert each.enrolled_at == datetime.fromisoformat(then["enrolled_at"])
            templates = [
                {
                    "kind": one.kind, "probe_px": one.probe_px, "size_px": one.size_px, "source": one.source,
                    "vector_sha256": sha256(one.vector), "encoder_sha256": one.space.weights_sha256,
                    "crop_sha256": None if one.crop is None else hashlib.sha256(one.crop).hexdigest(),
                }
                for one in gallery.templates(each.id)
            ]  # fmt: skip
            assert templates == then["templates"]


def test_the_gallery_keeps_its_audit_trail_thresholds_and_sightings(older):
    then = datetime(2026, 11, 30, 12, tzinfo=UTC)
    with Gallery.open(older / "untouched.db", create=False, now=lambda: then) as gallery:
        trail = [[each.at.isoformat(), each.actor, each.event, each.identity_id] for each in gallery.audit(1000)]
        assert trail == EXPECTED["audit"]
        space = replace(gallery.templates("Ben Stone")[0].space, upscaler=EXPECTED["weights"]["upscaler"][1])
        for point, stored in zip(operating_points(gallery, space), EXPECTED["operating_points"], strict=True):
            assert {name: getattr(point, name) for name in stored} == stored
        for seen, stored in zip(sightings(gallery), EXPECTED["sightings"], strict=True):
            times = {"began": seen.began.isoformat(), "ended": seen.ended.isoformat()}
            assert {name: times.get(name, getattr(seen, name)) for name in stored} == stored


def test_the_commands_list_the_people_and_the_finding_that_was_dismissed(older, said, capsys):
    listed = said("gallery", "list")
    assert {each["name"]: each["templates"] for each in listed} == {
        name: len(each["templates"]) for name, each in PEOPLE.items()
    }
    assert said("gallery", "protection")["encrypted"] is False
    health = said("diagnose", "gallery", code=1)
    pairs = [(each["code"], each["name"], each["other"]) for each in health["troubles"]]
    assert ("two_names", "Ada Brook", "Ben Stone") in pairs
    assert ("two_names", "Ada Brook", "Dana Frost") not in pairs, "somebody dismissed it"


def test_a_photograph_is_identified_by_the_stored_threshold(older, said):
    found = said("identify", older / "photographs" / "ada" / "ada1.jpg")["results"][0]
    assert (found["outcome"], found["identity"], found["threshold"]) == ("match", "Ada Brook", 0.41)
    assert found["score"] > 0.45, "the crop is cut by other landmarks than the templates of then, of a drawn face"
    small = said("identify", older / "photographs" / "ben" / "ben1.jpg", "--size", 24)["results"][0]
    assert (small["nearest"], small["threshold"], small["upscaler"]) == ("Ben Stone", 0.44, "tiny-dsr")


def test_the_encrypted_gallery_opens_with_its_key_alone(older, said, capsys, monkeypatch):
    path = older / "encrypted.db"
    assert run(["gallery", "list", "--gallery-path", str(path)]) == 2
    assert "key" in capsys.readouterr().err
    monkeypatch.setenv("EDGEFACE_GALLERY_KEY_FILE", str(older / "gallery.key"))
    assert [each["name"] for each in said("gallery", "list", "--gallery-path", path)] == list(PEOPLE)
    protection = said("gallery", "protection", "--gallery-path", path)
    assert (protection["encrypted"], protection["key"]) == (True, "8f7ea3258e1ad041")
    with Gallery.open(path, create=False) as gallery:
        assert all(vectors_of(gallery, name) == stored_vectors(name) for name in PEOPLE)


def test_the_backup_is_listed_and_restored(older, said, tmp_path):
    own, backup = sorted(said("gallery", "backups"), key=lambda each: "-format-" not in each["path"])
    assert own["path"].endswith("gallery-format-6.db"), "made as the gallery was opened, before its format changed"
    assert (backup["people"], backup["templates"], backup["problem"]) == (4, 21, "")
    target = tmp_path / "gallery.db"
    assert run(["gallery", "restore", backup["path"], "--yes", "--gallery-path", str(target)]) == 0
    with Gallery.open(target, create=False) as gallery:
        assert all(vectors_of(gallery, name) == stored_vectors(name) for name in PEOPLE)


def test_exported_galleries_are_imported(older, tmp_path):
    whole, vectors_only = tmp_path / "whole.db", tmp_path / "vectors.db"
    assert run(["gallery", "import", str(older / "people.efgallery"), "--gallery-path", str(whole)]) == 0
    with Gallery.open(whole, create=False) as gallery:
        assert all(vectors_of(gallery, name) == stored_vectors(name) for name in PEOPLE)
        assert gallery.identity("Ada Brook").note == "front desk" and gallery.identity("Ada Brook").has_crops
    assert run(["gallery", "import", str(older / "names.pt"), "--gallery-path", str(vectors_only)]) == 0
    with Gallery.open(vectors_only, create=False) as gallery:
        assert [each.name for each in gallery.identities()] == list(PEOPLE)


# Users --------------------------------------------------------------------------------------------------------------


def test_users_keep_their_roles_passwords_and_trail(older, said, monkeypatch):
    from core.access.errors import SignInRefused
    from core.access.sign_in import sign_in
    from core.settings import load_settings

    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(older / "guarded"))
    assert said("users", "list") == [{"name": "ada", "role": "admin"}, {"name": "grace", "role": "viewer"}]
    assert [each["event"] for each in said("audit")] == ["user added as viewer", "user added as admin"]
    settings = load_settings()
    assert sign_in(settings, "ada", "correct horse battery staple").role == "admin"
    assert sign_in(settings, "grace", "viewer of faces, drawn ones").role == "viewer"
    with pytest.raises(SignInRefused):
        sign_in(settings, "grace", "correct horse battery staple")


# Data sets ----------------------------------------------------------------------------------------------------------


def test_data_sets_are_listed_and_pass_their_check(older, said):
    then = EXPECTED["datasets"]
    listed = {each["name"]: (each["mode"], each["identities"], each["pairs"]) for each in said("dataset", "list")}
    assert listed == {
        name: (each["mode"], each["counts"]["identities"], each["counts"]["pairs"]) for name, each in then.items()
    }
    checked = said("dataset", "check", "demo")
    assert (checked["ok"], checked["images"]) == (True, then["demo"]["rows"])
    assert [each["code"] for each in checked["findings"]] == ["few_images"]
    assert said("dataset", "check", "disjoint")["ok"]
    assert run(["dataset", "build", "demo", "--out", str(older / "again"), "--min-images", "2"]) == 0


# Weights ------------------------------------------------------------------------------------------------------------


def test_weights_are_listed_and_the_choice_of_them_holds(older, said, monkeypatch, tmp_path):
    def in_use(listed) -> tuple[str, ...]:
        return tuple(each["name"] for kind in ("files", "upscalers") for each in listed[kind] if each["in_use"])

    listed = said("weights", "list")
    assert {each["name"]: each["origin"] for each in listed["files"]} == {
        FINETUNED: "fine-tuned", "tiny-encoder": "starter",
    }  # fmt: skip
    assert in_use(listed) == ("tiny-encoder", "tiny-dsr")
    other = tmp_path / "data"
    shutil.copytree(older / "data" / "weights", other / "weights")
    shutil.copy(older / "active-of-run.json", other / "active.json")
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(other))
    assert in_use(said("weights", "list")) == (FINETUNED, "tiny-dsr")


@pytest.mark.parametrize("name", ["exported.safetensors", "notes"])
def test_exported_weights_load_completely(name, older, said):
    told = said("weights", "info", older / name)
    assert (told["variant"], told["missing"], told["health"]["healthy"]) == ("edgeface_xxs", 0, True)
    if name == "notes":
        assert told["identities"] == 6
    else:
        assert told["card"]["parent_sha256"] == EXPECTED["weights"]["encoder"][1]
        assert told["card"]["trained_by"].startswith("edgeface-studio train finetune --dataset demo")
        assert [stage["name"] for stage in told["card"]["config"]["stages"]] == ["stage1", "stage2"]


def test_exported_onnx_embeds_as_the_encoder_that_it_was_made_from(older):
    import onnxruntime

    from core.pipeline import PipelineConfig, build_pipeline

    crop = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(older / "encoder.onnx"), providers=["CPUExecutionProvider"])
    fed = crop.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
    raw = session.run(None, {session.get_inputs()[0].name: fed})[0]
    vector = build_pipeline(PipelineConfig()).encoder.encode(crop)
    assert float((raw / np.linalg.norm(raw) * vector).sum()) > 0.999


def test_weights_of_a_finished_run_are_taken_into_use_and_exported(unpacked, said, monkeypatch, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(unpacked / "data", data)
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(data))
    (data / "weights" / f"{FINETUNED}.safetensors").unlink()
    assert run(["weights", "use-run", BOTH_STAGES]) == 0
    assert {each["name"]: each["in_use"] for each in said("weights", "list")["files"]}[FINETUNED]
    exported = tmp_path / "exported.safetensors"
    assert run(["weights", "export", f"run:{BOTH_STAGES}", str(exported)]) == 0
    now, then = load_file(exported), load_file(unpacked / "exported.safetensors")
    assert now.keys() == then.keys() and all(np.array_equal(now[name], then[name]) for name in then)


# Runs ---------------------------------------------------------------------------------------------------------------


def test_every_run_is_listed_and_shown_with_its_result(older, said):
    then = EXPECTED["runs"]
    assert {each["run"]: each["status"] for each in said("runs", "list")} == {
        name: each["status"] for name, each in then.items()
    }
    for name, each in then.items():
        shown = said("runs", "show", name)
        assert (shown["status"], (shown.get("report") or {}).get("text")) == (each["status"], each["text"]), name
        assert shown["config"], name


@pytest.mark.parametrize("name", EXPECTED["runs"])
def test_every_event_of_a_run_is_read(name, older, capsys):
    assert run(["runs", "log", name, "--json"]) == 0
    read = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    written = (older / "data" / "runs" / name / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert read == [json.loads(line)["kind"] for line in written] and "started" in read


def test_two_evaluations_are_compared(older, said):
    compared = said("evaluate", "compare", BEFORE, AFTER)
    assert compared["text"] == "EER against HR: HR 26.67 to 17.50 %, 16 px 33.33 to 31.04 %."


def test_an_interrupted_training_goes_on_to_its_end(unpacked, said, monkeypatch, tmp_path):
    root = tmp_path / "older"
    shutil.copytree(unpacked, root)
    for config in root.glob("data/runs/*/*/config.json"):
        config.write_text(config.read_text(encoding="utf-8").replace(unpacked.as_posix(), root.as_posix()))
    monkeypatch.setenv("EDGEFACE_DATA_DIR", str(root / "data"))
    assert said("runs", "show", CUT_SHORT)["status"] == "interrupted"
    assert run(["train", "dsr", "--resume", CUT_SHORT]) == 0
    shown = said("runs", "show", CUT_SHORT)
    assert (shown["status"], shown["attempts"], shown["report"]["last"]["step"]) == ("done", 2, 3)
    events = (root / "data" / "runs" / CUT_SHORT / "events.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = [each["data"]["step"] for each in map(json.loads, events) if each["kind"] == "epoch"]
    assert epochs == [1, 2, 3], "the first epoch isn't trained again"
