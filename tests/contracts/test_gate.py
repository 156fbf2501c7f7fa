"""What the gate lets in and what it doesn't, played against a running dashboard by a visitor who makes up headers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from websockets.exceptions import ConnectionClosed

from core.access.actor import acting_as, owner
from core.access.roles import Role
from core.access.users import add_user, remove_user
from core.jobs.run_dir import create_run, runs_root
from core.settings import load_settings
from tests.app.conftest import fill
from tests.browser.conftest import start
from tests.contracts.visitor import InvalidStatus, Session, Visitor

PASSWORD = "four words quite apart"
Start = Callable[..., Visitor]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[Visitor, Path]]]:
    """running(people=("ada",), options, variable="value"): a dashboard with Grace Hopper enrolled, and a visitor's
    address of it."""
    processes = []

    def one(*options: str, people: tuple[str, ...] = (), **variables: str) -> tuple[Visitor, Path]:
        data_dir, folder = tmp_path_factory.mktemp("gate-data"), tmp_path_factory.mktemp("gate")
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        with acting_as(owner()):
            fill(data_dir, "Grace Hopper")
            for name in people:
                settings = load_settings({"EDGEFACE_DATA_DIR": str(data_dir)})
                add_user(settings, name, PASSWORD, Role.VIEWER if name == "vera" else Role.ADMIN, hasher=quick)
        process, address = start(data_dir, folder / "server.log", lambda port: options, **variables)
        processes.append(process)
        return Visitor(address), data_dir

    yield one
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def open_one(running: Start) -> Visitor:
    return running()[0]


@pytest.fixture(scope="module")
def guarded(running: Start) -> tuple[Visitor, Path]:
    """With two accounts; whose connection stays away is forgotten after 20 s, where the default is two minutes."""
    return running("--server.disconnectedSessionTTL", "20", people=("ada", "vera"))


def fresh(visitor: Visitor, **headers: str) -> Visitor:
    """Another browser at the same dashboard."""
    return Visitor(visitor.address, headers).arrive()


def sign_in(session: Session, name: str, page: str = "gallery") -> str:
    session.run(page)
    filled = {session.widget("Name"): name, session.widget("Password"): PASSWORD, session.widget("Sign in"): True}
    return session.run(page, **filled)


def test_the_owner_at_this_machine_is_let_in(open_one: Visitor) -> None:
    with fresh(open_one).session() as session:
        assert "Grace Hopper" in session.run("gallery")
    with fresh(open_one).session(Origin="") as session:  # a program of this machine
        assert "Grace Hopper" in session.run("gallery")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "192.168.1.7:8501", "Origin": "http://192.168.1.7:8501"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Host": "studio.example.org"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.9"},
    ],
    ids=str,
)
def test_everybody_else_opens_no_connection_and_gets_no_page(open_one: Visitor, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused, fresh(open_one).session(**headers) as session:
        assert "Grace Hopper" not in session.run("gallery")
    assert refused.value.response.status_code == 403
    answer = Visitor(open_one.address).request("GET", "", headers={**headers, "Accept": "text/html"})
    assert answer.status_code == 403 and "Access is closed" in answer.text


def test_a_page_of_another_port_gets_no_picture_and_frames_nothing(open_one: Visitor) -> None:
    asked = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert Visitor(open_one.address).request("GET", "media/x.png", headers=asked).status_code == 403
    followed = Visitor(open_one.address).request("GET", "", headers={**asked, "Sec-Fetch-Mode": "navigate"})
    assert followed.ok and "frame-ancestors 'self'" in followed.headers["Content-Security-Policy"]


def test_the_mark_of_the_gate_cant_be_forged(open_one: Visitor) -> None:
    with fresh(open_one).session(**{"Edgeface-Gate": "x"}) as session:
        assert "Grace Hopper" in session.run("gallery")


def test_open_access_excuses_the_address_alone(running: Start) -> None:
    visitor, _ = running("--server.address", "0.0.0.0", EDGEFACE_OPEN_ACCESS="1")
    with fresh(visitor).session() as session:
        assert "Grace Hopper" in session.run("gallery")
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    for headers in (rebound, {"Via": "1.1 proxy"}, {"Origin": "http://localhost:3000"}):
        with pytest.raises(InvalidStatus), visitor.session(**headers):
            pass


def test_bound_wide_it_asks_no_public_service_for_its_address(running: Start, tmp_path: Path) -> None:
    """Streamlit would, by plain http: at its start, and for each foreign Origin. The proxy is where that would go."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.5)
        there = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        visitor, _ = running("--server.address", "0.0.0.0", people=("ada",), http_proxy=there, HTTP_PROXY=there)
        with pytest.raises(InvalidStatus), visitor.session(Origin="http://evil.example"):
            pass
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_with_accounts_pages_of_other_addresses_stay_out_and_named_ones_come_in(running: Start) -> None:
    named = "https://studio.example.org"
    options = (
        "--server.corsAllowedOrigins",
        named,
        "--server.allowedHosts",
        "localhost",
        "--server.allowedHosts",
        "studio.example.org",
    )
    visitor, _ = running(*options, people=("ada",))
    for headers in ({"Origin": "http://localhost:3000"}, {"Host": "evil.example", "Origin": "http://evil.example"}):
        with pytest.raises(InvalidStatus), fresh(visitor).session(**headers):
            pass
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9", "Origin": named}
    with fresh(visitor).session(**through_a_proxy) as session:
        assert "Grace Hopper" in sign_in(session, "ada")


