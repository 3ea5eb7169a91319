"""Attacks by those who know too much: ids, tokens and keys of others, or what they look like."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import httpx
import pytest

from tests.attacks.figures import measured
from tests.conformance.websocket.frames import begun
from tests.e2e import operations
from tests.e2e.samples import wings
from tests.e2e.workers import Worker

READ = """query ($draft: ID!) {
    draft(id: $draft) { id } node(id: $draft) { id } exportDraft(draft: $draft) }"""
STATE = "query ($draft: ID!) { draft(id: $draft) { version state } }"
WATCH = "subscription ($draft: ID!) { draftEvents(draft: $draft) { draftId version } }"
RENAME = """mutation ($draft: ID!, $name: String!) { payload: editBandDraft(
    draft: $draft, changes: [{set: {name: $name}}]) { draft { version } errors { code } } }"""
WRITES = [
    RENAME,
    "mutation ($draft: ID!) { payload: commitBandDraft(draft: $draft) { errors { code } } }",
    "mutation ($draft: ID!) { payload: discardDraft(draft: $draft) { errors { code } } }",
    "mutation ($draft: ID!) { payload: shareDraft(draft: $draft) { token errors { code } } }",
    "mutation ($draft: ID!) { payload: undoDraft(draft: $draft) { errors { code } } }",
    "mutation ($draft: ID!) { payload: openBandDraft(copyOf: $draft) { errors { code } } }",
]


def ask(http: httpx.Client, by: str | None, query: str, **variables: Any) -> Any:
    """Return the answer to the session of a token."""
    headers = {} if by is None else {"Authorization": f"Bearer {by}"}
    if "$name" not in query:
        variables.pop("name", None)
    body = {"query": query, "variables": variables}
    return http.post("/graphql", json=body, headers=headers).json()


@pytest.fixture
def thief(http: httpx.Client) -> str:
    """The token of another session."""
    told = ask(http, None, "mutation { startSession { token } }")
    return str(told["data"]["startSession"]["token"])


@pytest.fixture
def draft(http: httpx.Client, token: str) -> str:
    """A draft of the session that `token` names."""
    told = ask(http, token, operations.OPEN, data=wings())
    return str(told["data"]["payload"]["draft"]["id"])


@pytest.mark.usefixtures("bystander")
def test_a_stolen_draft_id_is_worth_nothing(
    http: httpx.Client, token: str, thief: str, draft: str
) -> None:
    """It is answered like an id that never was, whatever is tried, and nothing has happened."""
    kind, _, key = base64.b64decode(draft).decode().partition(":")
    never = base64.b64encode(f"{kind}:{secrets.token_urlsafe(16)}".encode()).decode()
    assert len(base64.urlsafe_b64decode(key + "==")) == 16, "128 bits, which nobody guesses"
    for query in (READ, *WRITES):
        with measured("a stolen draft id"):
            stolen = ask(http, thief, query, draft=draft, name="X")
        assert stolen == ask(http, thief, query, draft=never, name="X")
    assert ask(http, None, READ, draft=draft)["errors"][0]["extensions"]["code"] == (
        "UNAUTHENTICATED"
    )
    told = ask(http, token, STATE, draft=draft)
    assert told["data"]["draft"] == {"version": 0, "state": "OPEN"}


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize(
    "forged",
    [
        "x",
        "é",
        "\N{SNOWMAN}",
        ".",
        "::",
        "a" * 5_000,
        base64.b64encode(b'["admin"]').decode(),
        "ImFubiI:1aaaaa:" + "a" * 43,
    ],
    ids=["short", "latin", "wide", "dot", "colons", "long", "base64", "signed wrongly"],
)
def test_forged_tokens_and_links_are_refused(http: httpx.Client, token: str, forged: str) -> None:
    """With a code and no trace of why; links too."""
    headers = [(b"Authorization", f"Bearer {forged}".encode())]
    with measured("a forged token"):
        answer = http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    query = "mutation ($token: String!) { joinDraft(token: $token) { errors { code } } }"
    told = ask(http, token, query, token=forged)
    assert told["data"]["joinDraft"]["errors"] == [{"code": "NOT_FOUND"}]


@pytest.mark.usefixtures("bystander")
def test_a_token_is_no_link_and_a_link_no_token(
    http: httpx.Client, token: str, thief: str, draft: str
) -> None:
    """Both are signed by the same key, each for its own end."""
    share = "mutation ($draft: ID!) { shareDraft(draft: $draft) { token } }"
    link = ask(http, token, share, draft=draft)["data"]["shareDraft"]["token"]
    told = ask(http, link, "{ __typename }")
    assert told["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    query = "mutation ($token: String!) { joinDraft(token: $token) { errors { code } } }"
    told = ask(http, thief, query, token=token)
    assert told["data"]["joinDraft"]["errors"] == [{"code": "NOT_FOUND"}]


@pytest.mark.usefixtures("bystander")
def test_a_socket_hears_of_its_own_drafts_only(
    http: httpx.Client, server: Worker, token: str, thief: str, draft: str
) -> None:
    """Two drafts on one socket: each subscription hears of its own; a stranger's of neither."""
    other = ask(http, token, operations.OPEN, data=wings())["data"]["payload"]["draft"]["id"]
    with begun(server, token) as own, begun(server, thief) as strange:
        for name, each in (("one", draft), ("two", other)):
            own.subscribe(name, WATCH, variables={"draft": each})
            assert own.of(name)["payload"]["data"]["draftEvents"] == {"draftId": each, "version": 0}
        with measured("a subscription to another's draft"):
            strange.subscribe("one", WATCH, variables={"draft": draft})
            refused = strange.of("one")
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        for version in (1, 2, 3):
            ask(http, token, RENAME, draft=draft, name=f"Wings {version}")
        ask(http, token, RENAME, draft=other, name="Other")
        heard: dict[str, list[Any]] = {"one": [], "two": []}
        while len(heard["one"]) + len(heard["two"]) < 4:
            message = own.receive()
            event = message["payload"]["data"]["draftEvents"]
            if event["version"]:  # those without are about who is here
                heard[message["id"]].append(event)
        assert heard["one"] == [{"draftId": draft, "version": each} for each in (1, 2, 3)]
        assert heard["two"] == [{"draftId": other, "version": 1}]
        strange.send({"type": "ping"})
        assert strange.receive()["type"] == "pong"
