"""Roles contain each other, and every write of core asks who acts."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from core.access.actor import NOBODY, Actor, acting_as, allowed, current_actor, owner, require, resolve_with, run_actor
from core.access.errors import AccessError, NotAllowed
from core.access.roles import Permission, Role, least_role, permissions, role_of
from core.access.trail import read_trail
from core.gallery.import_merge import merge_people
from core.gallery.records import NewTemplate, Space
from core.gallery.store import Gallery
from core.gallery.transfer import export_bytes, export_gallery
from core.jobs.launch import launch, resume, stop
from core.jobs.permissions import permission_for
from core.jobs.run_dir import create_run, delete_run, runs_root
from core.jobs.state import State, write_state
from core.models.active_file import write_active
from core.settings import PROJECT_ROOT, load_settings

VIEWER, OPERATOR = Actor("vera", Role.VIEWER), Actor("otto", Role.OPERATOR)
SPACE = Space("edgeface_xxs", "a" * 64, "bicubic", False)


def template() -> NewTemplate:
    vector = np.zeros(512, np.float32)
    vector[0] = 1
    return NewTemplate(vector, "hr", 140.0, image_sha256="x", source="made up")


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(tmp_path / "gallery.db") as opened:
        opened.enrol("Ada", [template()], space=SPACE)
        yield opened


def test_each_role_has_all_of_the_one_before_and_something_more():
    sizes = [len(permissions(role)) for role in (None, *Role)]
    assert sizes == sorted(set(sizes)) and sizes[0] == 0
    assert permissions(Role.VIEWER) < permissions(Role.OPERATOR) < permissions(Role.ADMIN) == set(Permission)
    assert {each for each in Permission if least_role(each) is Role.VIEWER} == {Permission.VIEW}


def test_a_role_is_read_by_name_or_refused():
    assert role_of(" Admin ") is Role.ADMIN
    with pytest.raises(AccessError, match="no role 'root'"):
        role_of("root")


def test_where_nobody_was_named_to_say_who_acts_nobody_does():
    resolve_with(None)  # put back by the fixture of all tests
    assert current_actor() == NOBODY
    with pytest.raises(NotAllowed, match="resolve_with"):
        require(Permission.VIEW)


def test_no_import_names_somebody():
    code = "import core.cli, core.jobs.worker, dashboard.shell.session; from core.access.actor import current_actor; "
    code += "raise SystemExit(current_actor().role is not None)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0


def test_the_owner_is_named_by_the_environment(monkeypatch):
    assert owner() == Actor("local", Role.ADMIN)
    monkeypatch.setenv("EDGEFACE_ACTOR", "grace")
    assert owner() == Actor("grace", Role.ADMIN)


@pytest.mark.parametrize("role", ["", "root", None])
def test_a_process_that_isnt_told_a_role_works_for_nobody(monkeypatch, role):
    monkeypatch.setenv("EDGEFACE_ACTOR", "grace")
    monkeypatch.delenv("EDGEFACE_ROLE", raising=False)
    if role is not None:
        monkeypatch.setenv("EDGEFACE_ROLE", role)
    assert run_actor() == NOBODY
    monkeypatch.setenv("EDGEFACE_ROLE", "operator")
    assert run_actor() == Actor("grace", Role.OPERATOR)


def test_acting_as_ends_with_its_block_and_stays_in_its_thread():
    seen = []
    with acting_as(VIEWER):
        assert current_actor() == VIEWER
        thread = threading.Thread(target=lambda: seen.append(current_actor()))
        thread.start()
        thread.join()
    assert current_actor() == owner() and seen == [owner()]


def test_a_resolver_speaks_for_every_thread_of_the_process():
    seen = []
    assert resolve_with(lambda: NOBODY) is owner  # put back by the fixture of all tests
    thread = threading.Thread(target=lambda: seen.append(allowed(Permission.VIEW)))
    thread.start()
    thread.join()
    assert seen == [False]
    with pytest.raises(NotAllowed, match="aren't signed in"):
        require(Permission.VIEW)


def test_a_refusal_names_role_deed_and_the_role_that_it_takes():
    with acting_as(VIEWER), pytest.raises(NotAllowed) as caught:
        require(Permission.EXPORT)
    assert "viewer can't export" in caught.value.what and "operator" in caught.value.next_step


CHANGES = {
    "enrol": lambda g: g.enrol("Eve", [template()], space=SPACE),
    "add": lambda g: g.add_templates("Ada", [template()], space=SPACE),
    "rename": lambda g: g.rename("Ada", "Eve"),
    "note": lambda g: g.set_note("Ada", "x"),
    "remove": lambda g: g.remove("Ada"),
    "remove template": lambda g: g.remove_template(1),
    "import": lambda g: merge_people(g, []),
    "export": export_bytes,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("actor", [VIEWER, NOBODY], ids=["viewer", "nobody"])
def test_whoever_may_only_look_changes_and_exports_nothing(gallery, change, actor):
    before = (gallery.identities(), gallery.audit(99))
    with acting_as(actor), pytest.raises(NotAllowed):
        CHANGES[change](gallery)
    assert (gallery.identities(), gallery.audit(99)) == before


def test_an_export_that_isnt_allowed_leaves_no_file(gallery, tmp_path):
    target = tmp_path / "out" / "people.efgallery"
    with acting_as(VIEWER), pytest.raises(NotAllowed):
        export_gallery(gallery, target)
    assert not target.exists()


def test_the_gallerys_trail_names_who_is_signed_in_whatever_the_caller_says(gallery):
    with acting_as(OPERATOR):
        gallery.rename("Ada", "Ada King", actor="dashboard")
        export_bytes(gallery, actor="dashboard")
    assert [(entry.actor, entry.event) for entry in gallery.audit(2)] == [
        ("otto", "exported: 1 identities"),
        ("otto", "renamed"),
    ]
    gallery.rename("Ada King", "Ada", actor="script")
    assert gallery.audit(1)[0].actor == "script"


def test_runs_and_weights_need_their_permission_and_are_in_the_trail(own_data_dir):
    settings = load_settings()
    run = create_run(runs_root(settings), "finetune", "x", {})
    for deed in (
        lambda: launch(settings, "finetune", {}, slug="x"),
        lambda: resume(run, settings),
        lambda: stop(run),
        lambda: delete_run(run),
        lambda: write_active(settings, encoder={}),
    ):
        with acting_as(VIEWER), pytest.raises(NotAllowed):
            deed()
    with acting_as(OPERATOR), pytest.raises(NotAllowed, match="weights"):
        write_active(settings, encoder={})
    assert run.path.is_dir() and not settings.active_path.exists() and read_trail(settings, 9) == []
    write_active(settings, encoder={"path": "x"})
    assert [(each.actor, each.event) for each in read_trail(settings, 9)] == [("local", "in use changed: encoder")]


def test_runs_stopped_and_deleted_are_in_the_trail(own_data_dir):
    settings = load_settings()
    run = create_run(runs_root(settings), "finetune", "x", {})
    with acting_as(OPERATOR):
        stop(run)
        write_state(run.path, State("stopped"))
        delete_run(run)
    told = [(each.actor, each.event, each.subject) for each in read_trail(settings, 9)]
    assert told == [("otto", "run deleted", run.id), ("otto", "run asked to stop", run.id)]


@pytest.mark.parametrize("actor", [OPERATOR, VIEWER, NOBODY], ids=["operator", "viewer", "nobody"])
def test_trails_are_read_by_admins_alone(gallery, own_data_dir, actor):
    for read in (lambda: gallery.audit(1), lambda: read_trail(load_settings(), 1)):
        assert read() is not None
        with acting_as(actor), pytest.raises(NotAllowed):
            read()
    with acting_as(actor):
        assert gallery.revision[0] > 0


def test_kinds_of_runs_map_to_what_they_touch():
    assert permission_for("ingest") is Permission.DATA
    assert permission_for("reembed") is Permission.ENROL
    assert permission_for("starter") is permission_for("unheard of") is Permission.RUN
