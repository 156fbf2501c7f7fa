"""Every way to write or to take out, called directly by somebody who may only look: refused, nothing has changed."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pytest

from core.access.actor import NOBODY, Actor, acting_as
from core.access.errors import NotAllowed
from core.access.exports import audited_download
from core.access.roles import Role
from core.access.trail import read_trail
from core.access.users import add_user, change_password, change_role, remove_user
from core.dataset.build import build
from core.dataset.check_cache import store_verdict
from core.dataset.fetch import fetch
from core.dataset.ingest import ingest
from core.dataset.library import discard_unfinished, remove_dataset
from core.dataset.scan import scan
from core.dataset.synthetic.demo import make_demo
from core.evaluation.report_files import write_evaluation
from core.evaluation.result import Evaluation
from core.evaluation.thresholds import store_thresholds
from core.gallery.backup import back_up, restore
from core.gallery.embeddings_pt import write_embeddings_pt
from core.gallery.encryption import change_key, decrypt, encrypt
from core.gallery.identity_merge import merge_identities, remove_template, rename
from core.gallery.import_merge import merge_people
from core.gallery.keys import new_key
from core.gallery.operating_points import OperatingPoint, save_operating_point
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.gallery.template_replacement import remove_replaced, store_replacements
from core.gallery.transfer import export_bytes, export_gallery
from core.jobs.launch import launch, resume, stop
from core.jobs.policy import Policy, write_policy
from core.jobs.run_dir import create_run, delete_run, runs_root
from core.models.active_file import write_active
from core.models.download import fetch as fetch_weights
from core.models.encoders import use_weights
from core.models.upscalers import use_upscaler
from core.privacy.erasure import erase
from core.privacy.retention import Retention, write_retention
from core.settings import load_settings
from core.training.activate import use_run_weights
from core.training.batch_split import halve_batch
from core.training.export import export_float16
from core.video.sightings import SightingRule, forget, write_rule
from core.video.stream_credentials import store_address
from tests.made_weights import save_dsr
from tests.unit.dataset.sets import notes_set

SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)
POINT = OperatingPoint(100.0, 200.0, "fpir", 0.01, 10, 0.4, "evaluate/x")
SYSTEM = {"name": "x", "weights_sha256": "a" * 64, "upscaler_id": "bicubic", "flip_tta": False}
TOLD = Evaluation("calibrate", "x", "x", {"systems": [SYSTEM]})
VIEWER, OPERATOR = Actor("vera", Role.VIEWER), Actor("otto", Role.OPERATOR)


def template(axis: int) -> NewTemplate:
    vector = np.zeros(512, np.float32)
    vector[axis] = 1
    return NewTemplate(vector, "hr", 140.0, image_sha256=f"{axis}", source="made up")


class Place:
    """An installation with two people, a data set, a run with weights, a backup and a user."""

    def __init__(self, root) -> None:
        self.root, self.settings = root, load_settings()
        self.gallery = Gallery.open(self.settings.gallery_path)
        for axis, name in enumerate(("Ada", "Grace")):
            self.gallery.enrol(name, [template(axis)], space=SPACE)
        self.photographs = notes_set(root / "given", {"001": 2, "002": 2})
        self.set = notes_set(root / "datasets" / "small", {"001": 2, "002": 2})
        self.run = create_run(runs_root(self.settings), "dsr", "x", {})
        self.dsr = save_dsr(self.run.checkpoints / "best" / "upscaler.safetensors")
        self.backup = back_up(self.gallery).path
        add_user(self.settings, "ada", "four words quite apart", Role.ADMIN)

    def tree(self) -> dict[str, bytes]:
        """Every file but the databases' own, and what the databases hold."""
        found = {str(p): p.read_bytes() for p in self.root.rglob("*") if p.is_file() and ".db" not in p.name}
        for path in self.root.rglob("*.db"):
            with sqlite3.connect(path) as connection:
                found[str(path)] = "\n".join(connection.iterdump()).encode()
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEFACE_DATA_DIR", str(root))
        patch.setenv("EDGEFACE_MODELS_DIR", str(root / "models"))
        patch.delenv("EDGEFACE_GALLERY", raising=False)
        made = Place(root)
    yield made
    made.gallery.close()
    shutil.rmtree(root)