def test_metrics_and_the_interface_for_agents_are_closed(open_one: Visitor, guarded: tuple[Visitor, Path]) -> None:
    for visitor in (open_one, guarded[0]):
        for path in ("metrics", "metrics/", "metrics%0A", "agent/interact", "agent/openapi.json", "agent/mcp"):
            for method in ("GET", "POST"):
                assert visitor.request(method, f"_stcore/{path}", allow_redirects=False).status_code == 404


def upload(visitor: Visitor, session: str, size: int, name: str = "a") -> int:
    headers = {"X-Xsrftoken": visitor.cookies.get("_streamlit_xsrf", "")}
    files = {"file": ("a.png", b"x" * size)}
    return visitor.request("PUT", f"_stcore/upload_file/{session}/{name}", files=files, headers=headers).status_code


def test_uploads_of_a_session_without_a_sign_in_are_refused(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        session.run("enroll")
        assert [upload(visitor, session.id, 1000, str(each)) for each in range(3)] == [403] * 3


def test_uploads_go_to_the_own_session_alone_and_are_capped(guarded: tuple[Visitor, Path]) -> None:
    visitor, other = fresh(guarded[0]), fresh(guarded[0])
    megabytes = 60 * 2**20
    with visitor.session() as session, other.session() as strange:
        sign_in(session, "ada")
        sign_in(strange, "vera")
        assert upload(other, session.id, 1000) == 403 and upload(fresh(other), session.id, 1000) == 403
        sizes = [upload(visitor, session.id, megabytes, str(each)) for each in range(5)]
        assert sizes == [204] * 4 + [413]
        headers = {"X-Xsrftoken": visitor.cookies["_streamlit_xsrf"]}
        assert visitor.request("DELETE", f"_stcore/upload_file/{session.id}/0", headers=headers).status_code == 204
        assert upload(visitor, session.id, megabytes, "again") == 204


def test_an_upload_has_to_say_its_length(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        sign_in(session, "ada")
        parts = (each for each in [b"x" * 1000])
        headers = {"X-Xsrftoken": visitor.cookies["_streamlit_xsrf"]}
        path = f"_stcore/upload_file/{session.id}/chunked"
        assert visitor.request("PUT", path, data=parts, headers=headers).status_code == 411
        parts = (each for each in [b"x" * 1000])
        both = {**headers, "Content-Length": "10"}  # beside the chunks' own lengths: one of them isn't true
        assert visitor.request("PUT", path, data=parts, headers=both).status_code == 411


def test_small_uploads_are_bounded_in_number(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        sign_in(session, "ada")
        assert [upload(visitor, session.id, 60 * 2**20, str(each)) for each in range(4)] == [204] * 4
        small = [upload(visitor, session.id, 1, f"small {each}") for each in range(257)]
        assert 413 in small and set(small[small.index(413) :]) == {413}


def test_before_a_sign_in_a_connection_leaves_next_to_nothing_in_memory(guarded: tuple[Visitor, Path]) -> None:
    with fresh(guarded[0]).session() as session:
        assert "Sign in" in session.run("gallery")
        with pytest.raises(ConnectionClosed):
            session.run("gallery", junk="x" * 100_000)
    with fresh(guarded[0]).session() as session:
        assert "Grace Hopper" in sign_in(session, "ada")
        assert "script_finished" in session.run("gallery", **{session.widget("Find by name"): "x" * 100_000})


def test_a_sessions_number_alone_goes_on_with_nothing(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        assert "Grace Hopper" in sign_in(session, "ada")
        number = session.id
        with fresh(guarded[0]).session(number) as thief:  # also while it is connected
            assert "Grace Hopper" not in thief.run("gallery") and thief.id != number
        assert "Grace Hopper" in session.run("gallery")
    for other in (fresh(guarded[0]), Visitor(guarded[0].address)):
        with other.session(number) as thief:
            assert "Grace Hopper" not in thief.run("gallery") and thief.id != number
    with visitor.session(number) as again:  # the own browser goes on
        assert "Grace Hopper" in again.run("gallery") and again.id == number


def test_files_are_for_browsers_in_which_somebody_is_signed_in(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        sign_in(session, "ada", "access")
        address = session.download("As CSV").lstrip("/")
        assert visitor.request("GET", address).ok
        assert Visitor(guarded[0].address).request("GET", address).status_code == 403
        assert fresh(guarded[0]).request("GET", address).status_code == 403
        session.run("access", **{session.widget("Sign out"): True})
        assert visitor.request("GET", address).status_code == 403


def test_a_file_is_made_for_the_session_that_offered_it_alone(guarded: tuple[Visitor, Path]) -> None:
    owners, viewer, stranger = (fresh(guarded[0]) for _ in range(3))
    with owners.session() as session, viewer.session() as other, stranger.session() as third:
        sign_in(session, "ada", "access")
        sign_in(other, "vera", "help")
        third.run("help")
        number = session.offered("As CSV")
        assert other.file(number) == "" and third.file(number) == ""
        assert session.file(number).startswith("/media/")


def test_nobody_clears_everybodys_caches(open_one: Visitor) -> None:
    with fresh(open_one).session() as session:
        session.run("gallery")
        session.send("clear_cache")  # would also empty the session
        session.send("app_heartbeat")
        assert "Grace Hopper" in session.run("gallery")


def test_a_dashboard_that_loses_its_accounts_closes_to_whom_it_let_in_by_them(running: Start) -> None:
    visitor, data_dir = running(people=("ada",))
    far = fresh(visitor, **{"X-Forwarded-For": "203.0.113.9"})
    with far.session() as session:
        assert "Grace Hopper" in sign_in(session, "ada")
        with acting_as(owner()):
            remove_user(load_settings({"EDGEFACE_DATA_DIR": str(data_dir)}), "ada")
        assert "Grace Hopper" not in session.run("gallery")


def test_a_part_that_refreshes_itself_shows_nothing_once_the_account_is_gone(guarded: tuple[Visitor, Path]) -> None:
    settings = load_settings({"EDGEFACE_DATA_DIR": str(guarded[1])})
    with acting_as(owner()):
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        add_user(settings, "tom", PASSWORD, Role.VIEWER, hasher=quick)
        create_run(runs_root(settings), "demo", "x", {"out": str(guarded[1] / "datasets" / "demo"), "identities": 4})
    with fresh(guarded[0]).session() as session:
        assert "Data sets" in sign_in(session, "tom", "dataset")
        part = next(each.delta.fragment_id for each in session.messages if each.delta.fragment_id)
        assert "Sign in" not in session.run("dataset", part=part)
        with acting_as(owner()):
            remove_user(settings, "tom")
        assert "Sign in" in session.run("dataset", part=part)


def test_what_a_session_uploaded_goes_when_its_connection_stays_away(guarded: tuple[Visitor, Path]) -> None:
    visitor = fresh(guarded[0])
    with visitor.session() as session:
        sign_in(session, "ada")
        assert upload(visitor, session.id, 1000) == 204
    assert upload(visitor, session.id, 1000) == 400  # the browser may still come back, and isn't there
    deadline = time.monotonic() + 60
    while upload(visitor, session.id, 1000) != 403 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert upload(visitor, session.id, 1000) == 403
    with visitor.session(session.id) as again:
        assert "Grace Hopper" not in again.run("gallery") and again.id != session.id
