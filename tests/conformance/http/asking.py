"""Requests as a conforming client sends them, and others."""

from __future__ import annotations

import json
from typing import Any

import httpx

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BOTH = (JSON, GRAPHQL)
TYPENAME = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}


def post(http: httpx.Client, body: Any, accept: str | None = GRAPHQL) -> httpx.Response:
    """Post a request as JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return send(http, "POST", content=content, headers={"Content-Type": JSON}, accept=accept)


def get(http: httpx.Client, accept: str | None = GRAPHQL, **parameters: str) -> httpx.Response:
    """Get with parameters in the URL."""
    return send(http, "GET", params=parameters, accept=accept)


def send(
    http: httpx.Client, method: str, *, accept: str | None = GRAPHQL, **more: Any
) -> httpx.Response:
    """Send anything; without `accept` there is no such header."""
    headers = {**more.pop("headers", {}), **({"Accept": accept} if accept is not None else {})}
    request = http.build_request(method, "/graphql", headers=headers, **more)
    if accept is None:
        del request.headers["Accept"]
    return http.send(request)


def media_of(answer: httpx.Response) -> str:
    """Return the media type of a response, without its parameters."""
    return answer.headers["Content-Type"].partition(";")[0]


def codes_of(answer: httpx.Response) -> list[str]:
    """Return the codes of the errors of a response that has nothing else."""
    body = answer.json()
    assert set(body) == {"errors"}, body
    assert all(error["message"] for error in body["errors"])
    return [error["extensions"]["code"] for error in body["errors"]]