VIEWERS = {
    "enrol": lambda p: p.gallery.enrol("Eve", [template(3)], space=SPACE),
    "add": lambda p: p.gallery.add_templates("Ada", [template(4)], space=SPACE),
    "rename": lambda p: rename(p.gallery, 1, "Eve"),
    "note": lambda p: p.gallery.set_note("Ada", "x"),
    "remove": lambda p: p.gallery.remove("Ada"),
    "erase": lambda p: erase(p.settings, p.gallery, "Ada", from_backups=True),
    "remove a template": lambda p: remove_template(p.gallery, p.gallery.templates(1)[0]),
    "merge": lambda p: merge_identities(p.gallery, 1, 2),
    "import": lambda p: merge_people(p.gallery, []),
    "export": lambda p: export_bytes(p.gallery),
    "export to a file": lambda p: export_gallery(p.gallery, p.root / "out.efgallery"),
    "export embeddings": lambda p: write_embeddings_pt(p.gallery, SPACE, p.root / "out.pt"),
    "download": lambda p: audited_download(p.settings, "x", lambda: b"x"),
    "make templates anew": lambda p: store_replacements(p.gallery, SPACE, []),
    "drop earlier templates": lambda p: remove_replaced(p.gallery, SPACE),
    "delete sightings": lambda p: forget(p.gallery, None),
    "demo": lambda p: make_demo(p.root / "datasets" / "demo", 2, 2),
    "ingest": lambda p: ingest(p.photographs, p.root / "datasets" / "taken", workers=1),
    "build": lambda p: build(scan(p.photographs), p.root / "datasets" / "built"),
    "fetch": lambda p: fetch("olivetti", p.root / "datasets" / "olivetti", downloads=p.root / "downloads"),
    "keep a verdict": lambda p: store_verdict(p.settings, None, None),
    "remove a data set": lambda p: remove_dataset(p.settings, "small"),
    "discard": lambda p: discard_unfinished(p.settings, p.root / "datasets" / "small"),
    "launch training": lambda p: launch(p.settings, "finetune", {}, slug="x"),
    "launch an evaluation": lambda p: launch(p.settings, "evaluate", {}, slug="x"),
    "launch diagnostics": lambda p: launch(p.settings, "diagnose", {}, slug="x"),
    "launch a video": lambda p: launch(p.settings, "video", {}, slug="x"),
    "launch re-embedding": lambda p: launch(p.settings, "reembed", {}, slug="x"),
    "make a run": lambda p: create_run(runs_root(p.settings), "video", "x", {}),
    "resume": lambda p: resume(p.run, p.settings),
    "stop": lambda p: stop(p.run),
    "remove a run": lambda p: delete_run(p.run),
    "half the batch": lambda p: halve_batch(p.run.checkpoints, batch_size=8, processes=1, configured=1),
    "write an evaluation": lambda p: write_evaluation(TOLD, p.root / "report"),
    "export weights": lambda p: export_float16(p.dsr, p.root / "out.safetensors"),
    "keep a camera": lambda p: store_address(p.settings, "rtsp://user:secret@camera/1"),
}
ADMINS = {
    "sighting rule": lambda p: write_rule(p.gallery, SightingRule(True, True, 1.0)),
    "threshold": lambda p: save_operating_point(p.gallery, SPACE, POINT),
    "weights": lambda p: use_weights(p.settings, p.dsr),
    "upscaler": lambda p: use_upscaler(p.settings, p.dsr),
    "weights of a run": lambda p: use_run_weights(p.settings, p.run),
    "fetch weights": lambda p: fetch_weights("edgeface_xxs", p.settings.weights_dir),
    "what is in use": lambda p: write_active(p.settings, encoder=None),
    "policy": lambda p: write_policy(p.settings, Policy(2)),
    "retention": lambda p: write_retention(p.settings, Retention(3)),
    "back up": lambda p: back_up(p.gallery),
    "restore": lambda p: restore(p.gallery, p.backup),
    "encrypt": lambda p: encrypt(p.gallery, new_key()),
    "change the key": lambda p: change_key(p.gallery, new_key()),
    "decrypt": lambda p: decrypt(p.gallery),
    "add a user": lambda p: add_user(p.settings, "eve", "four words quite apart", Role.ADMIN),
    "change a role": lambda p: change_role(p.settings, "ada", Role.VIEWER),
    "change a password": lambda p: change_password(p.settings, "ada", "four other words apart"),
    "remove a user": lambda p: remove_user(p.settings, "ada"),
}


@pytest.mark.parametrize("deed", [*VIEWERS, *ADMINS])
@pytest.mark.parametrize("actor", [VIEWER, NOBODY], ids=["viewer", "nobody"])
def test_whoever_may_only_look_writes_nothing_and_takes_nothing(place, deed, actor):
    before = place.tree()
    with acting_as(actor), pytest.raises(NotAllowed):
        (VIEWERS | ADMINS)[deed](place)
    assert place.tree() == before


@pytest.mark.parametrize("deed", ADMINS)
def test_an_operator_changes_no_setting_and_no_account(place, deed):
    before = place.tree()
    with acting_as(OPERATOR), pytest.raises(NotAllowed, match="operator can't"):
        ADMINS[deed](place)
    assert place.tree() == before


def test_a_calibrations_thresholds_are_put_to_use_by_an_admin_alone(place):
    with acting_as(OPERATOR), pytest.raises(NotAllowed):
        store_thresholds(place.settings.gallery_path, TOLD, [POINT])
    assert store_thresholds(place.settings.gallery_path, TOLD, []) == 0


def test_a_download_is_in_the_trail_and_ends_with_the_role(own_data_dir):
    settings, made = load_settings(), []

    def make() -> bytes:
        made.append(1)
        return b"figures"

    with acting_as(OPERATOR):
        give = audited_download(settings, "figures", make)
        later = audited_download(settings, "figures", make, again=lambda actor: Actor(actor.name, Role.VIEWER))
    assert give() == b"figures" and made == [1]
    with pytest.raises(NotAllowed):
        later()
    assert made == [1]
    assert [(each.actor, each.event, each.subject) for each in read_trail(settings, 9)] == [
        ("otto", "downloaded", "figures")
    ]
