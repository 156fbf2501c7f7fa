"""Which requests reach the program, by their headers."""

from __future__ import annotations

import pytest

from core.access.gate import browser_of, refusal_of_page, refusal_without_accounts

HOST = ("host", "localhost:8501")


def why(*headers: tuple[str, str], bound: str | None = "localhost", excused: bool = False) -> str:
    return refusal_without_accounts(headers, bound=bound, bind_excused=excused)


@pytest.mark.parametrize(
    ("host", "closed"),
    [
        ("localhost:8501", False),
        ("127.0.0.1", False),
        ("[::1]:8501", False),
        ("studio.localhost", False),
        ("evil.example:8501", True),
        ("localhost.evil.example", True),
        ("192.168.1.7:8501", True),
        ("", True),
        ("localhost@evil.example", True),
        ("0.0.0.0:8501", True),
    ],
)
def test_without_accounts_the_host_has_to_be_this_machines(host: str, closed: bool) -> None:
    assert bool(why(("host", host))) is closed


def test_one_host_and_one_origin_at_most_are_named() -> None:
    assert why() and why(HOST, HOST)
    assert why(HOST, ("origin", "http://localhost:8501"), ("origin", "http://localhost:8501"))


@pytest.mark.parametrize(
    ("origin", "closed"),
    [
        ("http://localhost:8501", False),
        ("https://localhost:8501", False),
        ("HTTP://LOCALHOST:8501", False),
        ("http://localhost", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8501", True),
        ("null", True),
        ("", True),
        ("file://localhost:8501", True),
        ("http://localhost:8501.evil.example", True),
        ("http://[", True),
    ],
)
def test_the_origin_has_to_be_the_host_exactly(origin: str, closed: bool) -> None:
    assert bool(why(HOST, ("origin", origin))) is closed


@pytest.mark.parametrize(
    "name",
    [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-anything",
        "forwarded",
        "via",
        "x-real-ip",
        "x_forwarded_for",
        "x_real_ip",
        "x-forwarded",
        "forwarded-for",
        "x-forward-for",
        "x-original-host",
        "x-original-forwarded-for",
        "x-original-url",
        "x-rewrite-url",
        "x-host",
        "x-scheme",
        "x-url-scheme",
        "x-realip",
        "x-real-port",
        "x-client-ip",
        "client-ip",
        "remote-addr",
        "x-remote-ip",
        "x-remote-user",
        "fastly-client-ip",
        "cf-ray",
        "cf-connecting-ip",
        "cdn-loop",
        "true-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-amzn-trace-id",
        "x-azure-clientip",
        "x-arr-ssl",
        "front-end-https",
        "x-appengine-user-ip",
        "x-proxyuser-ip",
        "x-nginx-proxy",
        "x-varnish",
        "max-forwards",
        "tailscale-user-login",
        "ngrok-trace-id",
        "x-auth-request-user",
        "ssl-client-cert",
    ],
)
def test_a_trace_of_a_proxy_means_exposed(name: str) -> None:
    assert name in why(HOST, (name, ""))


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "cache-control",
        "connection",
        "cookie",
        "dnt",
        "priority",
        "referer",
        "save-data",
        "sec-ch-ua",
        "sec-fetch-site",
        "sec-gpc",
        "te",
        "upgrade-insecure-requests",
        "user-agent",
        "x-requested-with",
        "x-xsrftoken",
        "x-streamlit-user",
        "authorization",
        "range",
        "viewport-width",
    ],
)
def test_what_browsers_send_by_themselves_is_no_trace_of_a_proxy(name: str) -> None:
    assert not why(HOST, (name, "1"))


@pytest.mark.parametrize("bound", [None, "", "0.0.0.0", "::", "192.168.1.7"])
def test_the_excuse_is_for_the_bound_address_alone(bound: str | None) -> None:
    assert why(HOST, bound=bound) and not why(HOST, bound=bound, excused=True)
    assert why(("host", "evil.example"), bound=bound, excused=True)
    assert why(HOST, ("via", "1.1 proxy"), bound=bound, excused=True)
    assert why(HOST, ("origin", "http://localhost:3000"), bound=bound, excused=True)


def test_with_accounts_a_page_of_the_host_or_of_a_trusted_address_may_ask() -> None:
    host, trusted = ("host", "10.0.0.7:8501"), ["https://studio.example.org/"]
    assert not refusal_of_page([host]) and not refusal_of_page([host, ("origin", "http://10.0.0.7:8501")])
    assert not refusal_of_page([host, ("origin", "https://studio.example.org")], trusted)
    for origin in ("http://studio.example.org", "https://evil.example", "http://localhost:3000"):
        assert origin in refusal_of_page([host, ("origin", origin)], trusted)


def test_a_picture_for_another_page_is_refused_and_a_link_is_followed() -> None:
    for site in ("cross-site", "same-site"):
        assert refusal_of_page([HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")])
        assert not refusal_of_page([HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")])
    for site in ("same-origin", "none"):
        assert not refusal_of_page([HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")])


def test_a_browsers_cookie_is_found_among_those_of_other_programs() -> None:
    ours = "k" * 43
    others = 'theme={"dark": true}; bad name=x; =; visitor=short; ' + f"visitor={ours}; last=1"
    assert browser_of([("cookie", others)], "visitor") == ours
    assert browser_of([("cookie", "a=b"), ("cookie", f"visitor={ours}")], "visitor") == ours
    for none in ("", "visitor=", f"visitor={ours}x", f"Visitor={ours}", f'visitor="{ours}"'):
        assert browser_of([("cookie", none)], "visitor") == ""
