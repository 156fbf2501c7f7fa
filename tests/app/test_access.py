"""The door and the roles on every page, as Streamlit runs them; also by address, and with a session that lies."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from streamlit.testing.v1 import AppTest

import dashboard.shell.session as access
from core.access.actor import acting_as, owner
from core.access.roles import Role
from core.access.trail import read_trail
from core.access.users import add_user, change_role, find_user, read_users, remove_user
from core.gallery.store import Gallery
from core.settings import load_settings
from tests.app.conftest import ROOT, button, fill, shown

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD = "four words quite apart"
PAGES = ("enroll", "identify", "gallery", "dataset", "training", "access", "help")


@pytest.fixture
def people(own_data_dir):
    """An admin, an operator and a viewer, and two people in the gallery."""
    settings = load_settings()
    with acting_as(owner()):
        for name, role in (("ada", Role.ADMIN), ("otto", Role.OPERATOR), ("vera", Role.VIEWER)):
            add_user(settings, name, PASSWORD, role, hasher=QUICK)
        fill(own_data_dir, "Grace Hopper", "Alan Turing")
    return settings


def signed_in(settings, name: str) -> access.SignedIn:
    now = time.time()
    return access.SignedIn(name, find_user(settings, name).stamp, now, now)


@pytest.fixture
def page_of(people):
    """page_of("vera", "gallery", key=value): the dashboard at that address for somebody signed in."""

    def opener(name: str | None, page: str = "", **state: object) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard" / "Home.py"), default_timeout=60)
        if name is not None:
            app.session_state["access_signed_in"] = signed_in(people, name)
        for key, value in state.items():
            app.session_state[key] = value
        if page:
            app.switch_page(f"../pages/{page}.py")
        assert not app.run().exception
        return app

    return opener


def labels(app: AppTest) -> set[str]:
    return {each.label for each in app.button}


def walk(app: AppTest):
    """(name, app) for every page, one after the other in one session."""
    for page in PAGES:
        yield page, app.switch_page(f"../pages/{page}.py").run()


def test_whoever_isnt_signed_in_sees_the_door_on_every_address(page_of):
    for page, app in walk(page_of(None, gallery_open=1)):
        assert not app.exception and labels(app) == {"Sign in"}, page
        assert "Hopper" not in shown(app) and len(app.text_input) == 2 and not app.sidebar.markdown


def test_a_right_password_opens_the_page_that_was_asked_for(page_of, people, monkeypatch):
    app = page_of(None, "gallery")
    app.text_input(key="door_name").set_value("vera")
    app.text_input(key="door_password").set_value("wrong wrong wrong")
    button(app, "Sign in").click().run()
    assert "fit together" in shown(app) and "Hopper" not in shown(app)
    app.text_input(key="door_password").set_value(PASSWORD)
    button(app, "Sign in").click().run()
    assert "Grace Hopper" in shown(app) and "vera" in app.sidebar.markdown[0].value
    assert "door_password" not in app.session_state


def test_signing_out_forgets_everything_of_the_session(page_of):
    app = page_of("vera", "gallery", gallery_search="grace", enroll_draft="x")
    button(app, "Sign out").click().run()
    assert "Hopper" not in shown(app) and len(app.text_input) == 2
    assert "enroll_draft" not in app.session_state and "access_signed_in" not in app.session_state


FORBIDDEN = {
    "viewer": {
        "Enrol a person",
        "Create the file",
        "Import",
        "Delete",
        "Save the name",
        "Add photographs",
        "Create the demo",
        "Import photographs",
        "Generate",
        "Start training",
        "Check it now",
        "Check the data set",
        "Remove this data set",
        "Use this file",
        "Check and use",
        "Add",
        "Find faces",
    },
    "operator": {"Use this file", "Check and use", "Add"},
}


@pytest.mark.parametrize(("name", "role"), [("vera", "viewer"), ("otto", "operator")])
def test_no_page_offers_what_a_role_cant_do(page_of, name, role):
    home = page_of(name, gallery_open=1)
    assert not labels(home) & FORBIDDEN[role]
    for page, app in walk(home):
        assert not app.exception and not labels(app) & FORBIDDEN[role], page
        assert page != "gallery" or "Grace Hopper" in shown(app)


def test_an_operator_finds_what_belongs_to_the_role(page_of):
    assert {"Enrol a person", "Create the file", "Import"} <= labels(page_of("otto", "gallery"))
    assert {"Add photographs", "Delete"} <= labels(page_of("otto", "gallery", gallery_open=1))


def test_enrol_and_access_are_refused_by_address_in_plain_words(page_of):
    assert r"role viewer can't enrol people" in shown(page_of("vera", "enroll"))
    assert r"role operator can't manage who may sign in" in shown(page_of("otto", "access"))
    assert "needs the role operator" in shown(page_of("vera", "gallery"))


def test_a_session_prepared_for_a_delete_still_deletes_nothing(page_of, own_data_dir):
    """The dialog opens for a viewer whose session says so: core refuses."""
    app = page_of("vera", "gallery", gallery_open=1, gallery_deleting=1)
    for each in [each for each in app.button if each.label == "Delete for good"]:
        each.click().run()
    with Gallery.open(own_data_dir / "gallery.db") as gallery:
        assert len(gallery.identities()) == 2


def test_a_changed_role_a_removed_account_and_time_end_the_session(page_of, people, monkeypatch):
    app = page_of("vera", "gallery")
    with acting_as(owner()):
        change_role(people, "vera", Role.OPERATOR)
    assert "session has ended" in shown(app.run()) and "Hopper" not in shown(app)
    app = page_of("otto", "gallery")
    with acting_as(owner()):
        remove_user(people, "otto")
    assert "Hopper" not in shown(app.run())
    app = page_of("ada", "gallery")
    now = time.time()
    monkeypatch.setattr(access.time, "time", lambda: now + access.IDLE_S + 1)
    assert "Hopper" not in shown(app.run()) and "session has ended" in shown(app)


def test_what_is_done_is_in_the_trail_under_the_name_of_who_did_it(page_of, own_data_dir):
    app = page_of("otto", "gallery", gallery_open=1)
    app.text_input(key="gallery_new_name_1").set_value("Grace Murray Hopper")
    button(app, "Save the name").click().run()
    with acting_as(owner()), Gallery.open(own_data_dir / "gallery.db", create=False) as gallery:
        assert (gallery.audit(1)[0].actor, gallery.audit(1)[0].event) == ("otto", "renamed")
    app = page_of("ada", "access")
    table = next(each.value for each in app.dataframe if "what" in each.value.columns)
    assert ("otto", "renamed", "person 1") in set(zip(table["who"], table["what"], table["to what"], strict=True))
    assert "Hopper" not in table.to_csv()


def test_an_admin_adds_changes_and_removes_people(page_of, people):
    app = page_of("ada", "access")
    app.text_input(key="access_name").set_value("eve")
    app.text_input(key="access_password").set_value("short")
    button(app, "Add").click().run()
    assert "at least 12" in shown(app) and find_user(people, "eve") is None
    app.text_input(key="access_password").set_value("a long enough password")
    button(app, "Add").click().run()
    assert find_user(people, "eve").role is Role.VIEWER and "eve can sign in with the role viewer" in shown(app)
    app.selectbox(key="access_who").set_value("eve").run()
    button(app, "Remove account").click().run()
    assert find_user(people, "eve") is None
    with acting_as(owner()):
        assert read_trail(people, 1)[0].actor == "ada"


def test_without_users_the_owner_works_and_the_first_admin_turns_the_door_on(open_page, own_data_dir):
    app = open_page("access")
    assert "Sign-in is off" in shown(app) and "Sign out" not in labels(app)
    app.text_input(key="access_name").set_value("ada")
    app.text_input(key="access_password").set_value(PASSWORD)
    button(app, "Add").click().run()
    assert [user.role for user in read_users(load_settings())] == [Role.ADMIN]
    app = open_page("gallery")
    assert len(app.text_input) == 2 and "Sign in" in labels(app)


def test_a_damaged_users_file_lets_nobody_in(open_page, own_data_dir):
    (own_data_dir / "users.json").write_text("{")
    app = open_page("gallery")
    assert not app.exception and "Gallery" not in shown(app)


def bind(monkeypatch, address: str | None) -> None:
    real = access.st.get_option
    monkeypatch.setattr(access.st, "get_option", lambda name: address if name == "server.address" else real(name))


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "192.168.1.7", "::"])
def test_bound_wide_without_accounts_nobody_acts(own_data_dir, monkeypatch, address):
    bind(monkeypatch, address)
    assert access.current().role is None and access.exposed()
    monkeypatch.setenv("EDGEFACE_OPEN_ACCESS", "1")
    assert access.current() == owner() and not access.exposed()


def test_a_dashboard_bound_wide_without_accounts_stays_closed(open_page, own_data_dir, monkeypatch):
    fill(own_data_dir, "Ada")
    bind(monkeypatch, "0.0.0.0")
    app = open_page("gallery")
    assert "Access is closed" in shown(app) and "Ada" not in shown(app)


def test_a_secrets_file_that_cant_be_read_lets_nobody_in(open_page, own_data_dir, monkeypatch):
    from streamlit.errors import StreamlitSecretNotFoundError

    class Broken:
        def get(self, *given):
            raise StreamlitSecretNotFoundError("Error parsing secrets file")

    monkeypatch.setattr(access.st, "secrets", Broken())
    app = open_page("gallery")
    assert "access is closed" in shown(app)


def test_outside_of_a_visitors_thread_nobody_acts_where_people_sign_in(people):
    assert access.current().role is None


def test_a_viewer_sees_videos_and_sightings_but_starts_and_changes_nothing(ready, page_of) -> None:
    for name, may, rules in (("vera", False, False), ("otto", True, False), ("ada", True, True)):
        app = page_of(name, "identify", identify_source="Video or stream")
        assert ("Analyse the video" in [each.label for each in app.button]) is may
        app = page_of(name, "identify", identify_source="Camera", identify_sightings=True)
        assert ("Save the rule" in [each.label for each in app.button]) is rules
        if not rules:
            assert "Nobody is logged." in shown(app) and "Changing this rule needs the role admin" in shown(app)


def test_lists_are_read_again_and_a_providers_sign_in_has_an_age(own_data_dir, tmp_path, monkeypatch):
    lists = tmp_path / "secrets.toml"
    real = access.st.get_option
    monkeypatch.setattr(access.st, "get_option", lambda name: [str(lists)] if name == "secrets.files" else real(name))
    monkeypatch.setattr(access.st, "secrets", {"auth": {"client_id": "x"}, "access": {"admins": ["ada@example.org"]}})
    claims = {"email": "ada@example.org", "email_verified": True, "iat": int(time.time())}

    def role(**other: object) -> Role | None:
        return access.by_now(access.ByProvider({**claims, **other})).role

    lists.write_text('[access]\nadmins = ["ada@example.org"]\n')
    assert role() is Role.ADMIN
    for iat in (None, "now", time.time() - access.LONGEST_S - 1, time.time() + 3600):
        assert role(iat=iat) is None
    lists.write_text('[access]\nviewers = ["ada@example.org"]\n')
    assert role() is Role.VIEWER
    ada = access.Actor("ada@example.org", Role.ADMIN)
    assert access.as_of_now(ada).role is Role.VIEWER  # a download that was offered before
    lists.write_text("[auth]\n")
    assert role() is None and access.as_of_now(ada).role is None
    lists.write_text("[access\n")
    assert role() is None


def test_a_sign_in_counts_in_its_own_browser_alone(page_of, people):
    elsewhere = replace(signed_in(people, "vera"), browser="the cookie of another browser")
    app = page_of(None, "gallery", access_signed_in=elsewhere)
    assert "Hopper" not in shown(app) and "Sign in" in labels(app)


def test_an_operator_looks_into_no_folder_that_isnt_listed(page_of, tmp_path):
    for name, said in (("otto", "Only an admin may name"), ("ada", "There is no")):
        app = page_of(name, "dataset", dataset_way="folder")
        app.text_input(key="dataset_path").set_value(str(tmp_path / "nothing"))
        button(app, "Scan the source").click().run()
        assert said in shown(app)
