"""Attacks by pages of other sites, with the cookies of whoever looks at them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.attacks.figures import measured
from tests.attacks.raw import HANDSHAKE, connected, send
from tests.conformance.websocket.frames import dial
from tests.e2e.workers import ROOT, Worker

EVIL = "https://evil.example"
OPEN = 'mutation { openBandDraft(data: {name: "Forged", formed: 1971}) { draft { id } } }'
DRAFTS = "{ drafts { edges { cursor } } }"


@pytest.fixture
def browser(http: httpx.Client) -> httpx.Client:
    """A browser with a session: it has opened GraphiQL."""
    page = http.get("/graphql", headers={"Accept": "text/html"})
    assert page.is_success
    assert http.cookies
    return http


def drafts(browser: httpx.Client) -> list[Any]:
    """Return the drafts of the session, as a page of ours asks for them."""
    own = {"Sec-Fetch-Site": "same-origin"}
    answer = browser.post("/graphql", json={"query": DRAFTS}, headers=own)
    found: list[Any] = answer.json()["data"]["drafts"]["edges"]
    return found


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": EVIL, "GraphQL-Require-Preflight": "1"},
        {"Sec-Fetch-Site": "cross-site", "GraphQL-Require-Preflight": "1"},
        {},  # whatever it is, it is no browser of today: only the cookie speaks for it
    ],
    ids=str,
)
def test_a_cookie_alone_authorises_no_post(browser: httpx.Client, headers: dict[str, str]) -> None:
    """403, and nothing was done."""
    with measured("cross-site post"):
        answer = browser.post("/graphql", json={"query": OPEN}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "access-control-allow-origin" not in answer.headers
    assert drafts(browser) == []


@pytest.mark.parametrize("kind", ["other port", "other scheme", "look-alike", "user"])
def test_an_origin_is_compared_whole(browser: httpx.Client, server: Worker, kind: str) -> None:
    """Scheme, host and port, of posts and of WebSockets."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    origin = {
        "other port": f"http://{host}:{int(port) - 1}",
        "other scheme": f"https://{host}:{port}",
        "look-alike": f"http://{host}:{port}.evil.example",
        "user": f"http://{host}:{port}@evil.example",
    }[kind]
    answer = browser.post("/graphql", json={"query": OPEN}, headers={"Origin": origin})
    assert answer.status_code == 403


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
def test_what_a_form_can_send_is_never_executed(
    browser: httpx.Client, content_type: str | None
) -> None:
    """415: of whatever site the form is."""
    headers = {"Content-Type": content_type} if content_type else {}
    for origin in ({"Origin": EVIL}, {"Sec-Fetch-Site": "same-origin"}):
        body = json.dumps({"query": OPEN})
        answer = browser.post("/graphql", content=body, headers={**headers, **origin})
        assert answer.status_code == 415
    assert drafts(browser) == []


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "*/*"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_reads_nothing_by_get(browser: httpx.Client, accept: str, site: str) -> None:
    """Neither by an image nor by EventSource."""
    headers = {"Accept": accept, "Sec-Fetch-Site": site}
    answer = browser.get("/graphql", params={"query": DRAFTS}, headers=headers)
    assert (answer.status_code, "data" in answer.json()) == (403, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "{url}"},
        {"Origin": "{url}"},
        {"Origin": "https://app.example"},
        {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://deep.partner.example"},
        {"GraphQL-Require-Preflight": "1"},
    ],
    ids=str,
)
def test_our_own_pages_and_trusted_ones_may(
    browser: httpx.Client, server: Worker, headers: dict[str, str]
) -> None:
    """By `Sec-Fetch-Site`, by `Origin` and `CSRF_TRUSTED_ORIGINS`, or by a header of script."""
    given = {name: value.format(url=server.url) for name, value in headers.items()}
    answer = browser.post("/graphql", json={"query": DRAFTS}, headers=given)
    assert answer.json() == {"data": {"drafts": {"edges": []}}}
    answer = browser.get(
        "/graphql", params={"query": DRAFTS}, headers={**given, "Accept": "application/json"}
    )
    assert answer.json() == {"data": {"drafts": {"edges": []}}}


def test_an_address_that_was_typed_in_is_nobody_elses(browser: httpx.Client) -> None:
    """A query by GET from the address bar, and GraphiQL from any link."""
    headers = {"Sec-Fetch-Site": "none", "Accept": "application/json"}
    assert browser.get("/graphql", params={"query": DRAFTS}, headers=headers).is_success
    link = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    assert browser.get("/graphql", headers=link).is_success


@pytest.mark.parametrize(
    "headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {}], ids=str
)
def test_a_token_needs_no_origin(http: httpx.Client, token: str, headers: dict[str, str]) -> None:
    """No browser sends it by itself; nor is there anything to forge without a cookie."""
    given = {**headers, "Authorization": f"Bearer {token}", "Cookie": "sessionid=x"}
    assert http.post("/graphql", json={"query": DRAFTS}, headers=given).json()["data"]
    assert http.post("/graphql", json={"query": "{ __typename }"}, headers=headers).is_success


@pytest.mark.parametrize("path", ["/graphql"])
def test_a_preflight_is_not_answered(browser: httpx.Client, path: str) -> None:
    """So a browser sends nothing of another origin that needs one."""
    asked = {
        "Origin": EVIL,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = browser.options(path, headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        "null",
        "http://127.0.0.1.evil.example",
        "https://[",
        "file://",
        "x",
    ],
)
def test_a_foreign_page_opens_no_socket(browser: httpx.Client, server: Worker, origin: str) -> None:
    """403, with the cookie and without."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for headers in ({}, {"Cookie": cookie}):
        with measured("foreign Origin"), pytest.raises(InvalidStatus) as refused:
            dial(server, origin=origin, **headers).__enter__()
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["{url}", "https://app.example", "https://deep.partner.example"])
def test_our_own_pages_and_trusted_ones_open_sockets(
    browser: httpx.Client, server: Worker, origin: str
) -> None:
    """They are the session of their cookie."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with dial(server, origin=origin.format(url=server.url), Cookie=cookie) as found:
        found.begin()
        found.subscribe("1", DRAFTS)
        assert found.receive()["payload"] == {"data": {"drafts": {"edges": []}}}


def test_a_name_that_is_not_ours_leads_nowhere(server: Worker) -> None:
    """A page whose name was bound to our address anew: the host is none of `ALLOWED_HOSTS`."""
    handshake = HANDSHAKE.replace(
        b"Host: 127.0.0.1\r\n", b"Host: evil.example\r\nOrigin: http://evil.example\r\n"
    )
    with connected(server) as connection:
        send(connection, handshake)
        assert connection.recv(4096).startswith(b"HTTP/1.1 403 ")


def test_cookies_of_production_are_for_https_and_no_script() -> None:
    """`Secure`, `HttpOnly` and `SameSite`, of sessions and of CSRF tokens."""
    names = [
        f"{kind}_COOKIE_{flag}"
        for kind in ("SESSION", "CSRF")
        for flag in ("SECURE", "HTTPONLY", "SAMESITE")
    ]
    code = f"from config import settings; print([getattr(settings, name) for name in {names}])"
    key = secrets.token_urlsafe(48)
    production = {"DEBUG": "0", "SECRET_KEY": key, "ALLOWED_HOSTS": "a.example"}
    production["ALLOW_SQLITE"] = "1"
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | production,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert found.stdout.strip() == "[True, True, 'Lax', True, True, 'Lax']"
